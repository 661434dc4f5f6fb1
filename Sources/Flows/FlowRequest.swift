import Packets
import Protocols

/// How far the request has come that a TCP flow's initiator makes, read from its payload as it passes by.
public struct FlowRequest: Equatable, BitwiseCopyable, Sendable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        /// It has sent nothing, or its bytes are not read.
        case unknown
        /// HTTP/1 in clear text.
        case http
        /// TLS that offers HTTP (ALPN), and other TLS.
        case tlsForHTTP
        case tls
        case other
    }

    /// Nanoseconds: of the packet with the request's first byte.
    public private(set) var began: Int64 = 0
    private var http = HTTPRequest()
    public private(set) var kind = Kind.unknown
    /// Whether more bytes tell more.
    private var awaits = true
    /// Sequence number of the next byte.
    private var next: UInt32 = 0

    /// Bytes further on than this are another connection's, or nobody's.
    private static let farthest: Int32 = 1 << 20

    init() {}

    /// Whether a head has begun that has not ended.
    public var isHeadOpen: Bool { kind == .http && http.isHeadOpen }
    /// Whether a head has ended, and not the body that it announces.
    public var isBodyOpen: Bool { kind == .http && http.phase == .body }
    /// Whether bytes of the request are missing, so that nothing more is known of it.
    public var isLost: Bool { kind == .http && http.phase == .lost }
    /// Whether only the body itself tells where it ends.
    public var isChunked: Bool { http.isChunked }
    /// Of the latest head, and of its body; at most 65,535 and 2^32 - 1.
    public var headBytes: UInt16 { http.headBytes }
    public var bodyBytes: UInt32 { http.bodyReceived }
    /// Bytes of the body that the head announces; nil: it announces none.
    public var bodyAnnounced: UInt64? { http.bodyAnnounced }

    /// - Parameter isTurn: whether the initiator speaks for the first time, or after the responder.
    @inline(__always)
    func use(of packet: borrowing Packet, isForward: Bool, isTurn: Bool) -> PayloadUse {
        guard packet.payloadLength > 0, packet.fragment != .later else { return .none }
        let (isTCP, isUDP) = (packet.transport == .tcp, packet.transport == .udp)
        let (source, destination) = (packet.sourcePort, packet.destinationPort)
        if isTCP || isUDP, source == 53 || destination == 53 { return .names }
        guard isTCP, isForward, awaits || isTurn else { return .none }
        return isTurn ? .nextRequest : .request
    }

    /// Reads what the initiator has sent.
    /// - Parameters:
    ///   - payload: as far as it was captured.
    ///   - isTurn: as for ``use(of:isForward:isTurn:)``.
    ///   - isWhole: whether the flow's SYN was seen.
    mutating func read(_ payload: RawSpan, of packet: borrowing Packet, at time: Int64, isTurn: Bool, isWhole: Bool) {
        if !awaits {
            // What is not known from its start on may yet begin a request that is.
            guard isTurn, kind == .http || !isWhole else { return }
            self = FlowRequest()
        }
        let sequence = packet.sequence &+ (packet.flags.contains(.syn) ? 1 : 0)
        if kind == .unknown { next = sequence }
        let ahead = Int32(bitPattern: sequence &- next)
        guard ahead <= Self.farthest else { return }
        let length = Int(packet.payloadLength)
        // What was sent again was read before.
        let skipped = ahead < 0 ? Int(-Int64(ahead)) : 0
        guard skipped < length else { return }
        next = sequence &+ packet.payloadLength
        if kind == .unknown { tell(payload) }
        guard kind == .http else { return awaits = false }
        if ahead > 0 { http.read(payload.extracting(0..<0), length: Int(ahead)) }
        let piece = payload.extracting(min(skipped, payload.byteCount)..<payload.byteCount)
        let (phase, ordinal) = (http.phase, http.ordinal)
        if isTurn, http.isChunked, phase == .body, begins(with: piece, length: length - skipped) {
            began = time
        } else {
            http.read(piece, length: length - skipped)
            if phase == .start || ordinal != http.ordinal { began = time }
        }
        if http.phase == .foreign { kind = .other }
        awaits = http.phase != .foreign && http.phase != .lost
    }

    private mutating func tell(_ payload: RawSpan) {
        if let hello = ClientHello(payload) {
            kind = hello.offersHTTP ? .tlsForHTTP : .tls
        } else {
            kind = .http
        }
    }

    /// After a body in chunks, of which nobody knows the end, a request is told by its first line.
    private mutating func begins(with piece: RawSpan, length: Int) -> Bool {
        var next = HTTPRequest()
        next.read(piece, length: length)
        guard next.phase != .foreign else { return false }
        http = next
        return true
    }
}

/// What a packet's payload is wanted for.
enum PayloadUse: UInt8, BitwiseCopyable {
    case none
    /// The request that its sender is making, and that which it begins.
    case request
    case nextRequest
    /// The names that are asked for.
    case names
}

extension FlowTable {
    /// Reads the payload of the packet that was counted last.
    mutating func read(_ payload: RawSpan, of packet: inout Packet) {
        guard latest != 0 else { return }
        if wanted == .names {
            return watch.countName(payload, &packet, weight: weight(of: &packet, latest))
        }
        let entry = unsafe entry(latest)
        guard unsafe entry.pointee.record.end == .interim else { return }
        let features = unsafe entry.pointee.record.features
        unsafe entry.pointee.record.request.read(
            payload,
            of: packet,
            at: features.last,
            isTurn: wanted == .nextRequest,
            isWhole: features.synchronisations > 0
        )
    }
}
