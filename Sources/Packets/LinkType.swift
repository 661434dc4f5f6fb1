/// How a frame begins. Numbers are the LINKTYPE_ values of capture files (www.tcpdump.org/linktypes.html).
public enum LinkType: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case ethernet
    /// An IP packet without any link header: raw IP files, and interfaces such as tun and WireGuard.
    case rawIP
    /// Four bytes of address family, in the byte order of the host that captured (NULL) or of the network (LOOP).
    case loopback
    /// Linux "cooked" capture, version 1 and 2.
    case linuxCooked
    case linuxCooked2
    /// PPP with or without its two address bytes, or Cisco's HDLC: the first byte tells them apart.
    case ppp
    /// A PPPoE header without Ethernet around it.
    case pppoe
    /// IEEE 802.11, alone or behind a radiotap header.
    case wireless
    case radiotap
    /// Anything else: frames are counted, nothing in them is read.
    case unknown

    /// - Parameter number: the LINKTYPE_ value of a file; of some raw IP values, systems' DLT_ values too.
    @inlinable @inline(__always)
    public init(number: UInt32) {
        switch number {
        case 1: self = .ethernet
        case 12, 14, 101, 228, 229: self = .rawIP
        case 0, 108: self = .loopback
        case 113: self = .linuxCooked
        case 276: self = .linuxCooked2
        case 9, 50, 104: self = .ppp
        case 51: self = .pppoe
        case 105: self = .wireless
        case 127: self = .radiotap
        default: self = .unknown
        }
    }
}
