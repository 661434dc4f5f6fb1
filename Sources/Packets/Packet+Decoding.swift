import KernelABI

/// Reading follows one order, which the kernel's programs share (bpf/lib): the first rule that a frame violates ends the
/// reading, and what was read before stands.
///
/// In all functions here `at` is the offset of the header to read, `end` that of the first byte which does not belong to
/// the packet around it (by its length field, or by the frame's length on the wire), never the end of what was captured.
extension Packet {
    /// Reads the headers of one frame.
    ///
    /// A loop over frames calls ``decode(_:link:wireLength:strippedTag:segmentSize:)`` on one variable instead: this copies
    /// the value once more, from bytes just written, and so takes half as long again.
    public init(
        decoding bytes: RawSpan,
        link: LinkType = .ethernet,
        wireLength: Int,
        strippedTag: UInt16? = nil,
        segmentSize: UInt16 = 0
    ) {
        self.init()
        decode(bytes, link: link, wireLength: wireLength, strippedTag: strippedTag, segmentSize: segmentSize)
    }

    /// Reads the headers of one frame in place of what the packet was before.
    ///
    /// Takes constant time: at most `WEIR_MAX_TAGS` tags and `WEIR_MAX_EXTENSION_HEADERS` extension headers.
    /// - Parameters:
    ///   - bytes: the frame from its link header on, as far as it was captured
    ///   - link: what the frame begins with
    ///   - wireLength: the frame's length before it was cut; a value below what was captured is taken as that
    ///   - strippedTag: the control word of a VLAN tag that the card took out of the frame
    ///   - segmentSize: gso_size of a frame that holds several packets, else 0
    @inline(__always)
    public mutating func decode(
        _ bytes: RawSpan,
        link: LinkType = .ethernet,
        wireLength: Int,
        strippedTag: UInt16? = nil,
        segmentSize: UInt16 = 0
    ) {
        let captured = min(bytes.byteCount, Int(UInt32.max))
        let length = min(max(wireLength, captured), Int(UInt32.max))
        start(frameLength: length, capturedLength: captured, strippedTag: strippedTag, segmentSize: segmentSize)
        if link == .ethernet {
            readEthernet(bytes, end: length)
        } else {
            readOtherLink(link, bytes, end: length)
        }
        if segmentSize > 0 { countSegments() }
    }

    /// Reads on inside the tunnels of a packet just decoded, and becomes the innermost IP packet found whole; without one
    /// it stays what it was. MPLS and PPPoE behind Ethernet are tunnels here and unknown before, as they are to the
    /// kernel's programs.
    ///
    /// Whatever follows a tunnel's header must be a decoded IP packet, so that other traffic on a tunnel's port is not
    /// taken for one. Of the frame only its lengths and its outermost VLAN stay; what segmentation offload put into it is
    /// counted anew, as each segment repeats the inner headers too. Inside a first fragment, ``payloadLength`` is the inner
    /// packet's own, of which the frame holds a part. Takes constant time: at most ``mostTunnels`` tunnels are entered,
    /// and none behind the first 4,096 bytes.
    /// - Parameter bytes: the frame that this packet was decoded from
    @inlinable @inline(__always)
    public mutating func decodeInner(_ bytes: RawSpan) {
        if mayBeTunnel { enterTunnels(bytes, untilIP: false) }
    }

    /// Reads on behind what stands between link and IP, MPLS and PPPoE, to the frame's first IP packet; all else stays what it
    /// was. Call it with the frame that this packet was decoded from.
    @inline(__always)
    public mutating func decodeLink(_ bytes: RawSpan) {
        if outcome == .unknownEtherType { enterTunnels(bytes, untilIP: true) }
    }

    /// Ends the reading at a header of `size` bytes that was not there to be read.
    @inline(never)
    mutating func stop(
        at: Int,
        size: Int,
        end: Int,
        malformed: Outcome,
        truncated: Outcome
    ) {
        headerLength = UInt16(truncatingIfNeeded: at)
        outcome = end - at < size ? malformed : truncated
    }

