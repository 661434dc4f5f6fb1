import Packets

/// What is kept of one direction of a flow: two cache lines, which every packet of the direction reads and writes.
public struct DirectionFeatures: BitwiseCopyable, Sendable {
    /// On the wire: a frame counts as its number of segments.
    public private(set) var packets: UInt64 = 0
    /// On the wire (L2, without FCS).
    public private(set) var bytes: UInt64 = 0
    /// Lengths of the payload after the transport header, in bytes by the IP length; one value for each packet.
    public private(set) var lengths = LengthStatistics()
    /// Bytes of transport headers.
    public private(set) var headerBytes: UInt64 = 0
    /// When the direction's first and last packet came, on the flow's clock.
    private(set) var first: Int64 = 0
    private(set) var last: Int64 = 0
    private var gaps = TimeStatistics()
    /// Packets with payload.
    public private(set) var dataPackets: UInt32 = 0
    public private(set) var pushes: UInt32 = 0
    public private(set) var urgents: UInt32 = 0
    /// TCP window, not scaled, of the first and the last packet.
    public private(set) var firstWindow: UInt16 = 0
    public private(set) var lastWindow: UInt16 = 0
    /// The shortest transport header, in bytes.
    public private(set) var shortestHeader = UInt8.max
    /// Up to the second line's end.
    private var rest: UInt64 = 0

    @inline(__always)
    mutating func add(_ packet: borrowing Packet, at time: Int64) {
        let length = packet.payloadLength
        if packets == 0 {
            first = time
            firstWindow = packet.window
        } else {
            gaps.add(time &- last)
        }
        last = time
        packets &+= 1
        bytes &+= packet.bytes
        lengths.add(length)
        headerBytes &+= UInt64(packet.transportHeaderLength)
        shortestHeader = min(shortestHeader, packet.transportHeaderLength)
        dataPackets &+= length > 0 ? 1 : 0
        pushes &+= UInt32(packet.flags.rawValue >> 3 & 1)
        lastWindow = packet.window
    }

    mutating func addUrgent(_ count: UInt32 = 1) { urgents &+= count }

    /// A frame of several packets: as many packets at one time, of which only the last may be shorter. Or a later fragment:
    /// it has payload and no transport header.
    @inline(never)
    mutating func add(unusual packet: borrowing Packet, at time: Int64) {
        let full = UInt32(packet.segmentSize)
        let others = packet.segments &- 1
        if packets == 0 {
            first = time
            firstWindow = packet.window
        } else {
            gaps.add(time &- last)
        }
        if others > 0 { gaps.addZero() }
        last = time
        packets &+= UInt64(packet.segments)
        bytes &+= packet.bytes
        lengths.add(full, count: others)
        lengths.add(packet.payloadLength &- min(packet.payloadLength, full &* others))
        dataPackets &+= packet.payloadLength > 0 ? packet.segments : 0
        guard packet.fragment != .later else { return }
        headerBytes &+= UInt64(packet.transportHeaderLength) &* UInt64(packet.segments)
        shortestHeader = min(shortestHeader, packet.transportHeaderLength)
        pushes &+= UInt32(packet.flags.rawValue >> 3 & 1)
        lastWindow = packet.window
    }

    public var volume: Volume { Volume(packets: packets, bytes: bytes) }

    /// Payload lengths in bytes.
    var lengthSummary: StatisticsSummary { lengths.summary(count: packets) }

    /// Gaps between the direction's packets in microseconds.
    var gapSummary: StatisticsSummary {
        packets < 2 ? StatisticsSummary() : gaps.summary(count: packets - 1, sum: last &- first).divided(by: 1000)
    }
}

/// Bulk transfers of one direction: at least 4 packets with payload, none more than 1 s after the one before, and no
/// payload the other way in between.
struct Bulk: BitwiseCopyable, Sendable {
    /// Packets that make a bulk.
    static let packets: UInt32 = 4
    /// Nanoseconds without payload that end one.
    static let pause: Int64 = 1_000_000_000

    private(set) var count: UInt32 = 0
    private(set) var packets: UInt32 = 0
    private(set) var bytes: UInt64 = 0
    /// Nanoseconds.
    private(set) var duration: Int64 = 0

    /// The row that a flow's last payload belongs to, which may become a bulk, or is one. There is no more than one at a
    /// time: payload of the other direction ends it.
    struct Run: BitwiseCopyable, Sendable {
        private var start: Int64 = 0
        private var last: Int64 = 0
        /// Since `start`; no further than needed to make a bulk.
        private var packets: UInt32 = 0
        private var bytes: UInt32 = 0
        private var side = UInt8.max

        /// - Parameters:
        ///   - length: bytes of payload, at least 1.
        ///   - bulk: what is counted for this side.
        @inline(__always)
        mutating func add(_ length: UInt32, packets added: UInt32, at time: Int64, side: UInt8, to bulk: inout Bulk) {
            if side != self.side || time &- last > Bulk.pause {
                self.side = side
                start = time
                packets = 0
                bytes = 0
            }
            if packets < Bulk.packets {
                packets &+= added
                bytes &+= length
                if packets >= Bulk.packets { begin(&bulk, at: time) }
            } else {
                bulk.packets &+= added
                bulk.bytes &+= UInt64(length)
                bulk.duration &+= time &- last
            }
            last = time
        }

        @inline(never)
        private func begin(_ bulk: inout Bulk, at time: Int64) {
            bulk.count &+= 1
            bulk.packets &+= packets
            bulk.bytes &+= UInt64(bytes)
            bulk.duration &+= time &- start
        }
    }
}
