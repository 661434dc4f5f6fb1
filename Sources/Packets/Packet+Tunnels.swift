extension Packet {
    /// Tunnels that ``decodeInner(_:)`` enters, one inside the other.
    public static var mostTunnels: Int { 4 }

    /// Labels or extension headers that one tunnel's header may have.
    private static var mostParts: Int { 8 }

    /// What a tunnel's header says of its inside: how to read it, and where it stands.
    private struct Inside {
        var tunnel: Tunnel
        /// An EtherType, where 0x6558 is an Ethernet frame and 0x8200 one of 802.11, as in GRE.
        var type: UInt16
        var at: Int
        var end: Int
    }

    /// Whether a look is worth it: true of few packets that are no tunnels.
    @inlinable @inline(__always)
    var mayBeTunnel: Bool {
        switch transport {
        case .tcp, .icmp: false
        case .udp: isTunnelPort(destinationPort) || sourcePort == 3544
        case .other: true
        case .none: outcome == .unknownEtherType
        }
    }

    @inlinable @inline(__always)
    func isTunnelPort(_ port: UInt16) -> Bool {
        switch port {
        case 2152, 3544, 4754, 4789, 4790, 6081, 8472: true
        default: false
        }
    }

    @usableFromInline @inline(never)
    mutating func enterTunnels(_ bytes: RawSpan, untilIP: Bool) {
        var end = Int(frameLength)
        guard var inside = inside(bytes, end: end) else { return }
        var outer = self
        while true {
            end = inside.end
            read(inside, bytes.before(end))
            if untilIP, isDecodedIP { break }
            guard tunnelDepth < Self.mostTunnels, let next = self.inside(bytes, end: end) else { break }
            if isDecodedIP { outer = self }
            inside = next
        }
        if !isDecodedIP { self = outer }
    }

    private var isDecodedIP: Bool { outcome == .decoded && family != .other }

    private mutating func read(_ inside: Inside, _ bytes: RawSpan) {
        becomeInner(in: inside.tunnel)
        let (at, end) = (inside.at, inside.end)
        switch inside.type {
        case 0x6558 where at + 14 <= bytes.byteCount:
            readNetworkElsewhere(bytes, type: bytes.be16(at: at + 12), at: at + 14, end: end)
        case 0x8200 where at + 2 <= bytes.byteCount: readWireless(bytes, at: at, end: end, isPadded: false)
        case 0x6558, 0x8200: stop(at: at, .malformedLink)
        default: readNetworkElsewhere(bytes, type: inside.type, at: at, end: end)
        }
        if segmentSize > 0 { countSegments() }
    }

    /// - Parameter end: where what is around this packet ends
    private func inside(_ bytes: RawSpan, end: Int) -> Inside? {
        let at = Int(headerLength)
        guard at <= 4096 else { return nil }
        if outcome == .unknownEtherType {
            return switch etherType {
            case 0x8847, 0x8848: insideOfMPLS(bytes.before(end), at: at, end: end)
            case 0x8864: insideOfPPPoE(bytes.before(end), at: at, end: end)
            default: nil
            }
        }
        guard outcome == .decoded, fragment != .later else { return nil }
        // The first fragment's inside says how long it was before it was divided.
        let end = fragment == .first ? at + 0xFFFF : at + Int(payloadLength)
        let bytes = bytes.before(end)
        return switch transport {
        case .udp: insideOfUDP(bytes, at: at, end: end)
        case .other: insideOfIP(bytes, at: at, end: end)
        case .tcp, .icmp, .none: nil
        }
    }

    private func insideOfIP(_ bytes: RawSpan, at: Int, end: Int) -> Inside? {
        switch protocolNumber {
        case 4: Inside(tunnel: .ipInIP, type: 0x0800, at: at, end: end)
        case 41: Inside(tunnel: .ipInIP, type: 0x86DD, at: at, end: end)
        case 47: insideOfGRE(bytes, at: at, end: end)
        case 97: insideOfEtherIP(bytes, at: at, end: end)
        case 137: insideOfMPLS(bytes, at: at, end: end)
        default: nil
        }
    }

    private func insideOfUDP(_ bytes: RawSpan, at: Int, end: Int) -> Inside? {
        switch destinationPort {
        case 2152: insideOfGTP(bytes, at: at, end: end)
        case 4754: insideOfGRE(bytes, at: at, end: end)
        case 4789, 4790, 8472: insideOfVXLAN(bytes, at: at, end: end)
        case 6081: insideOfGeneve(bytes, at: at, end: end)
        default: sourcePort == 3544 || destinationPort == 3544 ? insideOfTeredo(bytes, at: at, end: end) : nil
        }
    }
}

// MARK: - Behind the link layer

