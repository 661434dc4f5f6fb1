/// How far an HTTP/1 request has come (RFC 9112), read from its bytes as they pass by, in whatever pieces.
///
/// No byte is kept: a head that comes one byte at a time is read as well as one that comes at once. After a request that is
/// complete the next byte begins the next one. Takes time in proportion to a head's bytes, and constant time for a body's.
public struct HTTPRequest: Equatable, BitwiseCopyable, Sendable {
    public enum Method: UInt8, BitwiseCopyable, Sendable {
        case get
        case head
        case post
        case put
        case delete
        case connect
        case options
        case trace
        case patch
        /// Any other name in capital letters.
        case other
    }

    public enum Phase: UInt8, BitwiseCopyable, Sendable {
        /// No byte yet.
        case start
        case method
        /// Method and blank are there, the target is not.
        case target
        /// The head goes on.
        case head
        /// The head has ended; the body that it announces has not.
        case body
        case complete
        /// It is no HTTP/1.
        case foreign
        /// Bytes are missing, or the head is longer than ``longestHead``: nothing more is known.
        case lost
    }

    private enum Line: UInt8, BitwiseCopyable {
        case start
        /// What comes before its end matters to nobody.
        case rest
        /// A carriage return, and nothing before it.
        case blank
        case contentLength
        case transferEncoding
        /// Of Content-Length.
        case value
    }

    /// Bytes; servers allow 8 KiB (Apache, nginx) to 64 KiB (IIS).
    public static let longestHead: UInt16 = .max
    private static let contentLength = Name("content-length:")
    private static let transferEncoding = Name("transfer-encoding:")

    /// While the method is read, its letters; in the head, the Content-Length; afterwards the body's bytes.
    private var number: UInt64 = 0
    /// Of the body; at most what 32 bits hold.
    public private(set) var bodyReceived: UInt32 = 0
    /// Of the head, its line ends included.
    public private(set) var headBytes: UInt16 = 0
    public private(set) var phase = Phase.start
    public private(set) var method = Method.other
    /// Of the requests of this connection; runs over.
    public private(set) var ordinal: UInt8 = 0
    private var line = Line.start
    /// Letters of the method, or of a field's name, so far.
    private var progress: UInt8 = 0
    private var hasLength = false
    /// Whether the head has Transfer-Encoding: only the body itself tells where it ends.
    public private(set) var isChunked = false

    public init() {}

    /// Whether a head has begun and not ended.
    public var isHeadOpen: Bool { phase == .method || phase == .target || phase == .head }

    /// Bytes that the head announces, where it does so.
    public var bodyAnnounced: UInt64? {
        (phase == .body || phase == .complete) && hasLength && !isChunked ? number : nil
    }

    /// Reads the next bytes.
    /// - Parameters:
    ///   - bytes: as far as they were captured.
    ///   - length: how many there were on the wire.
    public mutating func read(_ bytes: RawSpan, length: Int) {
        var at = 0
        while at < bytes.byteCount {
            switch phase {
            case .complete:
                let next = ordinal &+ 1
                self = HTTPRequest()
                ordinal = next
            case .start, .method, .target:
                readStart(bytes.byte(at: at))
                at += 1
            case .head: at = readHead(bytes, at)
            case .body: at = skip(at, length)
            case .foreign, .lost: return
            }
        }
        guard at < length else { return }
        if phase == .body { at = skip(at, length) }
        if at < length { phase = .lost }
    }

    /// Bytes went by that nobody saw.
    public mutating func lose() { phase = .lost }

    private mutating func readStart(_ byte: UInt8) {
        switch phase {
        case .start:
            // An empty line before a request is to be ignored (RFC 9112 section 2.2).
            if byte == 0x0D || byte == 0x0A { return }
            guard byte >= 0x41 && byte <= 0x5A else { return phase = .foreign }
            (phase, number, progress) = (.method, UInt64(byte), 1)
        case .method:
            if byte == 0x20 { return endMethod() }
            let isName = byte >= 0x41 && byte <= 0x5A || byte == 0x2D
            guard isName, progress < 16 else { return phase = .foreign }
            number = number << 8 | UInt64(byte)
            progress += 1
        default:
            // A path, `*`, or `http`; of CONNECT whatever host.
            let isTarget = byte == 0x2F || byte == 0x2A || byte.lowercased == 0x68 || method == .connect
            guard isTarget else { return phase = .foreign }
            (phase, line) = (.head, .rest)
        }
        headBytes += 1
    }

