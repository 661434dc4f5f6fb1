/// What the header and the first question of a DNS message say (RFC 1035 section 4.1).
public struct DNSMessage: Equatable, BitwiseCopyable, Sendable {
    /// Why a message could not be read.
    public enum Failure: Error, Equatable, BitwiseCopyable, Sendable {
        /// Shorter than a header; or the question's type and class are missing.
        case short
        /// The capture ends before the question does. What was seen of it gave this hash.
        case cut(isResponse: Bool, hash: UInt64)
        /// It has no question, or is another operation than a query.
        case noQuestion
        case name(DNSName.Failure)
    }

    /// Types of records that a message may ask for (IANA, "Resource Record (RR) TYPEs").
    public enum RecordType {
        public static let cname: UInt16 = 5
        public static let null: UInt16 = 10
        public static let mailExchange: UInt16 = 15
        public static let text: UInt16 = 16
        public static let key: UInt16 = 25
        public static let service: UInt16 = 33
        public static let spf: UInt16 = 99
        public static let privateUse: ClosedRange<UInt16> = 65_280...65_534
    }

    public let isResponse: Bool
    /// 0: no error; 3: there is no such name.
    public let responseCode: UInt8
    /// Of the first question.
    public let name: DNSName
    public let type: UInt16
    /// Offset of the byte behind the first question: what follows are other questions and records.
    public let questionEnd: Int

    private static let header = 12

    /// - Parameters:
    ///   - bytes: the message, as far as it was captured.
    ///   - length: of the message on the wire.
    public init(_ bytes: RawSpan, length: Int) throws(Failure) {
        guard length >= Self.header else { throw .short }
        guard bytes.byteCount >= Self.header else { throw .cut(isResponse: false, hash: 0) }
        let flags = bytes.be16(at: 2)
        isResponse = flags & 0x8000 != 0
        responseCode = UInt8(flags & 15)
        guard flags & 0x7800 == 0, bytes.be16(at: 4) > 0 else { throw .noQuestion }
        do throws(DNSName.Failure) {
            name = try DNSName(bytes, at: Self.header, length: length)
        } catch {
            throw error == .cut ? Self.cut(bytes, flags) : .name(error)
        }
        questionEnd = name.end + 4
        guard questionEnd <= length else { throw .short }
        guard questionEnd <= bytes.byteCount else { throw Self.cut(bytes, flags) }
        type = bytes.be16(at: name.end)
    }

    private static func cut(_ bytes: RawSpan, _ flags: UInt16) -> Failure {
        .cut(isResponse: flags & 0x8000 != 0, hash: bytes.hash(header..<bytes.byteCount))
    }
}
