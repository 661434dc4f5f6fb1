extension Packet {
    /// IEEE 802.11 (section 9.2 and 9.3.2): only whole, unencrypted data frames say what they carry; of management and
    /// control frames, fragments, protected frames and aggregates (A-MSDU) nothing is known.
    mutating func readWireless(_ bytes: RawSpan, at: Int, end: Int, isPadded: Bool) {
        let (kind, flags) = (bytes.byte(at: at), bytes.byte(at: at + 1))
        // Version 0, type data, with data; not protected, no more fragments.
        guard kind & 0x4F == 0x08, flags & 0x44 == 0 else { return stop(at: at, .unknownEtherType) }
        let hasQoS = kind & 0x80 != 0
        var size = 24
        if flags & 0x03 == 0x03 { size += 6 }
        let quality = at + size
        if hasQoS { size += flags & 0x80 != 0 ? 6 : 2 }
        if isPadded { size = (size + 3) & ~3 }
        guard at + size <= bytes.byteCount else {
            return stop(at: at, size: size, end: end, malformed: .malformedLink, truncated: .truncatedLink)
        }
        let isLaterFragment = bytes.byte(at: at + 22) & 0x0F != 0
        guard !isLaterFragment, !hasQoS || bytes.byte(at: quality) & 0x80 == 0 else {
            return stop(at: at + size, .unknownEtherType)
        }
        readSNAP(bytes, at: at + size, end: end)
    }

    /// LLC with the SNAP header (RFC 1042), the EtherType's disguise in 802.11.
    private mutating func readSNAP(_ bytes: RawSpan, at: Int, end: Int) {
        guard at + 8 <= bytes.byteCount else {
            return stop(at: at, size: 8, end: end, malformed: .unknownEtherType, truncated: .truncatedLink)
        }
        let head = bytes.be64(at: at) >> 16
        guard head == 0xAAAA_0300_0000 || head == 0xAAAA_0300_00F8 else { return stop(at: at, .unknownEtherType) }
        readNetworkElsewhere(bytes, type: bytes.be16(at: at + 6), at: at + 8, end: end)
    }

    /// Radiotap (www.radiotap.org), all little-endian: of its fields only the flags matter here, which stand first or
    /// behind the 8 bytes of a timestamp.
    mutating func readRadiotap(_ bytes: RawSpan, end: Int) {
        let size = Int(bytes.be16(at: 2).byteSwapped)
        guard bytes.byte(at: 0) == 0, size >= 8 else { return stop(at: 0, .malformedLink) }
        guard size + 2 <= bytes.byteCount else {
            return stop(at: 0, size: size + 2, end: end, malformed: .malformedLink, truncated: .truncatedLink)
        }
        let flags = bytes.flagsOfRadiotap(size: size)
        let checksum = flags & 0x10 != 0 ? 4 : 0
        guard end - checksum >= size + 2 else { return stop(at: size, .malformedLink) }
        readWireless(bytes.before(end - checksum), at: size, end: end - checksum, isPadded: flags & 0x20 != 0)
    }
}

extension RawSpan {
    /// The flags, zero where they are absent. Words that announce fields follow each other while their highest bit is
    /// set.
    fileprivate func flagsOfRadiotap(size: Int) -> UInt8 {
        let fields = be32(at: 4).byteSwapped
        var at = 8
        var word = fields
        while word >> 31 == 1, at + 4 <= size {
            word = be32(at: at).byteSwapped
            at += 4
        }
        if fields & 1 == 1 { at = (at + 7) & ~7 + 8 }
        return fields & 2 != 0 && at < size ? byte(at: at) : 0
    }
}
