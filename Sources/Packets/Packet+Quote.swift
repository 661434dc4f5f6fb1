extension Packet {
    /// Whether this is an ICMP error: destination unreachable, redirect, time exceeded, parameter problem (RFC 792), and
    /// ICMPv6's errors, types 1 to 4 (RFC 4443). Errors quote the packet they are about.
    public var isICMPError: Bool {
        guard transport == .icmp, fragment == .none else { return false }
        return family == .ipv4 ? [3, 5, 11, 12].contains(icmpType) : (1...4).contains(icmpType)
    }

    /// The packet that an ICMP error is about, as far as it is quoted: the IP header and at least 8 bytes behind it.
    ///
    /// Only addresses, protocol and ports of the answer mean something.
    /// - Parameter bytes: the frame that this packet was decoded from
    public func quoted(in bytes: RawSpan) -> Packet? {
        guard isICMPError, Int(headerLength) < bytes.byteCount else { return nil }
        let quote = bytes.extracting(Int(headerLength)..<bytes.byteCount)
        // The quote is cut on purpose, so its length fields speak of bytes that are not here.
        // It went through the network that the error came from.
        var packet = Packet(decoding: quote, link: .rawIP, wireLength: 0xFFFF + 40, strippedTag: vlan)
        guard packet.family != .other, !packet.outcome.isMalformed else { return nil }
        let at = Int(packet.headerLength)
        let hasPorts = packet.transport == .tcp || packet.transport == .udp
        if !packet.hasPorts, hasPorts, packet.fragment != .later, at + 4 <= quote.byteCount {
            packet.sourcePort = quote.be16(at: at)
            packet.destinationPort = quote.be16(at: at + 2)
            packet.hasPorts = true
        }
        return packet
    }
}
