import KernelABI

extension Packet {
    /// IPv6 (RFC 8200).
    @inline(__always)
    mutating func readIPv6(_ bytes: RawSpan, at: Int, end: Int) {
        family = .ipv6
        guard at + 40 <= bytes.byteCount else {
            return stop(at: at, size: 40, end: end, malformed: .malformedIPv6, truncated: .truncatedIPv6)
        }
        guard bytes.byte(at: at) >> 4 == 6 else { return stop(at: at, .malformedIPv6) }
        let rest = end &- at &- 40
        let number = bytes.byte(at: at &+ 6)
        var length = Int(bytes.be16(at: at &+ 4))
        if length == 0 {
            // A jumbogram (RFC 2675) says its length in a hop-by-hop option.
            length = number == 0 ? rest : lengthWithoutField(rest: rest)
        }
        guard length <= rest else { return stop(at: at, .lengthIPv6) }

        timeToLive = bytes.byte(at: at &+ 7)
        ipLength = UInt32(truncatingIfNeeded: 40 &+ length)
        source = Address(high: bytes.be64(at: at &+ 8), low: bytes.be64(at: at &+ 16))
        destination = Address(high: bytes.be64(at: at &+ 24), low: bytes.be64(at: at &+ 32))
        protocolNumber = number
        switch number {
        case 6: readTCP(bytes, at: at &+ 40, end: at &+ 40 &+ length)
        case 17: readUDP(bytes, at: at &+ 40, end: at &+ 40 &+ length)
        case 58: readICMP(bytes, at: at &+ 40, end: at &+ 40 &+ length)
        default: readExtensions(bytes, at: at &+ 40, end: at &+ 40 &+ length)
        }
    }

    /// Extension headers (RFC 8200 section 4, 4302, 6275, 7401, 5533), until one names something else.
    @inline(never)
    private mutating func readExtensions(_ bytes: RawSpan, at: Int, end: Int) {
        var at = at
        var headers: UInt32 = 0
        while isExtension(protocolNumber) {
            guard headers < WEIR_MAX_EXTENSION_HEADERS else { return stop(at: at, .tooManyExtensions) }
            headers += 1
            guard at + 8 <= min(end, bytes.byteCount) else {
                return stop(at: at, size: 8, end: end, malformed: .malformedExtension, truncated: .truncatedExtension)
            }
            let units = Int(bytes.byte(at: at + 1))
            let size =
                switch protocolNumber {
                case 44: 8
                case 51: (units + 2) * 4
                default: (units + 1) * 8
                }
            guard size <= end - at else { return stop(at: at, .malformedExtension) }
            if protocolNumber == 44 { readFragment(bytes, at: at) }
            protocolNumber = bytes.byte(at: at)
            at += size
            if fragment == .later { break }
        }
        readTransport(bytes, at: at, end: end, icmp: 58)
    }

    /// A fragment header that says "all of it" (RFC 6946) changes nothing.
    private mutating func readFragment(_ bytes: RawSpan, at: Int) {
        let position = bytes.be16(at: at + 2)
        guard position & 0xFFF9 != 0 else { return }
        fragmentIdentification = bytes.be32(at: at + 4)
        fragmentPosition = position & 0xFFF9
    }

    /// Hop-by-hop, routing, fragment, authentication, destination options, mobility, HIP, shim6.
    private func isExtension(_ number: UInt8) -> Bool {
        switch number {
        case 0, 43, 44, 51, 60, 135, 139, 140: true
        default: false
        }
    }
}
