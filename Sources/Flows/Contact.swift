public import Packets

/// One step by which two hosts come to speak with each other, in one flow.
public struct Contact: BitwiseCopyable, Sendable {
    public enum Step: UInt8, BitwiseCopyable, Sendable {
        /// The flow's first packet.
        case opened
        /// The responder's first packet.
        case answered
        /// An ICMP error quotes the initiator's packet, and the responder has said nothing yet.
        case unreachable
        /// The initiator's first packet after the responder's first.
        case wentOn
    }

    /// Nanoseconds, the packet's own.
    public var time: Int64
    public var initiator: Address
    public var responder: Address
    public var initiatorPort: UInt16
    public var responderPort: UInt16
    public var interface: UInt32
    /// Payload of the packet of this step, in bytes, at most 65,535.
    public var payload: UInt16
    public var family: Family
    /// The IP protocol number.
    public var protocolNumber: UInt8
    /// Of the packet of this step; of ``Step/unreachable`` none.
    public var flags: TCPFlags
    public var step: Step
    /// Of the flow's first packet, where that is ICMP or ICMPv6.
    public var icmpType: UInt8
    /// Bytes of the TCP, UDP or ICMP header of the packet of this step with its options; of ``Step/unreachable`` 0.
    public var headerLength: UInt8

    public init(
        _ step: Step,
        time: Int64,
        initiator: Address,
        responder: Address,
        initiatorPort: UInt16,
        responderPort: UInt16,
        family: Family,
        protocolNumber: UInt8,
        flags: TCPFlags = [],
        payload: UInt16 = 0,
        interface: UInt32 = 0,
        icmpType: UInt8 = 0,
        headerLength: UInt8 = 0
    ) {
        self.step = step
        self.time = time
        self.initiator = initiator
        self.responder = responder
        self.initiatorPort = initiatorPort
        self.responderPort = responderPort
        self.family = family
        self.protocolNumber = protocolNumber
        self.flags = flags
        self.payload = payload
        self.interface = interface
        self.icmpType = icmpType
        self.headerLength = headerLength
    }
}

extension Contact {
    /// The order in which the contacts of a window are told.
    static func isTold(_ left: borrowing Contact, before right: borrowing Contact) -> Bool {
        if left.time != right.time { return left.time < right.time }
        if left.initiator != right.initiator { return left.initiator < right.initiator }
        if left.responder != right.responder { return left.responder < right.responder }
        let (low, high) = (left.rank, right.rank)
        return low < high
    }

    private var rank: UInt64 {
        let ports = UInt64(initiatorPort) << 16 | UInt64(responderPort)
        return ports << 24 | UInt64(protocolNumber) << 16 | UInt64(step.rawValue) << 8 | UInt64(interface & 0xFF)
    }
}