extension Packet {
    /// Labels say nothing of what they carry. IP says its version; else it is Ethernet, before which a control word may
    /// stand whose first half-byte is 0 (RFC 4385), as is that of many Ethernet addresses.
    private func insideOfMPLS(_ bytes: RawSpan, at: Int, end: Int) -> Inside? {
        var at = at
        for _ in 0..<Self.mostParts {
            guard at + 5 <= bytes.byteCount else { return nil }
            let isLast = bytes.byte(at: at + 2) & 1 == 1
            at += 4
            guard isLast else { continue }
            if let type = bytes.typeOfIP(at: at) { return Inside(tunnel: .mpls, type: type, at: at, end: end) }
            guard at + 18 <= bytes.byteCount else { return nil }
            let hasControlWord = bytes.byte(at: at) >> 4 == 0 && isNetwork(bytes.be16(at: at + 16))
            return Inside(tunnel: .mpls, type: 0x6558, at: hasControlWord ? at + 4 : at, end: end)
        }
        return nil
    }

    private func isNetwork(_ type: UInt16) -> Bool {
        switch type {
        case 0x0800, 0x86DD, 0x8100, 0x88A8, 0x9100: true
        default: false
        }
    }

    private func insideOfPPPoE(_ bytes: RawSpan, at: Int, end: Int) -> Inside? {
        guard at + 6 <= bytes.byteCount, let end = bytes.endOfPPPoE(at: at, end: end) else { return nil }
        return insideOfPPP(bytes, .pppoe, at: at + 6, end: end)
    }

    private func insideOfPPP(_ bytes: RawSpan, _ tunnel: Tunnel, at: Int, end: Int) -> Inside? {
        let header = bytes.before(end).protocolOfPPP(at: at)
        guard let type = header.type else { return nil }
        return Inside(tunnel: tunnel, type: type, at: header.end, end: end)
    }
}

// MARK: - Inside IP

extension Packet {
    private func insideOfGRE(_ bytes: RawSpan, at: Int, end: Int) -> Inside? {
        guard at + 4 <= bytes.byteCount else { return nil }
        let (flags, type) = (bytes.be16(at: at), bytes.be16(at: at + 2))
        if flags & 0x0007 == 1 { return insideOfPPTP(bytes, flags: flags, type: type, at: at, end: end) }
        // Version 0; checksum, key and sequence may be there, source routes not.
        guard flags & 0x4FFF == 0 else { return nil }
        let next = at + 4 + 4 * (flags & 0xB000).nonzeroBitCount
        switch type {
        case 0x0800, 0x86DD, 0x6558, 0x8847, 0x8848:
            return Inside(tunnel: .gre, type: type, at: next, end: end)
        case 0x8200...0x82FF:  // Aruba's access points
            return Inside(tunnel: .gre, type: 0x8200, at: next, end: end)
        case 0x883E:  // WCCP, version 2 with a redirect header of 4 bytes
            guard next < bytes.byteCount else { return nil }
            let isVersion2 = bytes.byte(at: next) >> 4 != 4
            return Inside(tunnel: .gre, type: 0x0800, at: isVersion2 ? next + 4 : next, end: end)
        case 0x88BE where flags & 0x1000 == 0:  // type I has no header
            return Inside(tunnel: .erspan, type: 0x6558, at: next, end: end)
        case 0x88BE: return insideOfERSPAN2(bytes, at: next, end: end)
        case 0x22EB: return insideOfERSPAN3(bytes, at: next, end: end)
        default: return nil
        }
    }

    /// GRE version 1: a key of length and call, then perhaps a sequence and an acknowledgement.
    private func insideOfPPTP(_ bytes: RawSpan, flags: UInt16, type: UInt16, at: Int, end: Int) -> Inside? {
        guard type == 0x880B, flags & 0xEF78 == 0x2000, at + 8 <= bytes.byteCount else { return nil }
        let length = Int(bytes.be16(at: at + 4))
        let next = at + 8 + 4 * (flags & 0x1080).nonzeroBitCount
        guard length <= end - next else { return nil }
        return insideOfPPP(bytes, .gre, at: next, end: next + length)
    }

    private func insideOfERSPAN2(_ bytes: RawSpan, at: Int, end: Int) -> Inside? {
        guard at + 8 <= bytes.byteCount, bytes.byte(at: at) >> 4 == 1 else { return nil }
        return insideOfMirror(bytes, at: at, next: at + 8, end: end)
    }

    private func insideOfERSPAN3(_ bytes: RawSpan, at: Int, end: Int) -> Inside? {
        guard at + 12 <= bytes.byteCount, bytes.byte(at: at) >> 4 == 2 else { return nil }
        let kind = bytes.be16(at: at + 10)
        guard kind & 0x7C00 == 0 else { return nil }
        return insideOfMirror(bytes, at: at, next: kind & 1 == 1 ? at + 20 : at + 12, end: end)
    }

