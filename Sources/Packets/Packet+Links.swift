/// Links other than Ethernet. What they carry is read as behind Ethernet; what has no EtherType there is unknown.
extension Packet {
    @inline(never)
    mutating func readOtherLink(_ link: LinkType, _ bytes: RawSpan, end: Int) {
        let size =
            switch link {
            case .ethernet: 14
            case .rawIP, .ppp: 1
            case .loopback: 4
            case .linuxCooked: 16
            case .linuxCooked2: 20
            case .pppoe: 6
            case .wireless: 2
            case .radiotap: 8
            case .unknown: 0
            }
        guard bytes.byteCount >= size else {
            return stop(at: 0, size: size, end: end, malformed: .malformedLink, truncated: .truncatedLink)
        }
        switch link {
        case .ethernet: readNetworkElsewhere(bytes, type: bytes.be16(at: 12), at: 14, end: end)
        case .rawIP: readRawIP(bytes, end: end)
        case .loopback: readLoopback(bytes, end: end)
        case .linuxCooked: readNetworkElsewhere(bytes, type: bytes.be16(at: 14), at: 16, end: end)
        case .linuxCooked2: readNetworkElsewhere(bytes, type: bytes.be16(at: 0), at: 20, end: end)
        case .ppp: readPPP(bytes, end: end)
        case .pppoe: readPPPoE(bytes, end: end)
        case .wireless: readWireless(bytes, at: 0, end: end, isPadded: false)
        case .radiotap: readRadiotap(bytes, end: end)
        case .unknown: outcome = .unknownLinkType
        }
    }

    private mutating func readRawIP(_ bytes: RawSpan, end: Int) {
        guard let type = bytes.typeOfIP(at: 0) else { return stop(at: 0, .unknownEtherType) }
        readNetworkElsewhere(bytes, type: type, at: 0, end: end)
    }

    /// The family's number is the capturing system's: 2 is IPv4 everywhere; 10, 24, 28 and 30 are IPv6 somewhere.
    private mutating func readLoopback(_ bytes: RawSpan, end: Int) {
        let value = bytes.be32(at: 0)
        switch value > 0xFFFF ? value.byteSwapped : value {
        case 2: readNetworkElsewhere(bytes, type: 0x0800, at: 4, end: end)
        case 10, 24, 28, 30: readNetworkElsewhere(bytes, type: 0x86DD, at: 4, end: end)
        default: stop(at: 4, .unknownEtherType)
        }
    }

    /// PPP in HDLC-like framing (RFC 1662), or Cisco's framing (RFC 1547 section 4.3.1), which names EtherTypes.
    private mutating func readPPP(_ bytes: RawSpan, end: Int) {
        let first = bytes.byte(at: 0)
        guard first == 0x0F || first == 0x8F else { return readPPP(bytes, at: 0, end: end) }
        guard bytes.byteCount >= 4 else {
            return stop(at: 0, size: 4, end: end, malformed: .malformedLink, truncated: .truncatedLink)
        }
        readNetworkElsewhere(bytes, type: bytes.be16(at: 2), at: 4, end: end)
    }

    private mutating func readPPP(_ bytes: RawSpan, at: Int, end: Int) {
        let header = bytes.protocolOfPPP(at: at)
        guard header.end <= bytes.byteCount else {
            return stop(at: at, size: header.end - at, end: end, malformed: .malformedLink, truncated: .truncatedLink)
        }
        guard let type = header.type else { return stop(at: header.end, .unknownEtherType) }
        readNetworkElsewhere(bytes, type: type, at: header.end, end: end)
    }

    private mutating func readPPPoE(_ bytes: RawSpan, end: Int) {
        guard let end = bytes.endOfPPPoE(at: 0, end: end) else { return stop(at: 0, .unknownEtherType) }
        readPPP(bytes.before(end), at: 6, end: end)
    }
}

extension RawSpan {
    /// These bytes without those from `end` on: what stands there belongs to nothing inside.
    @_lifetime(copy self)
    func before(_ end: Int) -> RawSpan { extracting(0..<Swift.min(Swift.max(end, 0), byteCount)) }

    /// The EtherType of an IP packet that nothing else names.
    func typeOfIP(at offset: Int) -> UInt16? {
        switch byte(at: offset) >> 4 {
        case 4: 0x0800
        case 6: 0x86DD
        default: nil
        }
    }

    /// The header of PPP (RFC 1661 section 2), whose address bytes may have been left out, as may the protocol's first
    /// byte when it is zero: where it ends, which may be behind these bytes, and the EtherType of what it names.
    func protocolOfPPP(at start: Int) -> (type: UInt16?, end: Int) {
        var at = start
        if at + 2 <= byteCount, be16(at: at) == 0xFF03 { at += 2 }
        guard at < byteCount else { return (nil, at + 1) }
        let first = byte(at: at)
        let isShort = first & 1 == 1
        guard isShort || at + 2 <= byteCount else { return (nil, at + 2) }
        let type: UInt16? =
            switch isShort ? UInt16(first) : be16(at: at) {
            case 0x0021: 0x0800
            case 0x0057: 0x86DD
            case 0x0281: 0x8847
            case 0x0283: 0x8848
            default: nil
            }
        return (type, at + (isShort ? 1 : 2))
    }

    /// Where a PPPoE session packet ends (RFC 2516 section 4); nil for discovery, other versions, impossible lengths.
    ///
    /// The caller has checked that the 6 bytes of the header are there.
    func endOfPPPoE(at offset: Int, end: Int) -> Int? {
        let length = Int(be16(at: offset + 4))
        guard be16(at: offset) == 0x1100, length <= end - offset - 6 else { return nil }
        return offset + 6 + length
    }
}
