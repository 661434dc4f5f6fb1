import Packets

/// What is kept of a flow for its features: numbers of constant size, never a list of packets.
///
/// Time is the flow's own: in the profile ``FlowProfile/corrected`` a packet that is older than one before it counts as
/// of the same time, so that no gap is negative.
public struct FlowFeatures: BitwiseCopyable, Sendable {
    /// Nanoseconds since 1970-01-01 UTC of the first and the last packet.
    public private(set) var first: Int64 = 0
    public private(set) var last: Int64 = 0
    private var gaps = TimeStatistics()
    /// Packets with ACK.
    public private(set) var acknowledgements: UInt32 = 0
    public private(set) var finishes: UInt32 = 0
    public private(set) var synchronisations: UInt32 = 0
    public private(set) var resets: UInt32 = 0
    // What every packet needs ends here, with a cache line; then comes what one direction's packets need.
    private var directions = [2 of DirectionFeatures](repeating: DirectionFeatures())
    private var run = Bulk.Run()
    private var firstFlags: TCPFlags = []
    private var bulks = [2 of Bulk](repeating: Bulk())
    public private(set) var reductions: UInt32 = 0
    public private(set) var echoes: UInt32 = 0
    private var firstLength: UInt32 = 0
    /// Gaps of more than a second.
    private var subflowGaps: UInt32 = 0
    private var activePeriods: UInt32 = 0
    private var idlePeriods: UInt32 = 0
    private var activeStart: Int64 = 0
    private var activeTime: Int64 = 0
    private var idleTime: Int64 = 0
    private var active = TimeStatistics()
    private var idle = TimeStatistics()

    /// Nanoseconds without a packet that part subflows.
    static let subflowPause: Int64 = 1_000_000_000
    /// Nanoseconds without a packet after which a flow counts as idle.
    static let idlePause: Int64 = 5_000_000_000

    /// Makes these the features of a flow of which no packet was counted yet.
    /// - Parameter packet: the first one.
    @inline(__always)
    mutating func start(with packet: borrowing Packet, at time: Int64) {
        first = time
        last = time
        activeStart = time
        let isOffloaded = packet.segments > 1
        firstLength = isOffloaded ? UInt32(packet.segmentSize) : packet.payloadLength
        // Only the last of a frame's packets has it.
        firstFlags = isOffloaded ? packet.flags.subtracting(.psh) : packet.flags
    }

    /// From the flow's initiator.
    public var forward: DirectionFeatures { directions[0] }
    /// To the flow's initiator.
    public var backward: DirectionFeatures { directions[1] }
    /// Of both directions.
    public var packets: UInt64 { directions[0].packets &+ directions[1].packets }
    /// Nanoseconds.
    public var duration: Int64 { last &- first }

    /// Counts a packet; also the first.
    @inline(__always)
    mutating func add(
        _ packet: borrowing Packet,
        at time: Int64,
        isFirst: Bool,
        isForward: Bool,
        profile: FlowProfile
    ) {
        var time = time
        let gap = time &- last
        if gap < 0, profile == .corrected {
            time = last
            gaps.addZero()
        } else if !isFirst {
            if gap > Self.subflowPause { pause(gap, until: time) }
            gaps.add(gap)
        }
        last = time
        let side = isForward ? 0 : 1
        let flags = packet.flags
        acknowledgements &+= UInt32(flags.rawValue >> 4 & 1)
        if flags.rawValue & 0b1110_0111 != 0 { addRare(flags, side) }
        if packet.segments == 1, packet.fragment != .later {
            directions[side].add(packet, at: time)
        } else {
            addUnusual(packet, at: time, side)
        }
        guard packet.payloadLength > 0 else { return }
        // CICFlowMeter compares addresses by reference, so that each packet counts as backward there.
        let bulkSide = profile == .cic ? 1 : side
        run.add(
            packet.payloadLength,
            packets: packet.segments,
            at: time,
            side: UInt8(truncatingIfNeeded: bulkSide),
            to: &bulks[bulkSide]
        )
    }

    @inline(never)
    private mutating func addUnusual(_ packet: borrowing Packet, at time: Int64, _ side: Int) {
        // Each of a frame's packets has its flags but FIN and PSH, which the last one has, and CWR, which the first one has.
        let others = packet.segments &- 1
        if others > 0 { gaps.addZero() }
        if packet.flags.contains(.ack) { acknowledgements &+= others }
        if packet.flags.contains(.ece) { echoes &+= others }
        if packet.flags.contains(.urg) { directions[side].addUrgent(others) }
        directions[side].add(unusual: packet, at: time)
    }