    /// A bit says whether the mirrored frame was cut to fit.
    private func insideOfMirror(_ bytes: RawSpan, at: Int, next: Int, end: Int) -> Inside? {
        let isCut = bytes.byte(at: at + 2) & 0x04 != 0
        return Inside(tunnel: .erspan, type: 0x6558, at: next, end: isCut ? next + 0xFFFF : end)
    }

    private func insideOfEtherIP(_ bytes: RawSpan, at: Int, end: Int) -> Inside? {
        guard at + 2 <= bytes.byteCount, bytes.be16(at: at) == 0x3000 else { return nil }
        return Inside(tunnel: .etherIP, type: 0x6558, at: at + 2, end: end)
    }
}

// MARK: - Inside UDP

/// A port alone proves nothing, so every bit of these headers that has to have one value is compared.
extension Packet {
    /// Also with group policies (draft-smith-vxlan-group-policy) and with a number for what is inside
    /// (draft-ietf-nvo3-vxlan-gpe), which both stand in bits that were reserved.
    private func insideOfVXLAN(_ bytes: RawSpan, at: Int, end: Int) -> Inside? {
        guard at + 8 <= bytes.byteCount, bytes.byte(at: at + 7) == 0 else { return nil }
        let flags = bytes.be32(at: at)
        let type: UInt16? =
            switch flags {
            case 0x0800_0000, 0x0C00_0003: 0x6558
            case 0x0C00_0001: 0x0800
            case 0x0C00_0002: 0x86DD
            default: flags & 0xFFB7_0000 == 0x8800_0000 ? 0x6558 : nil
            }
        guard let type else { return nil }
        return Inside(tunnel: .vxlan, type: type, at: at + 8, end: end)
    }

    private func insideOfGeneve(_ bytes: RawSpan, at: Int, end: Int) -> Inside? {
        guard at + 8 <= bytes.byteCount, bytes.be16(at: at) & 0xC03F == 0, bytes.byte(at: at + 7) == 0 else {
            return nil
        }
        let type = bytes.be16(at: at + 2)
        guard type == 0x6558 || type == 0x0800 || type == 0x86DD else { return nil }
        return Inside(tunnel: .geneve, type: type, at: at + 8 + 4 * Int(bytes.byte(at: at) & 0x3F), end: end)
    }

    /// A G-PDU with, perhaps, sequence numbers and extension headers.
    private func insideOfGTP(_ bytes: RawSpan, at: Int, end: Int) -> Inside? {
        guard at + 8 <= bytes.byteCount, bytes.be16(at: at) & 0xF8FF == 0x30FF else { return nil }
        let length = Int(bytes.be16(at: at + 2))
        guard length <= end - at - 8 else { return nil }
        let (flags, end) = (bytes.byte(at: at), at + 8 + length)
        var next = at + 8
        if flags & 0x07 != 0 {
            next += 4
            guard next <= bytes.byteCount else { return nil }
            var kind = flags & 0x04 != 0 ? bytes.byte(at: next - 1) : 0
            var parts = 0
            while kind != 0 {
                guard parts < Self.mostParts, next < bytes.byteCount else { return nil }
                let size = 4 * Int(bytes.byte(at: next))
                guard size > 0, next + size <= bytes.byteCount else { return nil }
                next += size
                kind = bytes.byte(at: next - 1)
                parts += 1
            }
        }
        guard next < min(end, bytes.byteCount), let type = bytes.typeOfIP(at: next) else { return nil }
        return Inside(tunnel: .gtpu, type: type, at: next, end: end)
    }

    /// The authentication indicator, then the origin indicator, both optional, then IPv6 from or to a Teredo address.
    private func insideOfTeredo(_ bytes: RawSpan, at: Int, end: Int) -> Inside? {
        var at = at
        if at + 4 <= bytes.byteCount, bytes.be16(at: at) == 0x0001 {
            at += 13 + Int(bytes.byte(at: at + 2)) + Int(bytes.byte(at: at + 3))
        }
        if at + 8 <= bytes.byteCount, bytes.be16(at: at) == 0 { at += 8 }
        guard at + 40 <= bytes.byteCount, bytes.byte(at: at) >> 4 == 6 else { return nil }
        let (source, destination) = (bytes.be32(at: at + 8), bytes.be32(at: at + 24))
        let isLinkLocal = source >> 22 == 0xFE80 >> 6
        guard source == 0x2001_0000 || destination == 0x2001_0000 || isLinkLocal else { return nil }
        return Inside(tunnel: .teredo, type: 0x86DD, at: at, end: end)
    }
}
