/// What a packet stood directly in.
public enum Tunnel: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case none
    /// RFC 3032; with Ethernet inside also RFC 4448. Behind a link header or inside IP (RFC 4023).
    case mpls
    /// RFC 2516.
    case pppoe
    /// RFC 2784 and 2890, around IP or Ethernet, inside IP or UDP (RFC 8086); around PPP, as PPTP does, RFC 2637.
    case gre
    /// Mirrored Ethernet frames in GRE: types I, II and III (draft-foschiano-erspan).
    case erspan
    /// IPv4 or IPv6 in IPv4 or IPv6 (RFC 2003, 2473, 4213).
    case ipInIP
    /// RFC 7348.
    case vxlan
    /// RFC 8926.
    case geneve
    /// 3GPP TS 29.281.
    case gtpu
    /// RFC 4380.
    case teredo
    /// RFC 3378.
    case etherIP
}
