/// What the header and the first question of a DNS message say (RFC 1035 section 4.1).
public struct DNSMessage: Equatable, BitwiseCopyable, Sendable {
    /// Why a message could not be read.
    public enum Failure: Error, Equatable, BitwiseCopyable, Sendable {
        /// Shorter than a header; or the question's type and class are missing.
        case short
        /// The capture ends before the question does.
        case cut(isResponse: Bool)
        /// It has no question, or is another operation than a query.
        case noQuestion
        /// An operation that does not exist (RFC 6895 section 2.2).
        case operation
        case name(DNSName.Failure)

        /// Whether it is no DNS at all, whatever port it came by.
        public var isForeign: Bool {
            switch self {
            case .short, .operation, .name: true
            case .cut, .noQuestion: false
            }
        }
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
        guard bytes.byteCount >= Self.header else { throw .cut(isResponse: false) }
        let flags = bytes.be16(at: 2)
        isResponse = flags & 0x8000 != 0
        responseCode = UInt8(flags & 15)
        let operation = flags >> 11 & 15
        guard operation <= 6, operation != 3 else { throw .operation }
        guard operation == 0, bytes.be16(at: 4) > 0 else { throw .noQuestion }
        do throws(DNSName.Failure) {
            name = try DNSName(bytes, at: Self.header, length: length)
        } catch {
            throw error == .cut ? .cut(isResponse: flags & 0x8000 != 0) : .name(error)
        }
        questionEnd = name.end + 4
        guard questionEnd <= length else { throw .short }
        guard questionEnd <= bytes.byteCount else { throw .cut(isResponse: flags & 0x8000 != 0) }
        type = bytes.be16(at: name.end)
    }

    /// Tells messages apart that could not be read, by what stands behind the header; all bits mixed.
    public static func hash(ofUnread bytes: RawSpan) -> UInt64 {
        bytes.hash(min(header, bytes.byteCount)..<bytes.byteCount)
    }
}
