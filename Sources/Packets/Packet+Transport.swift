extension Packet {
    /// What stands behind fragments and extension headers; `icmp` is the protocol number that the family gives it.
    @inline(never)
    mutating func readTransport(_ bytes: RawSpan, at: Int, end: Int, icmp: UInt8) {
        guard fragment != .later else {
            transport =
                switch protocolNumber {
                case 6: .tcp
                case 17: .udp
                case icmp: .icmp
                default: .other
                }
            return endHeaders(at: at, size: 0, end: end)
        }
        switch protocolNumber {
        case 6: readTCP(bytes, at: at, end: end)
        case 17: readUDP(bytes, at: at, end: end)
        case icmp: readICMP(bytes, at: at, end: end)
        default: readOtherTransport(bytes, at: at, end: end)
        }
    }

    /// TCP (RFC 9293). Options are not read, so they need not have been captured.
    @inline(__always)
    mutating func readTCP(_ bytes: RawSpan, at: Int, end: Int) {
        transport = .tcp
        guard at &+ 20 <= min(end, bytes.byteCount) else {
            return stop(at: at, size: 20, end: end, malformed: .malformedTCP, truncated: .truncatedTCP)
        }
        let size = Int(bytes.byte(at: at &+ 12) >> 4) &* 4
        guard size >= 20, size <= end &- at else { return stop(at: at, .malformedTCP) }
        readPorts(bytes, at: at)
        sequence = bytes.be32(at: at &+ 4)
        acknowledgement = bytes.be32(at: at &+ 8)
        flags = TCPFlags(rawValue: bytes.byte(at: at &+ 13))
        window = bytes.be16(at: at &+ 14)
        endHeaders(at: at, size: size, end: end)
    }

    /// UDP (RFC 768). A length of zero is a jumbogram's (RFC 2675), or a tunnel's around BIG TCP.
    @inline(__always)
    mutating func readUDP(_ bytes: RawSpan, at: Int, end: Int) {
        transport = .udp
        guard at &+ 8 <= min(end, bytes.byteCount) else {
            return stop(at: at, size: 8, end: end, malformed: .malformedUDP, truncated: .truncatedUDP)
        }
        let length = Int(bytes.be16(at: at &+ 4))
        guard length >= 8, length <= end &- at || fragment == .first else {
            return readUnusualUDP(bytes, at: at, end: end, length: length)
        }
        readPorts(bytes, at: at)
        endHeaders(at: at, size: 8, end: end)
    }

    @inline(never)
    private mutating func readUnusualUDP(_ bytes: RawSpan, at: Int, end: Int, length: Int) {
        guard length == 0, family == .ipv6 || lengthWithoutField(rest: end - at) > 0 else {
            return stop(at: at, .malformedUDP)
        }
        readPorts(bytes, at: at)
        endHeaders(at: at, size: 8, end: end)
    }

    /// ICMP (RFC 792) and ICMPv6 (RFC 4443).
    @inline(never)
    mutating func readICMP(_ bytes: RawSpan, at: Int, end: Int) {
        transport = .icmp
        guard at + 8 <= min(end, bytes.byteCount) else {
            return stop(at: at, size: 8, end: end, malformed: .malformedICMP, truncated: .truncatedICMP)
        }
        icmpType = bytes.byte(at: at)
        icmpCode = bytes.byte(at: at + 1)
        let isQuery =
            switch (family, icmpType) {
            case (.ipv4, 0), (.ipv4, 8), (.ipv4, 13...18), (.ipv6, 128), (.ipv6, 129): true
            default: false
            }
        if isQuery { query = bytes.be16(at: at + 4) }
        endHeaders(at: at, size: 8, end: end)
    }

    /// SCTP (RFC 9260), and every protocol of which nothing more is read.
    @inline(never)
    mutating func readOtherTransport(_ bytes: RawSpan, at: Int, end: Int) {
        transport = .other
        guard protocolNumber == 132 else { return endHeaders(at: at, size: 0, end: end) }
        guard at + 12 <= min(end, bytes.byteCount) else {
            return stop(at: at, size: 12, end: end, malformed: .malformedSCTP, truncated: .truncatedSCTP)
        }
        readPorts(bytes, at: at)
        endHeaders(at: at, size: 12, end: end)
    }

    @inline(__always)
    private mutating func readPorts(_ bytes: RawSpan, at: Int) {
        let ports = bytes.be32(at: at)
        sourcePort = UInt16(truncatingIfNeeded: ports >> 16)
        destinationPort = UInt16(truncatingIfNeeded: ports)
        hasPorts = true
    }

    @inline(__always)
    private mutating func endHeaders(at: Int, size: Int, end: Int) {
        transportHeaderLength = UInt8(truncatingIfNeeded: size)
        headerLength = UInt16(truncatingIfNeeded: at &+ size)
        payloadLength = UInt32(truncatingIfNeeded: end &- at &- size)
    }
}
