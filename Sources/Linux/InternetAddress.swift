import Glibc

/// An IPv4 or IPv6 address as the kernel's tables tell it.
public struct InternetAddress: Equatable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public enum Family: UInt8, Sendable {
        case v4 = 4
        case v6 = 6
    }

    public let family: Family
    /// The first 8 bytes of an IPv6 address as a big-endian number; 0 for IPv4.
    public let high: UInt64
    /// The last 8 bytes of an IPv6 address, or the 4 of an IPv4 one, as a big-endian number.
    public let low: UInt64

    /// An IPv4 address; 0x7f000001 is 127.0.0.1.
    public init(v4 value: UInt32) {
        (family, high, low) = (.v4, 0, UInt64(value))
    }

    /// An IPv6 address from its two halves.
    public init(v6High high: UInt64, low: UInt64) {
        (family, self.high, self.low) = (.v6, high, low)
    }

    /// An address of the family from bytes in network order; nil when there are too few.
    init?(_ family: Family, _ bytes: RawSpan, at offset: Int = 0) {
        switch family {
        case .v4:
            guard let value = bytes.load(at: offset, as: UInt32.self) else { return nil }
            self.init(v4: UInt32(bigEndian: value))
        case .v6:
            guard let high = bytes.load(at: offset, as: UInt64.self),
                let low = bytes.load(at: offset + 8, as: UInt64.self)
            else { return nil }
            self.init(v6High: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
        }
    }

    /// Reads `192.0.2.1` or `2001:db8::1`; nil for anything else.
    public init?(_ text: String) {
        var v4 = in_addr()
        if unsafe inet_pton(AF_INET, text, &v4) == 1 {
            self.init(v4: UInt32(bigEndian: v4.s_addr))
            return
        }
        var v6: (UInt64, UInt64) = (0, 0)
        guard unsafe inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        self.init(v6High: UInt64(bigEndian: v6.0), low: UInt64(bigEndian: v6.1))
    }

    /// `0.0.0.0` or `::`: every address of the host.
    public var isUnspecified: Bool { high == 0 && low == 0 }

    /// An IPv4 address inside an IPv6 one (RFC 4291 section 2.5.5.2) as that IPv4 address; others unchanged.
    public var unmapped: InternetAddress {
        guard family == .v6, high == 0, low >> 32 == 0xffff else { return self }
        return InternetAddress(v4: UInt32(truncatingIfNeeded: low))
    }

    /// 127.0.0.0/8 or ::1.
    public var isLoopback: Bool {
        let address = unmapped
        return address.family == .v4 ? address.low >> 24 == 127 : address.high == 0 && address.low == 1
    }

    /// Not routed on the internet: RFC 1918, RFC 6598 (100.64.0.0/10), link-local (RFC 3927, fe80::/10) and unique
    /// local (RFC 4193) addresses.
    public var isPrivate: Bool {
        let address = unmapped
        if address.family == .v6 {
            return address.high >> 57 == 0xfc >> 1 || address.high >> 54 == 0xfe80 >> 6
        }
        let value = address.low
        return value >> 24 == 10 || value >> 20 == 0xac1 || value >> 16 == 0xc0a8 || value >> 22 == 0x6440 >> 6
            || value >> 16 == 0xa9fe
    }

    /// A group rather than a host: 224.0.0.0/4 or ff00::/8.
    public var isMulticast: Bool {
        let address = unmapped
        return address.family == .v4 ? address.low >> 28 == 0xe : address.high >> 56 == 0xff
    }

    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        switch family {
        case .v4:
            var bytes = UInt32(truncatingIfNeeded: low).bigEndian
            _ = unsafe inet_ntop(AF_INET, &bytes, &text, socklen_t(text.count))
        case .v6:
            var bytes = (high.bigEndian, low.bigEndian)
            _ = unsafe inet_ntop(AF_INET6, &bytes, &text, socklen_t(text.count))
        }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// IPv4 first, then by number.
    public static func < (left: Self, right: Self) -> Bool {
        (left.family.rawValue, left.high, left.low) < (right.family.rawValue, right.high, right.low)
    }
}
