import CLinux
import Glibc

/// A network interface as rtnetlink describes it (rtnetlink(7)).
public struct Link: Equatable, Sendable {
    /// At least 1; unique in a namespace as long as the interface lives.
    public var index: Int32
    /// The name, bytes that are not printable escaped.
    public var name: String
    /// `ARPHRD_ETHER`, `ARPHRD_LOOPBACK`, ...
    public var hardwareType: UInt16
    /// `IFF_UP`, `IFF_RUNNING`, ...
    public var flags: UInt32
    /// The largest packet without link header, in bytes.
    public var mtu: UInt32
    /// `veth`, `bridge`, `vlan`, ...; nil for hardware and loopback.
    public var kind: String?
    /// The bridge, bond or team this link is a port of.
    public var masterIndex: Int32?
    /// The kernel's IFLA_LINK: the device below, or the other end of a veth pair.
    public var linkedIndex: Int32?
    /// Set when `linkedIndex` is an index in another namespace: that namespace's id, or -1 when it has none here.
    public var linkedNamespace: Int32?
    /// The queueing discipline, for example `fq_codel`; empty when the kernel told none.
    public var queueDiscipline: String
    public var statistics: LinkStatistics

    /// Switched on by the administrator.
    public var isUp: Bool { flags & UInt32(IFF_UP) != 0 }
    /// On, and the kernel holds it able to carry traffic.
    public var isRunning: Bool { isUp && flags & UInt32(IFF_RUNNING) != 0 }
    public var isLoopback: Bool { flags & UInt32(IFF_LOOPBACK) != 0 }

    /// The device in this namespace whose frames this link's are too; a veth's other end is none.
    public var lowerIndex: Int32? {
        guard linkedNamespace == nil, kind != "veth", kind != "netkit" else { return nil }
        return linkedIndex
    }

    /// An Ethernet link that is down and has counted nothing.
    public init(index: Int32, name: String) {
        self.index = index
        self.name = name
        hardwareType = UInt16(ARPHRD_ETHER)
        flags = 0
        mtu = 1500
        queueDiscipline = ""
        statistics = LinkStatistics()
    }

    /// Reads an `RTM_NEWLINK` or `RTM_DELLINK` message; nil for a message of another kind or family.
    ///
    /// Bridges repeat link messages in their own family, where "deleted" only means "no longer a port".
    public init?(_ message: borrowing NetlinkMessage) throws(NetlinkError) {
        guard message.type == UInt16(RTM_NEWLINK) || message.type == UInt16(RTM_DELLINK) else { return nil }
        let header = try message.header(ifinfomsg.self)
        guard header.ifi_family == UInt8(AF_UNSPEC) else { return nil }
        guard header.ifi_index > 0 else { throw .malformed(.value, offset: 4) }
        index = header.ifi_index
        hardwareType = header.ifi_type
        flags = header.ifi_flags
        name = ""
        mtu = 0
        queueDiscipline = ""
        statistics = LinkStatistics()
        var attributes = message.attributes(after: MemoryLayout<ifinfomsg>.size)
        while let attribute = try attributes.next() {
            switch Int(attribute.type) {
            case IFLA_IFNAME: name = attribute.text
            case IFLA_MTU: mtu = try attribute.load(UInt32.self)
            case IFLA_MASTER: masterIndex = try attribute.load(Int32.self)
            case IFLA_LINK: linkedIndex = try attribute.load(Int32.self)
            case IFLA_LINK_NETNSID: linkedNamespace = try attribute.load(Int32.self)
            case IFLA_QDISC: queueDiscipline = attribute.text
            case IFLA_STATS64: statistics = try LinkStatistics(attribute.value)
            case IFLA_LINKINFO: kind = try Self.kind(in: attribute.value)
            default: break
            }
        }
        if masterIndex == 0 { masterIndex = nil }
        if linkedIndex == 0 || (linkedIndex == index && linkedNamespace == nil) { linkedIndex = nil }
    }

    private static func kind(in linkInfo: RawSpan) throws(NetlinkError) -> String? {
        var attributes = NetlinkAttributes(linkInfo)
        while let attribute = try attributes.next() {
            if attribute.type == UInt16(IFLA_INFO_KIND) { return attribute.text }
        }
        return nil
    }
}

/// A link's own counters since it was made. The kernel counts what the driver hands over, after offloads.
public struct LinkStatistics: Equatable, Sendable {
    public var receivedPackets: UInt64 = 0
    public var sentPackets: UInt64 = 0
    public var receivedBytes: UInt64 = 0
    public var sentBytes: UInt64 = 0

    public init() {}

    /// Reads the head of a `rtnl_link_stats64`; its tail differs between kernels.
    init(_ bytes: RawSpan) throws(NetlinkError) {
        guard let receivedPackets = bytes.load(at: 0, as: UInt64.self),
            let sentPackets = bytes.load(at: 8, as: UInt64.self),
            let receivedBytes = bytes.load(at: 16, as: UInt64.self),
            let sentBytes = bytes.load(at: 24, as: UInt64.self)
        else { throw .malformed(.payload, offset: 0) }
        self.receivedPackets = receivedPackets
        self.sentPackets = sentPackets
        self.receivedBytes = receivedBytes
        self.sentBytes = sentBytes
    }
}