    @inline(never)
    private mutating func addRare(_ flags: TCPFlags, _ side: Int) {
        if flags.contains(.fin) { finishes &+= 1 }
        if flags.contains(.syn) { synchronisations &+= 1 }
        if flags.contains(.rst) { resets &+= 1 }
        if flags.contains(.urg) { directions[side].addUrgent() }
        if flags.contains(.ece) { echoes &+= 1 }
        if flags.contains(.cwr) { reductions &+= 1 }
    }

    @inline(never)
    private mutating func pause(_ gap: Int64, until time: Int64) {
        subflowGaps &+= 1
        guard gap > Self.idlePause else { return }
        if last > activeStart {
            active.add(last &- activeStart)
            activeTime &+= last &- activeStart
            activePeriods &+= 1
        }
        idle.add(gap)
        idlePeriods &+= 1
        idleTime &+= gap
        activeStart = time
    }
}

// MARK: - The features

extension FlowFeatures {
    /// The names of ``values(_:)``, in CICFlowMeter's order and spelling. Times are in microseconds, lengths in bytes of
    /// payload, rates per second.
    public static let names = [
        "Flow Duration", "Total Fwd Packet", "Total Bwd packets", "Total Length of Fwd Packet",
        "Total Length of Bwd Packet", "Fwd Packet Length Max", "Fwd Packet Length Min", "Fwd Packet Length Mean",
        "Fwd Packet Length Std", "Bwd Packet Length Max", "Bwd Packet Length Min", "Bwd Packet Length Mean",
        "Bwd Packet Length Std", "Flow Bytes/s", "Flow Packets/s", "Flow IAT Mean", "Flow IAT Std", "Flow IAT Max",
        "Flow IAT Min", "Fwd IAT Total", "Fwd IAT Mean", "Fwd IAT Std", "Fwd IAT Max", "Fwd IAT Min", "Bwd IAT Total",
        "Bwd IAT Mean", "Bwd IAT Std", "Bwd IAT Max", "Bwd IAT Min", "Fwd PSH Flags", "Bwd PSH Flags", "Fwd URG Flags",
        "Bwd URG Flags", "Fwd Header Length", "Bwd Header Length", "Fwd Packets/s", "Bwd Packets/s",
        "Packet Length Min", "Packet Length Max", "Packet Length Mean", "Packet Length Std", "Packet Length Variance",
        "FIN Flag Count", "SYN Flag Count", "RST Flag Count", "PSH Flag Count", "ACK Flag Count", "URG Flag Count",
        "CWR Flag Count", "ECE Flag Count", "Down/Up Ratio", "Average Packet Size", "Fwd Segment Size Avg",
        "Bwd Segment Size Avg", "Fwd Bytes/Bulk Avg", "Fwd Packet/Bulk Avg", "Fwd Bulk Rate Avg", "Bwd Bytes/Bulk Avg",
        "Bwd Packet/Bulk Avg", "Bwd Bulk Rate Avg", "Subflow Fwd Packets", "Subflow Fwd Bytes", "Subflow Bwd Packets",
        "Subflow Bwd Bytes", "FWD Init Win Bytes", "Bwd Init Win Bytes", "Fwd Act Data Pkts", "Fwd Seg Size Min",
        "Active Mean", "Active Std", "Active Max", "Active Min", "Idle Mean", "Idle Std", "Idle Max", "Idle Min",
    ]

