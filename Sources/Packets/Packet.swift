/// What the headers of one frame say: a plain value of 96 bytes that outlives the frame's bytes.
///
/// A field that the headers do not give is zero. Lengths follow the wire and the IP header, never the snap length.
public struct Packet: BitwiseCopyable, Sendable {
    /// From the IP header; in ARP the sender's and the target's protocol address.
    public internal(set) var source = Address.zero
    public internal(set) var destination = Address.zero
    /// TCP.
    public internal(set) var sequence: UInt32 = 0
    public internal(set) var acknowledgement: UInt32 = 0
    /// Length of the frame on the wire, without FCS and without a tag that the card stripped.
    public internal(set) var frameLength: UInt32 = 0
    /// How many of these bytes were there to be read.
    public internal(set) var capturedLength: UInt32 = 0
    /// The IP packet's own length, its header included.
    public internal(set) var ipLength: UInt32 = 0
    /// Bytes after the last header read, by the IP length; of all segments together. Of an unknown transport, a tunnel
    /// or a later fragment: all that follows the IP headers.
    public internal(set) var payloadLength: UInt32 = 0
    /// Packets that this frame was on the wire: 1 without segmentation offload.
    public internal(set) var segments: UInt32 = 1
    /// What the fragments of one packet have in common, with the addresses and, in IPv4, the protocol: 16 bits in IPv4,
    /// 32 in IPv6. Zero in a packet that is not a fragment, whatever its header says.
    public internal(set) var fragmentIdentification: UInt32 = 0
    /// Payload bytes of each segment but the last (the kernel's gso_size); 0 for a frame that is one packet.
    public internal(set) var segmentSize: UInt16 = 0
    /// Offset of the first byte after the last header read whole: link, tags, IP with extensions, transport.
    public internal(set) var headerLength: UInt16 = 0
    /// The EtherType after all tags; below 1536 an 802.3 length.
    public internal(set) var etherType: UInt16 = 0
    public internal(set) var sourcePort: UInt16 = 0
    public internal(set) var destinationPort: UInt16 = 0
    /// TCP, not scaled.
    public internal(set) var window: UInt16 = 0
    /// ``icmpIdentifier`` or ``arpOperation``, which never meet.
    @usableFromInline var query: UInt16 = 0
    private(set) var tag: UInt16 = 0
    /// As in the IPv6 fragment header: the offset in bytes, and in the lowest bit whether more fragments follow.
    @usableFromInline var fragmentPosition: UInt16 = 0
    public internal(set) var family = Family.other
    public internal(set) var transport = Transport.none
    /// The IP protocol number; of IPv6, what the last extension header read names.
    public internal(set) var protocolNumber: UInt8 = 0
    public internal(set) var flags = TCPFlags()
    /// Bytes of the transport header with its options, if it was read: TCP 20 to 60, UDP and ICMP 8, SCTP 12.
    public internal(set) var transportHeaderLength: UInt8 = 0
    /// IPv4 time to live, IPv6 hop limit.
    public internal(set) var timeToLive: UInt8 = 0
    /// Tags in the frame and the one that the card stripped.
    public internal(set) var tagCount: UInt8 = 0
    public internal(set) var icmpType: UInt8 = 0
    public internal(set) var icmpCode: UInt8 = 0
    public internal(set) var outcome = Outcome.decoded
    /// Whether the ports were read; 0 is a port too.
    public internal(set) var hasPorts = false
    /// What this packet stood directly in, ``Tunnel/none`` unless it was read by ``decodeInner(_:)``.
    public internal(set) var tunnel = Tunnel.none
    /// Tunnels around this packet.
    public internal(set) var tunnelDepth: UInt8 = 0
    @usableFromInline var tagWasStripped = false

    /// A packet of which nothing was read.
    @inline(__always)
    public init() {}

    /// Whether this is a part of a larger packet.
    @inlinable @inline(__always)
    public var fragment: Fragment { fragmentPosition == 0 ? .none : fragmentPosition < 8 ? .first : .later }

    /// Where in the larger packet this fragment stands: bytes, a multiple of 8.
    @inlinable @inline(__always)
    public var fragmentOffset: UInt16 { fragmentPosition & 0xFFF8 }

    /// Whether this is a fragment but not the one that ends the larger packet.
    @inlinable @inline(__always)
    public var hasMoreFragments: Bool { fragmentPosition & 1 == 1 }