    private mutating func endMethod() {
        // Shorter ones are no method, and PRI begins HTTP/2 (RFC 9113 section 3.4).
        guard progress >= 3, number != 0x505249 else { return phase = .foreign }
        method =
            switch progress <= 8 ? number : 0 {
            case 0x474554: .get
            case 0x4845_4144: .head
            case 0x504F_5354: .post
            case 0x505554: .put
            case 0x4445_4C45_5445: .delete
            case 0x43_4F4E_4E45_4354: .connect
            case 0x4F_5054_494F_4E53: .options
            case 0x54_5241_4345: .trace
            case 0x50_4154_4348: .patch
            default: .other
            }
        (phase, number) = (.target, 0)
        headBytes += 1
    }

    /// - Returns: where it read to.
    private mutating func readHead(_ bytes: RawSpan, _ start: Int) -> Int {
        var at = start
        while at < bytes.byteCount, phase == .head {
            if line == .rest {
                at = bytes.first(0x0A, from: at)
                if at < bytes.byteCount {
                    line = .start
                    at += 1
                }
            } else if readLine(bytes.byte(at: at)) {
                at += 1
            }
        }
        let length = Int(headBytes) + at - start
        headBytes = UInt16(clamping: length)
        if length > Int(Self.longestHead) { phase = .lost }
        return at
    }

    /// - Returns: whether the byte was taken.
    private mutating func readLine(_ byte: UInt8) -> Bool {
        switch line {
        case .start:
            switch byte {
            case 0x0A: endHead()
            case 0x0D: line = .blank
            case 0x43, 0x63: (line, progress) = (.contentLength, 1)
            case 0x54, 0x74: (line, progress) = (.transferEncoding, 1)
            default: line = .rest
            }
            return true
        case .blank where byte == 0x0A:
            endHead()
            return true
        case .contentLength where byte.lowercased == Self.contentLength[progress]:
            progress += 1
            if progress == Self.contentLength.count { (line, number, hasLength) = (.value, 0, true) }
            return true
        case .transferEncoding where byte.lowercased == Self.transferEncoding[progress]:
            progress += 1
            if progress == Self.transferEncoding.count { (line, isChunked) = (.rest, true) }
            return true
        case .value where byte == 0x20 || byte == 0x09: return true
        case .value where byte >= 0x30 && byte <= 0x39:
            // A length of 20 digits or more stays what it is: more than anyone sends.
            if number < 1 << 59 { number = number * 10 + UInt64(byte - 0x30) }
            return true
        default:
            line = .rest
            return false
        }
    }

    private mutating func endHead() {
        phase = isChunked || number > 0 ? .body : .complete
    }

    /// - Returns: where the body's bytes end, as far as there are any.
    private mutating func skip(_ at: Int, _ length: Int) -> Int {
        let here = UInt64(length - at)
        let left = isChunked ? .max : number - UInt64(bodyReceived)
        let taken = min(here, left)
        bodyReceived = UInt32(clamping: UInt64(bodyReceived) + taken)
        if taken == left { phase = .complete }
        return at + Int(taken)
    }

    /// A field's name with its colon, in lower case.
    private struct Name {
        private var bytes = [24 of UInt8](repeating: 0)
        private(set) var count: UInt8 = 0

        init(_ text: StaticString) {
            for place in 0..<text.utf8CodeUnitCount { append(unsafe text.utf8Start[place]) }
        }

        private mutating func append(_ byte: UInt8) {
            bytes[Int(count)] = byte
            count += 1
        }

        subscript(place: UInt8) -> UInt8 { bytes[Int(place)] }
    }
}