    /// Ends the reading at a header that contradicts itself or what stands around it.
    @inline(never)
    mutating func stop(at: Int, _ outcome: Outcome) {
        headerLength = UInt16(truncatingIfNeeded: at)
        self.outcome = outcome
    }

    /// The kernel's own count is not handed to user space; it divides the same way.
    @inline(never)
    mutating func countSegments() {
        let (size, payload) = (UInt32(segmentSize), frameLength - min(frameLength, UInt32(headerLength)))
        segments = max(1, payload / size + (payload % size == 0 ? 0 : 1))
    }
}

// MARK: - Link layer

extension Packet {
    @inline(__always)
    private mutating func readEthernet(_ bytes: RawSpan, end: Int) {
        guard bytes.byteCount >= 14 else {
            return stop(at: 0, size: 14, end: end, malformed: .malformedLink, truncated: .truncatedLink)
        }
        readNetwork(bytes, type: bytes.be16(at: 12), at: 14, end: end)
    }

    /// The one copy for all that is not plain Ethernet.
    @inline(never)
    mutating func readNetworkElsewhere(_ bytes: RawSpan, type: UInt16, at: Int, end: Int) {
        readNetwork(bytes, type: type, at: at, end: end)
    }

    @inline(__always)
    private mutating func readNetwork(_ bytes: RawSpan, type: UInt16, at: Int, end: Int) {
        etherType = type
        switch type {
        case 0x0800: readIPv4(bytes, at: at, end: end)
        case 0x86DD: readIPv6(bytes, at: at, end: end)
        case 0x8100, 0x88A8, 0x9100: readTags(bytes, type: type, at: at, end: end)
        default: readOtherNetwork(bytes, type: type, at: at, end: end)
        }
    }

    /// 802.1Q, 802.1ad and the older 0x9100; each tag is a control word and the next type.
    @inline(never)
    private mutating func readTags(_ bytes: RawSpan, type: UInt16, at: Int, end: Int) {
        var (type, at, tags) = (type, at, UInt32(0))
        while type == 0x8100 || type == 0x88A8 || type == 0x9100 {
            guard tags < WEIR_MAX_TAGS else { return stop(at: at, .tooManyTags) }
            guard at + 4 <= bytes.byteCount else {
                return stop(at: at, size: 4, end: end, malformed: .malformedTag, truncated: .truncatedTag)
            }
            push(tag: bytes.be16(at: at))
            type = bytes.be16(at: at + 2)
            at += 4
            tags += 1
        }
        etherType = type
        switch type {
        case 0x0800: readIPv4(bytes, at: at, end: end)
        case 0x86DD: readIPv6(bytes, at: at, end: end)
        default: readOtherNetwork(bytes, type: type, at: at, end: end)
        }
    }

    @inline(never)
    private mutating func readOtherNetwork(_ bytes: RawSpan, type: UInt16, at: Int, end: Int) {
        headerLength = UInt16(truncatingIfNeeded: at)
        guard type == 0x0806 else {
            outcome = .unknownEtherType
            return
        }
        readARP(bytes, at: at, end: end)
    }

    /// ARP for IPv4 over Ethernet (RFC 826).
    private mutating func readARP(_ bytes: RawSpan, at: Int, end: Int) {
        guard at + 28 <= bytes.byteCount else {
            return stop(at: at, size: 28, end: end, malformed: .unknownARP, truncated: .truncatedARP)
        }
        guard bytes.be64(at: at) >> 16 == 0x0001_0800_0604 else { return stop(at: at, .unknownARP) }
        headerLength = UInt16(truncatingIfNeeded: at + 28)
        query = bytes.be16(at: at + 6)
        source = Address(ipv4: bytes.be32(at: at + 14))
        destination = Address(ipv4: bytes.be32(at: at + 24))
    }
}
