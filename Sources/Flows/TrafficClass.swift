public import Packets

/// What a packet is for whom it is sent to: the kinds of load that floods are told apart by.
public enum TrafficClass: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    /// TCP: SYN without ACK, counted for the service that it asks.
    case synchronize
    /// TCP: SYN with ACK for one who asked, counted for the service that it comes from: connections that it answered.
    case answer
    /// TCP: the initiator's first ACK after that, counted for the service: connections that came about.
    case completed
    /// TCP: the initiator speaks after the responder, or first, counted for the service: about one for each request. These
    /// packets are in ``data`` too.
    case request
    /// TCP: ACK alone, without payload.
    case acknowledge
    /// TCP with payload.
    case data
    case finish
    case reset
    /// TCP flags that no honest stack sends: none at all, SYN with FIN or RST, FIN with PSH or URG but without ACK.
    case irregular
    case udp
    /// UDP that nobody asked for, from a port of services known to answer with more than they are asked, and TCP's SYN with
    /// ACK that nobody asked for; counted by that port.
    case reflection
    case icmp
    /// Fragments but the first, unless they are of a ``reflection``.
    case fragment
    /// Other IP protocols.
    case other
}

extension TrafficClass: Comparable {
    public static func < (left: TrafficClass, right: TrafficClass) -> Bool { left.rawValue < right.rawValue }
}

extension TCPFlags {
    /// What a TCP packet with these flags is, without payload.
    public var trafficClass: TrafficClass {
        let isOdd =
            isDisjoint(with: [.syn, .fin, .rst, .ack]) || contains([.syn, .fin]) || contains([.syn, .rst])
            || contains(.fin) && isDisjoint(with: [.ack, .rst]) && !isDisjoint(with: [.psh, .urg])
        if isOdd { return .irregular }
        if contains(.syn) { return contains(.ack) ? .answer : .synchronize }
        if contains(.rst) { return .reset }
        return contains(.fin) ? .finish : .acknowledge
    }
}

/// For whom packets of a window were, and of which kind.
public struct TrafficKey: Hashable, BitwiseCopyable, Sendable {
    public var address: Address
    /// Of the service, for ``TrafficClass/synchronize``, ``TrafficClass/answer``, ``TrafficClass/completed`` and
    /// ``TrafficClass/request``; where it came from, for ``TrafficClass/reflection``; else, and where a shard had no room for
    /// it, 0.
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
    /// Of these, what answers nothing that the receiver sent and belongs to no flow that both ends speak in.
    public var unaskedPackets: Double
    public var unaskedBytes: Double

    @inline(__always)
    public init(packets: Double = 0, bytes: Double = 0, isAsked: Bool = true) {
        self.packets = packets
        self.bytes = bytes
        unaskedPackets = isAsked ? 0 : packets
        unaskedBytes = isAsked ? 0 : bytes
    }

    @inline(__always)
    public static func += (left: inout TrafficVolume, right: TrafficVolume) {
        left.packets += right.packets
        left.bytes += right.bytes
        left.unaskedPackets += right.unaskedPackets
        left.unaskedBytes += right.unaskedBytes
    }

    public static func -= (left: inout TrafficVolume, right: TrafficVolume) {
        left.packets -= right.packets
        left.bytes -= right.bytes
        left.unaskedPackets -= right.unaskedPackets
        left.unaskedBytes -= right.unaskedBytes
    }
}
