extension Packet {
    /// IPv4 (RFC 791).
    @inline(__always)
    mutating func readIPv4(_ bytes: RawSpan, at: Int, end: Int) {
        family = .ipv4
        guard at + 20 <= bytes.byteCount else {
            return stop(at: at, size: 20, end: end, malformed: .malformedIPv4, truncated: .truncatedIPv4)
        }
        let rest = end &- at
        let first = bytes.byte(at: at)
        let size = Int(first & 0x0F) &* 4
        guard first >> 4 == 4, size >= 20, size <= rest else { return stop(at: at, .malformedIPv4) }
        var total = Int(bytes.be16(at: at &+ 2))
        if total == 0 { total = lengthWithoutField(rest: rest) }
        guard total >= size, total <= rest else { return stop(at: at, .lengthIPv4) }

        let number = bytes.byte(at: at &+ 9)
        protocolNumber = number
        timeToLive = bytes.byte(at: at &+ 8)
        ipLength = UInt32(truncatingIfNeeded: total)
        source = Address(ipv4: bytes.be32(at: at &+ 12))
        destination = Address(ipv4: bytes.be32(at: at &+ 16))
        let position = bytes.be16(at: at &+ 6)
        guard position & 0x3FFF == 0 else { return readFragment(bytes, at: at, size: size, end: at &+ total) }
        switch number {
        case 6: readTCP(bytes, at: at &+ size, end: at &+ total)
        case 17: readUDP(bytes, at: at &+ size, end: at &+ total)
        case 1: readICMP(bytes, at: at &+ size, end: at &+ total)
        default: readOtherTransport(bytes, at: at &+ size, end: at &+ total)
        }
    }

    @inline(never)
    private mutating func readFragment(_ bytes: RawSpan, at: Int, size: Int, end: Int) {
        let position = bytes.be16(at: at + 6)
        fragmentIdentification = UInt32(bytes.be16(at: at + 4))
        fragmentPosition = position << 3 | position >> 13 & 1
        readTransport(bytes, at: at + size, end: end, icmp: 1)
    }

    /// A frame of more than 65,535 bytes cannot say its length in 16 bits and leaves the field zero ("BIG TCP").
    @inline(__always)
    func lengthWithoutField(rest: Int) -> Int {
        segmentSize > 0 || rest > 0xFFFF ? rest : 0
    }
}
