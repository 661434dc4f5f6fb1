public import Packets

/// One flow, as far as it was seen: both directions, from the initiator's first packet on.
public struct FlowRecord: BitwiseCopyable, Sendable {
    // What stands with the key is read with it.
    public private(set) var key = FlowKey()
    /// Whether the initiator is the lower end of the key.
    private var isInitiatorLow = false
    public private(set) var end = FlowEnd.interim
    /// Packets so far, as far as ``opening`` shows them.
    private var opened: UInt8 = 0
    /// What the flow's packets stand in, where tunnels are read.
    public private(set) var tunnel = Tunnel.none
    public internal(set) var features = FlowFeatures()
    public internal(set) var opening = FlowOpening()
    /// What the interim record before this one said.
    private var told = [2 of Volume](repeating: Volume())
    /// Interim records before this one.
    public private(set) var interims: UInt32 = 0
    /// Later fragments that were told to belong to this flow; counted as packets.
    public private(set) var laterFragments: UInt32 = 0
    /// Packets older than one before them.
    public private(set) var late: UInt32 = 0
    /// ICMP errors that quote a packet of this flow.
    public private(set) var errors: UInt32 = 0
    /// Of the payload, where it is measured: of its first bytes each way, and of all of it.
    public internal(set) var forwardFirstBytes = FirstBytes()
    public internal(set) var backwardFirstBytes = FirstBytes()
    public internal(set) var entropy = RunningEntropy()
    /// What the packets seen stand for beside themselves, while only a share of packets is kept.
    private var unseen = Unseen()
    // The order leaves no gaps: a flow's entry ends with its 14th cache line.
    /// The initiator's request, where detectors look on and bytes are there.
    public internal(set) var request = FlowRequest()
    /// How the ends take turns, where detectors look on.
    var talk = Talk()
    /// Of the flow's first packet, where that is ICMP or ICMPv6; else 0.
    public private(set) var icmpType: UInt8 = 0
    public private(set) var icmpCode: UInt8 = 0

    /// Of no flow.
    init() {}

    /// Makes a record of no flow that of one of which no packet was counted yet.
    @inline(__always)
    mutating func start(_ key: FlowKey, with packet: borrowing Packet, at time: Int64, isInitiatorLow: Bool) {
        self.key = key
        self.isInitiatorLow = isInitiatorLow
        tunnel = packet.tunnel
        icmpType = packet.icmpType
        icmpCode = packet.icmpCode
        features.start(with: packet, at: time)
    }

    public var initiator: Address { isInitiatorLow ? key.low : key.high }
    public var responder: Address { isInitiatorLow ? key.high : key.low }
    public var initiatorPort: UInt16 { isInitiatorLow ? key.lowPort : key.highPort }
    public var responderPort: UInt16 { isInitiatorLow ? key.highPort : key.lowPort }

    /// From the initiator, on the wire.
    public var forward: Volume { features.forward.volume }
    /// To the initiator, on the wire.
    public var backward: Volume { features.backward.volume }
    /// The same since the interim record before this one.
    public var forwardDelta: Volume { forward.since(told[0]) }
    public var backwardDelta: Volume { backward.since(told[1]) }

    /// Whether the packet goes the way of the flow's first.
    @inline(__always)
    func isForward(fromLow: Bool) -> Bool { fromLow == isInitiatorLow }

    /// - Parameter isForward: whether it comes from the initiator.
    @inline(__always)
    mutating func add(_ packet: borrowing Packet, at time: Int64, isForward: Bool, profile: FlowProfile) {
        if time < features.last { late &+= packet.segments }
        if packet.fragment == .later { laterFragments &+= 1 }
        let before = opened
        if before < UInt8(FlowOpening.packets) {
            opening.add(packet, after: time &- features.last, isForward: isForward, Int(before))
            opened = UInt8(clamping: min(UInt32(FlowOpening.packets), UInt32(before) &+ packet.segments))
        }
        features.add(packet, at: time, isFirst: before == 0, isForward: isForward, profile: profile)
    }

    /// Packets on the wire, told from those seen; the same number while every packet is kept.
    public var estimatedPackets: SamplingCounters.Estimate {
        estimate(features.packets, unseen.packets, unseen.packetVariance)
    }

