public import Packets

/// What detectors read of a flow when its record is told: who, how much since the record before, and how it went.
public struct FlowDigest: BitwiseCopyable, Sendable {
    public var initiator: Address
    public var responder: Address
    public var initiatorPort: UInt16
    public var responderPort: UInt16
    public var interface: UInt32
    public var family: Family
    /// The IP protocol number.
    public var protocolNumber: UInt8
    /// ``FlowEnd/interim`` while it goes on.
    public var end: FlowEnd
    /// Whether both ends have sent.
    public var isAnswered: Bool
    /// Whether the first record of the flow.
    public var isFirst: Bool
    /// Nanoseconds: of its first packet and of its latest.
    public var first: Int64
    public var last: Int64
    /// Since the record before: from the initiator, and to it.
    public var forward: Volume
    public var backward: Volume
    /// Since the flow's start.
    public var forwardTotal: Volume
    public var backwardTotal: Volume
    /// Payload bytes since the flow's start.
    public var forwardPayload: UInt64
    public var backwardPayload: UInt64
    /// Times since the flow's start that the initiator spoke after the responder, or first: about one for each request.
    public var requests: UInt32
    /// The same since the record before.
    public var newRequests: UInt32
    /// The initiator's packets since the flow's start that offer no room to send into (TCP, window 0).
    public var zeroWindows: UInt32
    /// The TCP window that the initiator offered last, unscaled.
    public var lastWindow: UInt16
    public var synchronisations: UInt16
    public var finishes: UInt16
    public var resets: UInt16
    /// The TCP window that the initiator offered first, unscaled: in its SYN, as large as what it is ready to take.
    public var firstWindow: UInt16 = 0
    /// Of ``zeroWindows``, those since the record before.
    public var newZeroWindows: UInt32 = 0
    /// Whether the initiator was the last to send payload.
    public var isAsking = false
    /// How far its request has come, where its bytes were read.
    public var request = FlowRequest()

    init(_ record: borrowing FlowRecord) {
        initiator = record.initiator
        responder = record.responder
        initiatorPort = record.initiatorPort
        responderPort = record.responderPort
        interface = record.key.interface
        family = record.key.family
        protocolNumber = record.key.protocolNumber
        end = record.end
        forwardTotal = record.forward
        backwardTotal = record.backward
        forward = record.forwardDelta
        backward = record.backwardDelta
        isAnswered = forwardTotal.packets > 0 && backwardTotal.packets > 0
        isFirst = record.interims == 0
        first = record.features.first
        last = record.features.last
        forwardPayload = record.features.forward.lengths.sum
        backwardPayload = record.features.backward.lengths.sum
        requests = record.talk.requests
        newRequests = record.talk.requests &- record.talk.told
        zeroWindows = record.talk.zeroWindows
        lastWindow = record.features.forward.lastWindow
        synchronisations = UInt16(clamping: record.features.synchronisations)
        finishes = UInt16(clamping: record.features.finishes)
        resets = UInt16(clamping: record.features.resets)
        firstWindow = record.features.forward.firstWindow
        newZeroWindows = record.talk.zeroWindows &- record.talk.toldZeroWindows
        isAsking = record.talk.isInitiatorLast
        request = record.request
    }

    /// Made, not seen: for tests of what reads it. Totals are what was sent since the flow's start; nil: this record is all.
    public init(
        initiator: Address,
        responder: Address,
        initiatorPort: UInt16,
        responderPort: UInt16,
        family: Family = .ipv4,
        protocolNumber: UInt8 = 6,
        end: FlowEnd = .closed,
        isFirst: Bool = true,
        first: Int64,
        last: Int64,
        forward: Volume,
        backward: Volume,
        forwardTotal: Volume? = nil,
        backwardTotal: Volume? = nil,
        forwardPayload: UInt64? = nil,
        backwardPayload: UInt64? = nil,
        requests: UInt32 = 1,
        newRequests: UInt32 = 1,
        zeroWindows: UInt32 = 0,
        lastWindow: UInt16 = 65_535,
        synchronisations: UInt16 = 2,
        finishes: UInt16 = 0,
        resets: UInt16 = 0,
        interface: UInt32 = 0
    ) {
        self.initiator = initiator
        self.responder = responder
        self.initiatorPort = initiatorPort
        self.responderPort = responderPort
        self.interface = interface
        self.family = family
        self.protocolNumber = protocolNumber
        self.end = end
        self.isFirst = isFirst
        self.first = first
        self.last = last
        self.forward = forward
        self.backward = backward
        self.forwardTotal = forwardTotal ?? forward
        self.backwardTotal = backwardTotal ?? backward
        isAnswered = self.forwardTotal.packets > 0 && self.backwardTotal.packets > 0
        self.forwardPayload = forwardPayload ?? self.forwardTotal.bytes
        self.backwardPayload = backwardPayload ?? self.backwardTotal.bytes
        self.requests = requests
        self.newRequests = newRequests
        self.zeroWindows = zeroWindows
        self.lastWindow = lastWindow
        self.synchronisations = synchronisations
        self.finishes = finishes
        self.resets = resets
    }

    /// Of what was sent both ways.
    public var duration: Int64 { last &- first }

    /// The order in which the digests of a window are told.
    static func isTold(_ left: borrowing FlowDigest, before right: borrowing FlowDigest) -> Bool {
        if left.first != right.first { return left.first < right.first }
        if left.initiator != right.initiator { return left.initiator < right.initiator }
        if left.responder != right.responder { return left.responder < right.responder }
        return left.rank < right.rank
    }

    private var rank: UInt64 {
        let ports = UInt64(initiatorPort) << 16 | UInt64(responderPort)
        return ports << 24 | UInt64(protocolNumber) << 16 | UInt64(end.rawValue) << 8 | UInt64(interface & 0xFF)
    }
}

/// How two ends take turns.
struct Talk: BitwiseCopyable, Sendable {
    private(set) var requests: UInt32 = 0
    /// Of these, what the record before this one said.
    private(set) var told: UInt32 = 0
    private(set) var zeroWindows: UInt32 = 0
    private(set) var toldZeroWindows: UInt32 = 0
    private var spokeLast = Speaker.nobody

    private enum Speaker: UInt8 {
        case nobody
        case initiator
        case responder
    }

    var isInitiatorLast: Bool { spokeLast == .initiator }

    /// - Returns: whether the packet begins a request.
    @inline(__always)
    mutating func add(_ packet: borrowing Packet, isForward: Bool) -> Bool {
        var isRequest = false
        if packet.payloadLength > 0 {
            isRequest = isForward && spokeLast != .initiator
            if isRequest { requests &+= 1 }
            spokeLast = isForward ? .initiator : .responder
        }
        // ACK without SYN and RST.
        if isForward, packet.window == 0, packet.flags.rawValue & 0b1_0110 == 0b1_0000 { zeroWindows &+= 1 }
        return isRequest
    }

    mutating func goOn(_ before: Talk) {
        if spokeLast == .nobody { spokeLast = before.spokeLast }
    }

    mutating func tell() {
        told = requests
        toldZeroWindows = zeroWindows
    }
}