    /// The features as numbers, in the order of ``names``. Docs: docs/features.md.
    ///
    /// All are finite in the profile ``FlowProfile/corrected``. In ``FlowProfile/cic`` the two rates of a flow that
    /// took no time are infinite or not a number, as there.
    public func values(_ profile: FlowProfile) -> [76 of Double] {
        let isCIC = profile == .cic
        let forward = directions[0]
        let backward = directions[1]
        let packets = Double(self.packets)
        let microseconds = Double(duration) / 1000
        let seconds = microseconds / 1_000_000
        let forwardLengths = forward.lengthSummary
        let backwardLengths = backward.lengthSummary
        let bytes = forwardLengths.sum + backwardLengths.sum
        var both = forward.lengths + backward.lengths
        // CICFlowMeter counts the first packet twice here.
        if isCIC { both.add(firstLength) }
        let lengths = both.summary(count: self.packets + (isCIC ? 1 : 0))
        let gaps =
            self.packets < 2
            ? StatisticsSummary() : self.gaps.summary(count: self.packets - 1, sum: duration).divided(by: 1000)
        let forwardGaps = forward.gapSummary
        let backwardGaps = backward.gapSummary
        let rate = { (amount: Double) in duration > 0 ? amount / seconds : 0 }
        let ratio =
            backward.packets == 0 || forward.packets == 0
            ? 0 : Double(backward.packets) / Double(forward.packets)
        // There the gaps are counted, not the parts between them; and whole numbers are divided.
        let subflows = Double(isCIC ? subflowGaps : subflowGaps + 1)
        let perSubflow = { (amount: Double) in subflows == 0 ? 0 : whole(amount / subflows, isCIC) }
        let periods = activity(profile)

        var values = [76 of Double](repeating: 0)
        var next = 0
        func put(_ value: Double) {
            values[next] = value
            next += 1
        }
        func putExtremes(_ lengths: StatisticsSummary) {
            put(lengths.most)
            put(lengths.least)
            put(lengths.mean)
            put(lengths.deviation)
        }
        func putMeans(_ times: StatisticsSummary) {
            put(times.mean)
            put(times.deviation)
            put(times.most)
            put(times.least)
        }
        put(microseconds)
        put(Double(forward.packets))
        put(Double(backward.packets))
        put(forwardLengths.sum)
        put(backwardLengths.sum)
        putExtremes(forwardLengths)
        putExtremes(backwardLengths)
        put(isCIC ? bytes / seconds : rate(bytes))
        put(isCIC ? packets / seconds : rate(packets))
        putMeans(gaps)
        put(forwardGaps.sum)
        putMeans(forwardGaps)
        put(backwardGaps.sum)
        putMeans(backwardGaps)
        // There only the first packet's flags reach these four.
        put(isCIC ? (firstFlags.contains(.psh) ? 1 : 0) : Double(forward.pushes))
        put(isCIC ? 0 : Double(backward.pushes))
        put(isCIC ? (firstFlags.contains(.urg) ? 1 : 0) : Double(forward.urgents))
        put(isCIC ? 0 : Double(backward.urgents))
        put(Double(forward.headerBytes))
        put(Double(backward.headerBytes))
        put(rate(Double(forward.packets)))
        put(rate(Double(backward.packets)))
        put(lengths.least)
        put(lengths.most)
        put(lengths.mean)
        put(lengths.deviation)
        put(lengths.variance)
        put(Double(finishes))
        put(Double(synchronisations))
        put(Double(resets))
        put(Double(forward.pushes) + Double(backward.pushes))
        put(Double(acknowledgements))
        put(Double(forward.urgents) + Double(backward.urgents))
        put(Double(reductions))
        put(Double(echoes))
        put(whole(ratio, isCIC))
        put(packets == 0 ? 0 : lengths.sum / packets)
        put(forwardLengths.mean)
        put(backwardLengths.mean)
        for side in 0..<2 {
            let bulk = bulks[side]
            let duration = Double(bulk.duration) / 1_000_000_000
            put(bulk.count == 0 ? 0 : whole(Double(bulk.bytes) / Double(bulk.count), isCIC))
            put(bulk.count == 0 ? 0 : whole(Double(bulk.packets) / Double(bulk.count), isCIC))
            put(bulk.duration == 0 ? 0 : whole(Double(bulk.bytes) / duration, isCIC))
        }
        put(perSubflow(Double(forward.packets)))
        put(perSubflow(forwardLengths.sum))
        put(perSubflow(Double(backward.packets)))
        put(perSubflow(backwardLengths.sum))
        put(Double(forward.firstWindow))
        // There each packet overwrites it.
        put(Double(isCIC ? backward.lastWindow : backward.firstWindow))
        // There the first packet is left out.
        put(Double(forward.dataPackets) - (isCIC && firstLength > 0 ? 1 : 0))
        put(forward.shortestHeader == .max ? 0 : Double(forward.shortestHeader))
        putMeans(periods.active)
        putMeans(periods.idle)
        return values
    }

    /// Periods with packets and without, in microseconds. CICFlowMeter never counts the period in which a flow ends.
    private func activity(_ profile: FlowProfile) -> (active: StatisticsSummary, idle: StatisticsSummary) {
        var (active, count) = (active, UInt64(activePeriods))
        var sum = activeTime
        if profile == .corrected, last > activeStart {
            active.add(last &- activeStart)
            sum &+= last &- activeStart
            count += 1
        }
        return (
            active: active.summary(count: count, sum: sum).divided(by: 1000),
            idle: idle.summary(count: UInt64(idlePeriods), sum: idleTime).divided(by: 1000)
        )
    }
}

@inline(__always)
private func whole(_ value: Double, _ truncates: Bool) -> Double { truncates ? value.rounded(.towardZero) : value }