    /// Bytes of the IP header with its options or extension headers; zero unless the packet was decoded.
    @inlinable @inline(__always)
    public var ipHeaderLength: UInt32 {
        outcome == .decoded ? ipLength &- payloadLength &- UInt32(transportHeaderLength) : 0
    }

    /// Of echo and the other ICMP queries.
    @inlinable @inline(__always)
    public var icmpIdentifier: UInt16 { transport == .icmp ? query : 0 }

    /// ARP: 1 request, 2 reply.
    @inlinable @inline(__always)
    public var arpOperation: UInt16 { transport == .none ? query : 0 }

    /// The outermost VLAN identifier (0 ... 4095), nil without a tag.
    public var vlan: UInt16? { tagCount == 0 ? nil : tag & 0x0FFF }

    /// Bytes that the frame's packets took on the wire, without FCS: the headers come back with every segment, and so do
    /// the four bytes of a stripped tag.
    @inlinable @inline(__always)
    public var bytes: UInt64 {
        let tag: UInt64 = tagWasStripped ? 4 : 0
        return UInt64(frameLength) &+ tag &+ UInt64(segments &- 1) &* (UInt64(headerLength) &+ tag)
    }

    /// Bytes on the wire of each segment but the last.
    @inlinable @inline(__always)
    public var bytesOfFullSegment: UInt64 {
        UInt64(headerLength) &+ (tagWasStripped ? 4 : 0) &+ UInt64(segmentSize)
    }

    /// Where in the frame's bytes the payload stands, as far as it was captured.
    public var capturedPayload: Range<Int> {
        let end = min(Int(capturedLength), Int(headerLength) + Int(payloadLength))
        return min(Int(headerLength), end)..<end
    }

    @inline(__always)
    mutating func start(frameLength: Int, capturedLength: Int, strippedTag: UInt16?, segmentSize: UInt16) {
        self = Packet()
        self.frameLength = UInt32(truncatingIfNeeded: frameLength)
        self.capturedLength = UInt32(truncatingIfNeeded: capturedLength)
        self.segmentSize = segmentSize
        if let strippedTag {
            tag = strippedTag
            tagCount = 1
            tagWasStripped = true
        }
    }

    /// Keeps what the frame and the tunnels around are, and nothing else.
    mutating func becomeInner(in tunnel: Tunnel) {
        let outer = (frameLength, capturedLength, segmentSize, tag, tagCount, tagWasStripped, tunnelDepth)
        self = Packet()
        (frameLength, capturedLength, segmentSize, tag, tagCount, tagWasStripped, tunnelDepth) = outer
        self.tunnel = tunnel
        tunnelDepth &+= 1
    }

    @inline(__always)
    mutating func push(tag control: UInt16) {
        if tagCount == 0 { tag = control }
        tagCount &+= 1
    }
}

/// What the EtherType says, whatever stands behind it.
public enum Family: UInt8, BitwiseCopyable, Sendable {
    case ipv4 = 0
    case ipv6 = 1
    case other = 2
}

/// What the IP header, or the last IPv6 extension header, says, in the classes that are counted.
public enum Transport: UInt8, BitwiseCopyable, Sendable {
    case tcp = 0
    case udp = 1
    /// ICMP in IPv4 and ICMPv6 in IPv6.
    case icmp = 2
    case other = 3
    /// Not an IP packet, or malformed before its protocol was known.
    case none = 4
}

/// Whether a packet is part of a larger one.
public enum Fragment: UInt8, BitwiseCopyable, Sendable {
    case none
    /// The one with the transport header.
    case first
    /// No ports, no flags.
    case later
}

/// TCP flags (RFC 9293 section 3.1).
public struct TCPFlags: OptionSet, BitwiseCopyable, Sendable {
    public let rawValue: UInt8

    @inline(__always)
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let fin = TCPFlags(rawValue: 0x01)
    public static let syn = TCPFlags(rawValue: 0x02)
    public static let rst = TCPFlags(rawValue: 0x04)
    public static let psh = TCPFlags(rawValue: 0x08)
    public static let ack = TCPFlags(rawValue: 0x10)
    public static let urg = TCPFlags(rawValue: 0x20)
    public static let ece = TCPFlags(rawValue: 0x40)
    public static let cwr = TCPFlags(rawValue: 0x80)
}
