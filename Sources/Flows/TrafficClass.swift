public import Packets

/// What a packet is for whom it is sent to: the kinds of load that floods are told apart by.
public enum TrafficClass: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    /// TCP: SYN without ACK, counted for the service that it asks.
    case synchronize
    /// TCP: SYN with ACK, counted for the service that it comes from: connections that it answered.
    case answer
    /// TCP: the initiator's first ACK after that, counted for the service: connections that came about.
    case completed
    /// TCP: ACK alone, without payload.
    case acknowledge
    /// TCP with payload.
    case data
    case finish
    case reset
    /// TCP flags that no honest stack sends: none at all, FIN without ACK, SYN with FIN or RST.
    case irregular
    case udp
    /// UDP that nobody asked for, from a port of services known to answer with more than they are asked; counted by that port.
    case reflection
    case icmp
    /// Fragments but the first.
    case fragment
    /// Other IP protocols.
    case other
}

extension TrafficClass: Comparable {
    public static func < (left: TrafficClass, right: TrafficClass) -> Bool { left.rawValue < right.rawValue }
}

/// For whom packets of a window were, and of which kind.
public struct TrafficKey: Hashable, BitwiseCopyable, Sendable {
    public var address: Address
    /// Of the service, for ``TrafficClass/synchronize``, ``TrafficClass/answer`` and ``TrafficClass/completed``; where it came
    /// from, for ``TrafficClass/reflection``; else, and where a shard had no room for it, 0.
    public var port: UInt16
    public var kind: TrafficClass
    public var family: Family

    public init(address: Address, port: UInt16 = 0, kind: TrafficClass, family: Family) {
        self.address = address
        self.port = port
        self.kind = kind
        self.family = family
    }
}

extension TrafficKey: Comparable {
    public static func < (left: TrafficKey, right: TrafficKey) -> Bool {
        if left.address != right.address { return left.address < right.address }
        if left.family != right.family { return left.family.rawValue < right.family.rawValue }
        return left.kind == right.kind ? left.port < right.port : left.kind < right.kind
    }
}

/// Packets and their bytes on the wire, told from those that were read: whole numbers while every packet is.
public struct TrafficVolume: Equatable, BitwiseCopyable, Sendable {
    public var packets: Double
    /// L2, without FCS.
    public var bytes: Double

    public init(packets: Double = 0, bytes: Double = 0) {
        self.packets = packets
        self.bytes = bytes
    }

    @inline(__always)
    public static func += (left: inout TrafficVolume, right: TrafficVolume) {
        left.packets += right.packets
        left.bytes += right.bytes
    }
}
