/// A domain name in the bytes of a DNS message: where it stands, and in which domain, without a copy.
public struct DNSName: Equatable, BitwiseCopyable, Sendable {
    /// Offsets in the message: of the first label's length byte, and of the byte behind the root's.
    public let start: Int
    public let end: Int
    /// Offset of the domain that one party registers: the last two labels, or three where the second last is one under which
    /// a country's names are registered (`co.uk`). A guess: the list of all such suffixes is long and changes.
    public let domain: Int
    /// Labels below that domain, and their bytes without dots.
    public let labelsBelow: Int
    public let bytesBelow: Int
    /// Whether a label below it begins with an underscore: a fixed name for a protocol's use (RFC 8552), such as DKIM's.
    public let isUnderscored: Bool

    /// Why a name could not be read.
    public enum Failure: UInt8, Error, BitwiseCopyable, Sendable {
        /// The capture ends before the name does.
        case cut
        /// A label's length is none, the name is too long, or it ends with the message.
        case malformed
        /// A pointer, which may only lead to a name before it (RFC 1035 section 4.1.4): there is none before the first.
        case pointer
    }

    /// Of a name with its length bytes (RFC 1035 section 2.3.4).
    public static let longest = 255

    /// Reads the first name of a message.
    /// - Parameter length: of the message on the wire; `bytes` may have less.
    init(_ bytes: RawSpan, at start: Int, length: Int) throws(Failure) {
        var at = start
        var labels = 0
        // Where the last three labels begin, the latest first.
        var (last, second, third) = (start, start, start)
        while true {
            guard at < bytes.byteCount else { throw at < length ? .cut : .malformed }
            let size = bytes.byte(at: at)
            if size == 0 { break }
            guard size < 0xC0 else { throw .pointer }
            guard size < 64, at + Int(size) + 2 - start <= Self.longest else { throw .malformed }
            (third, second, last) = (second, last, at)
            labels += 1
            at += Int(size) + 1
        }
        self.start = start
        end = at + 1
        let isThree = labels >= 3 && bytes.byte(at: last) == 2 && bytes.isRegistry(at: second)
        domain = isThree ? third : labels >= 2 ? second : start
        labelsBelow = max(0, labels - (isThree ? 3 : 2))
        bytesBelow = domain - start - labelsBelow
        var isUnderscored = false
        at = start
        while at < domain {
            if bytes.byte(at: at + 1) == 0x5F { isUnderscored = true }
            at += Int(bytes.byte(at: at)) + 1
        }
        self.isUnderscored = isUnderscored
    }

    /// Of the labels below the domain, and of the domain: the same for names that differ in case alone (RFC 4343); all bits
    /// mixed. Anyone can choose names of one hash: it tells apart, and keeps nothing secret.
    public func hashBelow(_ bytes: RawSpan) -> UInt64 { bytes.hash(start..<domain) }
    public func hashOfDomain(_ bytes: RawSpan) -> UInt64 { bytes.hash(domain..<end - 1) }

    /// Writes the domain in lower case with dots.
    /// - Parameter put: takes each byte, as it is.
    public func writeDomain(_ bytes: RawSpan, _ put: (UInt8) -> Void) {
        guard end <= bytes.byteCount else { return }
        var at = domain
        while at < end - 1 {
            let size = Int(bytes.byte(at: at))
            if at > domain { put(0x2E) }
            for place in at + 1..<at + 1 + size { put(bytes.byte(at: place).lowercased) }
            at += size + 1
        }
    }
}

extension RawSpan {
    /// Whether the label at this place is one under which countries' registries sell names.
    fileprivate func isRegistry(at start: Int) -> Bool {
        let size = Int(byte(at: start))
        guard size == 2 || size == 3 else { return false }
        var label: UInt32 = 0
        for place in start + 1...start + size { label = label << 8 | UInt32(byte(at: place).lowercased) }
        switch label {
        // ac, co, go, gv, id, ne, or
        case 0x6163, 0x636F, 0x676F, 0x6776, 0x6964, 0x6E65, 0x6F72: return true
        // com, edu, gob, gov, gub, mil, net, nom, org
        case 0x636F6D, 0x656475, 0x676F62, 0x676F76, 0x677562, 0x6D696C, 0x6E6574, 0x6E6F6D, 0x6F7267: return true
        default: return false
        }
    }

    /// FNV-1a, then mixed (the finalizer of SplitMix64).
    func hash(_ range: Range<Int>) -> UInt64 {
        guard range.upperBound <= byteCount else { return 0 }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for place in range { hash = (hash ^ UInt64(byte(at: place).lowercased)) &* 0x100_0000_01B3 }
        hash = (hash ^ hash >> 30) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ hash >> 27) &* 0x94D0_49BB_1331_11EB
        return hash ^ hash >> 31
    }
}