    /// Bytes on the wire, told from the packets seen.
    public var estimatedBytes: SamplingCounters.Estimate {
        estimate(forward.bytes &+ backward.bytes, unseen.bytes, unseen.byteVariance)
    }

    private func estimate(_ seen: UInt64, _ unseen: Double, _ variance: Double) -> SamplingCounters.Estimate {
        SamplingCounters.Estimate(total: Double(seen) + unseen, standardError: variance.squareRoot())
    }

    /// - Parameter weight: how many packets of its class this one stands for.
    mutating func addUnseen(_ packet: borrowing Packet, weight: Double) {
        let (packets, bytes) = (Double(packet.segments), Double(packet.bytes))
        unseen.packets += (weight - 1) * packets
        unseen.bytes += (weight - 1) * bytes
        unseen.packetVariance += weight * (weight - 1) * packets * packets
        unseen.byteVariance += weight * (weight - 1) * bytes * bytes
    }

    /// By Horvitz and Thompson: each packet kept with probability 1 / w stands for w, and adds w (w - 1) times its square to
    /// the variance.
    private struct Unseen: BitwiseCopyable {
        var packets = 0.0
        var bytes = 0.0
        var packetVariance = 0.0
        var byteVariance = 0.0
    }

    /// What the ends were saying when only the clock cut the flow before this one.
    mutating func goOn(_ talk: Talk, _ request: FlowRequest) {
        self.talk.goOn(talk)
        self.request = request
    }

    mutating func addError() { errors &+= 1 }

    mutating func finish(_ end: FlowEnd) { self.end = end }

    /// After an interim record was handed out.
    mutating func tell() {
        told = [forward, backward]
        talk.tell()
        interims &+= 1
    }
}

extension FlowRecord {
    /// The order in which records of one moment are told: by the first packet, then by the key.
    public static func isTold(_ left: borrowing FlowRecord, before right: borrowing FlowRecord) -> Bool {
        left.features.first == right.features.first ? left.key < right.key : left.features.first < right.features.first
    }
}

/// Why a flow's record was written.
public enum FlowEnd: UInt8, BitwiseCopyable, Sendable {
    /// It goes on.
    case interim
    /// Nothing came for the idle time-out.
    case idle
    /// It lasted for the active time-out, and goes on in a new flow.
    case active
    /// TCP: both ends sent FIN, or one RST.
    case closed
    /// The table was full.
    case evicted
    /// The capture ended, or the sensor was stopped.
    case stopped
}

/// The first packets of a flow, one by one.
public struct FlowOpening: BitwiseCopyable, Sendable {
    public static let packets = 16

    private struct First: BitwiseCopyable {
        var size: Int32 = 0
        var gap: UInt32 = 0
    }

    private var firsts = [16 of First](repeating: First())

    /// Bytes of the IP packet; negative for one to the initiator; 0 where there was none yet.
    public var sizes: [16 of Int32] { [16 of Int32] { firsts[$0].size } }
    /// Microseconds since the packet before; at most what 32 bits hold, 71 minutes.
    public var gaps: [16 of UInt32] { [16 of UInt32] { firsts[$0].gap } }

    /// - Parameter place: 0 ... 15
    @inline(__always)
    mutating func add(_ packet: borrowing Packet, after gap: Int64, isForward: Bool, _ place: Int) {
        if packet.segments == 1 {
            let size = Int32(truncatingIfNeeded: packet.ipLength)
            firsts[place & 15] = First(size: isForward ? size : -size, gap: UInt32(clamping: gap / 1000))
        } else {
            addSegments(packet, after: gap, isForward: isForward, place)
        }
    }

    @inline(never)
    private mutating func addSegments(_ packet: borrowing Packet, after gap: Int64, isForward: Bool, _ first: Int) {
        let headers = packet.ipLength &- min(packet.ipLength, packet.payloadLength)
        for place in first..<min(Self.packets, first + Int(packet.segments)) {
            let before = UInt32(place - first) &* UInt32(packet.segmentSize)
            let payload = min(UInt32(packet.segmentSize), packet.payloadLength &- min(packet.payloadLength, before))
            let size = Int32(truncatingIfNeeded: headers &+ payload)
            let ownGap = place == first ? UInt32(clamping: gap / 1000) : 0
            firsts[place] = First(size: isForward ? size : -size, gap: ownGap)
        }
    }
}
