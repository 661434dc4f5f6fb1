public import Packets

/// What makes packets of both directions one flow: the 5-tuple, on one interface and VLAN.
///
/// The two ends stand in order, the lower one first, so that both directions have one key.
public struct FlowKey: BitwiseCopyable, Sendable {
    public private(set) var low = Address.zero
    public private(set) var high = Address.zero
    /// The interface's index on this host, or its number in the file.
    public private(set) var interface: UInt32 = 0
    public private(set) var lowPort: UInt16 = 0
    public private(set) var highPort: UInt16 = 0
    private var tag = untagged
    public private(set) var family = Family.other
    /// The IP protocol number.
    public private(set) var protocolNumber: UInt8 = 0

    /// Of no flow.
    init() {}

    /// A packet without ports (ICMP, a later fragment) has those given as 0.
    @inline(__always)
    init(_ packet: borrowing Packet, interface: UInt32, isFromLow: Bool) {
        low = isFromLow ? packet.source : packet.destination
        high = isFromLow ? packet.destination : packet.source
        lowPort = isFromLow ? packet.sourcePort : packet.destinationPort
        highPort = isFromLow ? packet.destinationPort : packet.sourcePort
        self.interface = interface
        tag = packet.vlan ?? Self.untagged
        family = packet.family
        protocolNumber = packet.protocolNumber
    }

    /// The outermost VLAN identifier (0 ... 4095), nil without a tag.
    public var vlan: UInt16? { tag == Self.untagged ? nil : tag }

    private static let untagged = UInt16.max

    private var context: UInt64 {
        @inline(__always) get {
            UInt64(interface) << 32 | UInt64(tag) << 16 | UInt64(family.rawValue) << 8 | UInt64(protocolNumber)
        }
    }

    private var ports: UInt32 { @inline(__always) get { UInt32(lowPort) << 16 | UInt32(highPort) } }

    /// Interface and VLAN, which the hash that chooses the shard leaves out.
    @inline(__always)
    static func place(_ packet: borrowing Packet, interface: UInt32) -> UInt64 {
        UInt64(interface) << 16 | UInt64(packet.vlan ?? untagged)
    }
}

extension FlowKey: Hashable, Comparable {
    @inline(__always)
    public static func == (left: FlowKey, right: FlowKey) -> Bool {
        (left.low.high ^ right.low.high) | (left.low.low ^ right.low.low) | (left.high.high ^ right.high.high)
            | (left.high.low ^ right.high.low) | (left.context ^ right.context) | UInt64(left.ports ^ right.ports) == 0
    }

    /// By interface, VLAN, family and protocol, then addresses, then ports.
    public static func < (left: FlowKey, right: FlowKey) -> Bool {
        if left.context != right.context { return left.context < right.context }
        if left.low != right.low { return left.low < right.low }
        if left.high != right.high { return left.high < right.high }
        return left.ports < right.ports
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(low)
        hasher.combine(high)
        hasher.combine(context)
        hasher.combine(ports)
    }
}

extension Packet {
    /// Whether the sender is the lower end of the flow's key.
    @inline(__always)
    borrowing func isFromLowEnd() -> Bool {
        if source.high != destination.high { return source.high < destination.high }
        if source.low != destination.low { return source.low < destination.low }
        return sourcePort <= destinationPort
    }
}
