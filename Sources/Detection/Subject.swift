public import Packets

/// Whom an incident is about: a host, a service of it, or a prefix.
public struct Subject: Hashable, Sendable {
    public var address: Address
    /// Leading bits of the address that count, as its family writes them: 0 ... 32 or 0 ... 128. All bits: one host.
    public var prefixLength: UInt8
    /// Of the service; 0: all of the host.
    public var port: UInt16
    public var family: Family

    public init(_ address: Address, _ family: Family, port: UInt16 = 0) {
        self.address = address
        self.family = family
        self.port = port
        prefixLength = family == .ipv4 ? 32 : 128
    }

    /// - Parameter bits: as the family writes them.
    public init(prefixOf address: Address, _ family: Family, bits: UInt8) {
        self.init(address.prefix(bits, family), family)
        prefixLength = bits
    }

    /// In three words instead of five.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(address.high)
        hasher.combine(address.low)
        hasher.combine(rest)
    }

    /// Everyone: what stands for many subjects that have no place of their own.
    public static func all(_ family: Family) -> Subject {
        Subject(prefixOf: family == .ipv4 ? Address(ipv4: 0) : .zero, family, bits: 0)
    }

    /// All of the service's host.
    public var host: Subject { Subject(address, family) }

    public var isHost: Bool { prefixLength == (family == .ipv4 ? 32 : 128) }
}

extension Subject: Comparable {
    public static func < (left: Subject, right: Subject) -> Bool {
        if left.address != right.address { return left.address < right.address }
        let (low, high) = (left.rest, right.rest)
        return low < high
    }

    fileprivate var rest: UInt64 { UInt64(family.rawValue) << 32 | UInt64(prefixLength) << 16 | UInt64(port) }
}

extension Subject: CustomStringConvertible {
    /// `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80`, `192.0.2.0/24`.
    public var description: String {
        let text = address.text(as: family)
        if !isHost { return "\(text)/\(prefixLength)" }
        return port == 0 ? text : family == .ipv6 ? "[\(text)]:\(port)" : "\(text):\(port)"
    }
}

extension Address {
    /// The address with all bits cleared that follow the first ones.
    /// - Parameter bits: as the family writes them: 0 ... 32 or 0 ... 128.
    public func prefix(_ bits: UInt8, _ family: Family) -> Address {
        let kept = family == .ipv4 ? 96 + UInt64(min(bits, 32)) : UInt64(min(bits, 128))
        let high = kept >= 64 ? high : kept == 0 ? 0 : self.high & (UInt64.max << (64 - kept))
        let low = kept <= 64 ? 0 : kept >= 128 ? low : self.low & (UInt64.max << (128 - kept))
        return Address(high: high, low: low)
    }

    /// All bits mixed, for sketches.
    var mixed: UInt64 { (high &* 0x9E37_79B9_7F4A_7C15 ^ low).mixed }
}

/// Addresses that are alike in their leading bits.
public struct Prefix: Hashable, Sendable {
    public var address: Address
    public var bits: UInt8
    public var family: Family

    public init(_ address: Address, _ family: Family, bits: UInt8) {
        self.address = address.prefix(bits, family)
        self.bits = bits
        self.family = family
    }

    public func contains(_ other: Address, _ family: Family) -> Bool {
        self.family == family && other.prefix(bits, family) == address
    }
}

extension UInt64 {
    /// Every bit of it in every bit of the result (the finalizer of SplitMix64: Steele, Lea, Flood 2014).
    var mixed: UInt64 {
        var mixed = self &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
