import Detection
import Linux
import Packets

extension Prefix {
    /// Reads `192.0.2.0/24`, `2001:db8::/32`, or one address.
    init(text: some StringProtocol) throws(PrefixError) {
        let shown = String(harmless: text.utf8, limit: 64)
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = InternetAddress(String(first)) else { throw .noAddress(shown) }
        let most: UInt8 = address.family == .v4 ? 32 : 128
        var bits = most
        if parts.count == 2 {
            guard let length = UInt8(digits: parts[1]), length <= most else { throw .noLength(shown, most: most) }
            bits = length
        }
        self.init(address, bits: bits)
        let whole = Prefix(address)
        if self.address != whole.address { throw .longer(shown, than: self.text) }
    }

    /// Of an address of the kernel's tables; without a length the address alone.
    init(_ address: InternetAddress, bits: UInt8? = nil) {
        switch address.family {
        case .v4: self.init(Address(ipv4: UInt32(truncatingIfNeeded: address.low)), .ipv4, bits: bits ?? 32)
        case .v6: self.init(Address(high: address.high, low: address.low), .ipv6, bits: bits ?? 128)
        }
    }

    /// As it is read.
    var text: String {
        let address = address.text(as: family)
        return bits == (family == .ipv4 ? 32 : 128) ? address : "\(address)/\(bits)"
    }
}

extension AllowRule {
    /// Reads a prefix, and behind a blank a port or a range of ports: `192.0.2.0/24`, `192.0.2.7 22`, `::/0 8000-8010`.
    init(text: some StringProtocol) throws(PrefixError) {
        let words = text.split(whereSeparator: \.isWhitespace)
        let shown = String(harmless: text.utf8, limit: 64)
        guard let first = words.first else { throw .noAddress(shown) }
        let prefix = try Prefix(text: first)
        guard words.count > 1 else {
            self.init(prefix)
            return
        }
        let bounds = words[1].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard words.count == 2, let lower = UInt16(digits: bounds[0]),
            let upper = UInt16(digits: bounds[bounds.count - 1]),
            lower > 0, lower <= upper
        else { throw .noPorts(shown) }
        self.init(prefix, ports: lower...upper)
    }

    /// As it is read.
    var text: String {
        guard let ports else { return prefix.text }
        let range = ports.count == 1 ? "\(ports.lowerBound)" : "\(ports.lowerBound)-\(ports.upperBound)"
        return "\(prefix.text) \(range)"
    }
}

extension FixedWidthInteger {
    /// Of digits alone, without a sign.
    fileprivate init?(digits text: some StringProtocol) {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Self(text) else { return nil }
        self = value
    }
}

/// What is wrong with a prefix, or with ports behind it.
public enum PrefixError: Error, Equatable, CustomStringConvertible {
    case noAddress(String)
    case noLength(String, most: UInt8)
    case longer(String, than: String)
    case noPorts(String)

    public var description: String {
        switch self {
        case .noAddress(let text): "\"\(text)\" begins with no address; write 192.0.2.0/24 or 2001:db8::1"
        case .noLength(let text, let most): "\"\(text)\" has no length from 0 to \(most) behind its /"
        case .longer(let text, let prefix): "\"\(text)\" has bits set behind its length; write \(prefix)"
        case .noPorts(let text): "\"\(text)\" has no ports behind its prefix; write one as 22, or a range as 8000-8010"
        }
    }
}
