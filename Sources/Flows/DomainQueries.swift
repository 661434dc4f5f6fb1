public import Packets

/// What one client asked about the names below one domain in a window, and what it was told.
///
/// Counts stand for the packets that were not read, too, where the sensor samples.
public struct DomainQueries: BitwiseCopyable, Sendable {
    /// Bytes of a domain's name that are kept: its last ones.
    public static let nameCapacity = 64

    public var client: Address
    public var family: Family
    /// Tells domains apart: an odd number; or ``cut``, or ``foreign``.
    public var hash: UInt64
    /// Of names of which the capture shows too little to know the domain.
    public static let cut: UInt64 = 0
    /// Of UDP messages to a name server's port that are no DNS, and of what comes back: their payload counts as names and
    /// answers.
    public static let foreign: UInt64 = 2
    private var text = [64 of UInt8](repeating: 0)
    private var textCount: UInt8 = 0
    /// Questions for names below the domain.
    public var queries = 0.0
    /// Bytes of these names below the domain, without dots.
    public var nameBytes = 0.0
    /// About how many names, whatever the case of their letters.
    public var names = DistinctSketch()
    /// Answers to such questions, and the bytes of records in them.
    public var answers = 0.0
    public var answerBytes = 0.0
    /// Of the questions, those for record types that hold what their owner likes (``DNSMessage/RecordType``: CNAME, NULL, MX,
    /// TXT, KEY, SRV, SPF, private use), and the bytes of records in the answers. Names for a protocol's use (RFC 8552: DKIM,
    /// DMARC, SRV of services) are not among them.
    public var carriers = 0.0
    public var carrierBytes = 0.0
    /// Answers that say there is no such name.
    public var failures = 0.0

    public init(client: Address, _ family: Family, domain: String, hash: UInt64) {
        self.init(client: client, family, hash: hash)
        write(domain.utf8.count, domain.utf8)
    }

    init(client: Address, _ family: Family, hash: UInt64) {
        self.client = client
        self.family = family
        self.hash = hash
    }

    /// The domain in lower case; bytes that no host's name has as in `\000` (RFC 1035 section 5.1). Empty: not known.
    public var domain: String {
        var domain = ""
        for place in 0..<Int(textCount) {
            let byte = text[place]
            switch byte {
            case 0x2D, 0x2E, 0x30...0x39, 0x5F, 0x61...0x7A: domain.unicodeScalars.append(Unicode.Scalar(byte))
            default: domain += "\\" + String(repeating: "0", count: byte < 10 ? 2 : byte < 100 ? 1 : 0) + "\(byte)"
            }
        }
        return domain
    }

    /// Whether the domain is this one or stands below it; only what is kept of it is looked at.
    /// - Parameter other: in lower case.
    public func isWithin(_ other: String) -> Bool {
        let (own, whole) = (Int(textCount), other.utf8.count)
        guard whole <= own, whole > 0 else { return false }
        var place = own - whole
        if place > 0, text[place - 1] != 0x2E { return false }
        for byte in other.utf8 {
            if text[place] != byte { return false }
            place += 1
        }
        return true
    }

    /// - Parameter count: bytes of the whole name.
    private mutating func write(_ count: Int, _ bytes: some Sequence<UInt8>) {
        var place = Self.nameCapacity - max(count, Self.nameCapacity)
        for byte in bytes { put(byte, at: &place, of: count) }
    }

    @inline(__always)
    mutating func put(_ byte: UInt8, at place: inout Int, of count: Int) {
        if place >= 0, place < Self.nameCapacity {
            text[place] = byte
            textCount = UInt8(place + 1)
        }
        place += 1
    }
}

extension DomainQueries {
    static func += (left: inout DomainQueries, right: DomainQueries) {
        left.queries += right.queries
        left.nameBytes += right.nameBytes
        left.names.merge(right.names)
        left.answers += right.answers
        left.answerBytes += right.answerBytes
        left.carriers += right.carriers
        left.carrierBytes += right.carrierBytes
        left.failures += right.failures
    }

    private func isSame(_ other: DomainQueries) -> Bool {
        hash == other.hash && client == other.client && family == other.family
    }

    private static func isBefore(_ left: DomainQueries, _ right: DomainQueries) -> Bool {
        if left.client != right.client { return left.client < right.client }
        if left.family != right.family { return left.family.rawValue < right.family.rawValue }
        return left.hash < right.hash
    }

    /// Puts rows in their order, each client and domain once.
    static func settle(_ rows: inout [DomainQueries]) {
        rows.sort(by: isBefore)
        var kept = 0
        for place in rows.indices {
            if kept > 0, rows[kept - 1].isSame(rows[place]) {
                rows[kept - 1] += rows[place]
            } else {
                rows[kept] = rows[place]
                kept += 1
            }
        }
        rows.removeSubrange(kept...)
    }
}
