/// An IPv6 address, or an IPv4 address in its mapped form `::ffff:a.b.c.d` (RFC 4291 section 2.5.5.2).
///
/// A packet may carry a mapped address in a real IPv6 header, so an address alone does not tell the family: wherever
/// that matters (keys, hashes, text for people) the packet's ``Family`` goes with it.
public struct Address: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// Bytes 0 to 7, the first one most significant.
    public var high: UInt64
    /// Bytes 8 to 15.
    public var low: UInt64

    @inline(__always)
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The mapped form of an IPv4 address, given with its first byte most significant.
    @inline(__always)
    public init(ipv4: UInt32) {
        self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(ipv4))
    }

    /// `::`, also what a packet without addresses holds.
    public static var zero: Address { Address(high: 0, low: 0) }

    /// Whether this is `::ffff:a.b.c.d`.
    public var isMapped: Bool { high == 0 && low >> 32 == 0xFFFF }

    @inline(__always)
    public static func < (left: Address, right: Address) -> Bool {
        left.high == right.high ? left.low < right.low : left.high < right.high
    }
}

extension Address: CustomStringConvertible {
    /// RFC 5952 text; mapped addresses as `::ffff:10.0.0.1`.
    public var description: String {
        if isMapped { return "::ffff:" + dotted }
        let groups = (0..<8).map { index in
            UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64(48 - 16 * (index % 4)))
        }
        let gap = longestZeroRun(of: groups)
        let text = { (part: ArraySlice<UInt16>) in part.map { String($0, radix: 16) }.joined(separator: ":") }
        guard let gap else { return text(groups[...]) }
        return text(groups[..<gap.lowerBound]) + "::" + text(groups[gap.upperBound...])
    }

    /// Text as people of that family write it: `10.0.0.1` for an address from an IPv4 header.
    public func text(as family: Family) -> String {
        family == .ipv6 ? description : isMapped ? dotted : description
    }

    private var dotted: String {
        (0..<4).map { String(UInt8(truncatingIfNeeded: low >> UInt64(24 - 8 * $0))) }.joined(separator: ".")
    }

    /// The first longest run of at least two zero groups (RFC 5952 section 4.2).
    private func longestZeroRun(of groups: [UInt16]) -> Range<Int>? {
        var longest = 0..<0
        var start = 0
        for index in 0...groups.count where index == groups.count || groups[index] != 0 {
            if index - start > longest.count { longest = start..<index }
            start = index + 1
        }
        return longest.count < 2 ? nil : longest
    }
}
