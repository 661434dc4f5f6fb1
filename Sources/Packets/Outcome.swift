/// What became of one frame: exactly one case, whatever its bytes.
///
/// - decoded: every header this module knows was read; tunnels and encrypted payloads count by their outer headers,
///   whatever ``Packet/decodeInner(_:)`` then finds inside
/// - truncated: the snap length cut a header for which the frame itself had room
/// - malformed: a header ends after the frame or the IP packet does, or contradicts itself. Exactly the frames that the
///   kernel's programs count as malformed, since both follow the same rules
/// - unknown: no rule says how to read on
public enum Outcome: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case decoded

    case truncatedLink
    case truncatedTag
    case truncatedARP
    case truncatedIPv4
    case truncatedIPv6
    case truncatedExtension
    case truncatedTCP
    case truncatedUDP
    case truncatedICMP
    case truncatedSCTP

    case malformedLink
    /// A tag that ends after the frame does.
    case malformedTag
    /// More tags than the limit shared with the kernel's programs.
    case tooManyTags
    /// Shorter than 20 bytes, another version, or a header length that does not fit.
    case malformedIPv4
    /// A total length below the header's or beyond the frame.
    case lengthIPv4
    /// Shorter than 40 bytes, or another version.
    case malformedIPv6
    /// A payload length beyond the frame.
    case lengthIPv6
    /// An extension header that ends after the packet does.
    case malformedExtension
    /// More extension headers than the limit shared with the kernel's programs.
    case tooManyExtensions
    case malformedTCP
    case malformedUDP
    case malformedICMP
    case malformedSCTP

    case unknownLinkType
    /// Neither IP nor ARP: LLDP, MPLS, PPPoE, 802.3 lengths, PPP's control, what 802.11 does not say in the clear, ...
    case unknownEtherType
    /// ARP for other than IPv4 over Ethernet, or shorter than that.
    case unknownARP

    public var isTruncated: Bool { (Self.truncatedLink.rawValue...Self.truncatedSCTP.rawValue).contains(rawValue) }
    @inlinable @inline(__always)
    public var isMalformed: Bool {
        rawValue >= Self.malformedLink.rawValue && rawValue <= Self.malformedSCTP.rawValue
    }
    public var isUnknown: Bool { rawValue >= Self.unknownLinkType.rawValue }
}
