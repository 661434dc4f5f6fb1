import CLinux
import Glibc

/// A default route of the main table.
public struct DefaultRoute: Equatable, Sendable {
    public var family: InternetAddress.Family
    /// The link packets leave by; of several next hops the first.
    public var linkIndex: Int32
    /// The kernel prefers the lowest.
    public var metric: UInt32

    /// Reads an `RTM_NEWROUTE` message; nil for all that is no unicast default route of the main table.
    public init?(_ message: borrowing NetlinkMessage) throws(NetlinkError) {
        guard message.type == UInt16(RTM_NEWROUTE) else { return nil }
        let header = try message.header(rtmsg.self)
        guard let family = InternetAddress.Family(kernel: header.rtm_family), header.rtm_dst_len == 0,
            header.rtm_type == UInt8(RTN_UNICAST), header.rtm_flags & UInt32(RTM_F_CLONED) == 0
        else { return nil }
        var table = UInt32(header.rtm_table)
        var link: Int32?
        metric = 0
        var attributes = message.attributes(after: MemoryLayout<rtmsg>.size)
        while let attribute = try attributes.next() {
            switch Int(attribute.type) {
            case Int(RTA_TABLE.rawValue): table = try attribute.load(UInt32.self)
            case Int(RTA_OIF.rawValue): link = try attribute.load(Int32.self)
            case Int(RTA_PRIORITY.rawValue): metric = try attribute.load(UInt32.self)
            case Int(RTA_MULTIPATH.rawValue): link = try attribute.load(rtnexthop.self).rtnh_ifindex
            default: break
            }
        }
        guard table == UInt32(RT_TABLE_MAIN.rawValue), let link, link > 0 else { return nil }
        self.family = family
        self.linkIndex = link
    }
}
