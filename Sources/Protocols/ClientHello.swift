/// What the first message of a TLS connection says (RFC 8446 section 4.1.2), as far as it is in the bytes at hand.
public struct ClientHello: Equatable, Sendable {
    /// Offsets of the host that is asked for (RFC 6066 section 3); nil: it asks for none, or that is not in the bytes.
    public let serverName: Range<Int>?
    /// Whether it offers HTTP (RFC 7301: `http/1.1`, `h2`).
    public let offersHTTP: Bool
    /// Whether all of it was there to be read.
    public let isWhole: Bool

    /// - Parameter bytes: of the connection from its first on.
    /// - Returns: nil: it is none.
    public init?(_ bytes: RawSpan) {
        // Record: handshake, version 3.x, length; message: client hello, length; then version and random.
        guard bytes.byteCount >= 43, bytes.byte(at: 0) == 22, bytes.byte(at: 1) == 3, bytes.byte(at: 5) == 1,
            bytes.byte(at: 9) == 3
        else { return nil }
        let end = 9 + Int(bytes.byte(at: 6)) << 16 + Int(bytes.be16(at: 7))
        var reader = Reader(at: 43, end: min(end, bytes.byteCount))
        var (serverName, offersHTTP): (Range<Int>?, Bool) = (nil, false)
        // Session, cipher suites, compression methods.
        let session = reader.takeList(bytes, lengthBytes: 1)
        let suites = reader.takeList(bytes, lengthBytes: 2)
        let methods = reader.takeList(bytes, lengthBytes: 1)
        var isWhole = session != nil && suites != nil && methods != nil
        if isWhole, reader.left >= 2 {
            reader.at += 2
            while reader.left >= 4 {
                let type = bytes.be16(at: reader.at)
                reader.at += 2
                guard let body = reader.takeList(bytes, lengthBytes: 2) else {
                    isWhole = false
                    break
                }
                if type == 0 { serverName = Self.name(bytes, body) }
                if type == 16 { offersHTTP = Self.offersHTTP(bytes, body) }
            }
        }
        self.serverName = serverName
        self.offersHTTP = offersHTTP
        self.isWhole = isWhole && reader.left == 0 && end <= bytes.byteCount
    }

    /// The first name of a list, if it is a host's.
    private static func name(_ bytes: RawSpan, _ body: Range<Int>) -> Range<Int>? {
        var reader = Reader(at: body.lowerBound + 3, end: body.upperBound)
        guard body.count >= 5, bytes.byte(at: body.lowerBound + 2) == 0 else { return nil }
        return reader.takeList(bytes, lengthBytes: 2)
    }

    private static func offersHTTP(_ bytes: RawSpan, _ body: Range<Int>) -> Bool {
        var reader = Reader(at: body.lowerBound + 2, end: body.upperBound)
        while let name = reader.takeList(bytes, lengthBytes: 1) {
            // `h2`; `http/1.1`, its first byte lowest.
            if name.count == 2, bytes.be16(at: name.lowerBound) == 0x6832 { return true }
            if name.count == 8, bytes.le64(at: name.lowerBound) == 0x312E_312F_7074_7468 { return true }
        }
        return false
    }

    private struct Reader {
        var at: Int
        let end: Int
        var left: Int { end - at }

        /// What stands behind its own length, of one byte or two.
        mutating func takeList(_ bytes: RawSpan, lengthBytes: Int) -> Range<Int>? {
            guard left >= lengthBytes else { return nil }
            let size = lengthBytes == 1 ? Int(bytes.byte(at: at)) : Int(bytes.be16(at: at))
            guard left >= lengthBytes + size else { return nil }
            let start = at + lengthBytes
            at = start + size
            return start..<at
        }
    }
}
