import CLinux
import Glibc

/// Messages as the kernel writes them.
enum MessageSamples {
    /// `RTM_NEWLINK` of a link; the attributes are those of a real kernel's answer that we read, and one that we do not.
    static func link(
        type: Int = Int(RTM_NEWLINK),
        family: UInt8 = 0,
        index: Int32 = 7,
        flags: UInt32 = 0x1_1043,
        name: [UInt8] = Array("veth0".utf8),
        kind: String? = "veth",
        lower: Int32? = 6,
        namespace: Int32? = nil,
        master: Int32? = nil
    ) -> [UInt8] {
        NetlinkBytes.message(type) { message in
            message.bytes += [family, 0]  // family, padding
            message.add(UInt16(1))  // ARPHRD_ETHER
            message.add(index)
            message.add(flags)
            message.add(UInt32(0))  // change mask
            message.attribute(Int(IFLA_IFNAME), name + [0])
            message.attribute(Int(IFLA_MTU), UInt32(1500))
            message.attribute(Int(IFLA_QDISC), Array("noqueue".utf8) + [0])
            message.attribute(Int(IFLA_ADDRESS), [2, 0, 0, 0, 0, 1])
            if let lower { message.attribute(Int(IFLA_LINK), lower) }
            if let namespace { message.attribute(Int(IFLA_LINK_NETNSID), namespace) }
            if let master { message.attribute(Int(IFLA_MASTER), master) }
            message.attribute(Int(IFLA_STATS64)) { statistics in
                for value in 11...35 { statistics.add(UInt64(value)) }  // rx and tx packets, rx and tx bytes, ...
            }
            guard let kind else { return }
            message.attribute(Int(IFLA_LINKINFO)) { $0.attribute(Int(IFLA_INFO_KIND), Array(kind.utf8)) }
        }
    }

    /// `RTM_NEWADDR`: our end and the other of a point-to-point link.
    static let address = NetlinkBytes.message(Int(RTM_NEWADDR)) { message in
        message.bytes += [UInt8(AF_INET), 24, 0x80, 0]  // family, prefix length, flags, scope
        message.add(UInt32(3))  // link
        message.attribute(Int(IFA_ADDRESS), [192, 0, 2, 9])
        message.attribute(Int(IFA_LOCAL), [192, 0, 2, 1])
    }

    /// `RTM_NEWROUTE` to a destination of that prefix length.
    static func route(
        family: Int32 = AF_INET,
        destinationLength: UInt8 = 0,
        type: Int = RTN_UNICAST,
        table: UInt32 = 254,
        link: Int32 = 2,
        metric: UInt32? = nil
    ) -> [UInt8] {
        NetlinkBytes.message(Int(RTM_NEWROUTE)) { message in
            message.bytes += [UInt8(family), destinationLength, 0, 0]  // family, destination, source, type of service
            message.bytes += [UInt8(truncatingIfNeeded: table), 3, 0, UInt8(type)]  // table, protocol, scope, type
            message.add(UInt32(0))  // flags
            message.attribute(Int(RTA_TABLE.rawValue), table)
            message.attribute(Int(RTA_OIF.rawValue), link)
            if let metric { message.attribute(Int(RTA_PRIORITY.rawValue), metric) }
        }
    }

    /// A `SOCK_DIAG_BY_FAMILY` answer for [2001:db8::1]:6379, IPv6 only.
    static let socket = NetlinkBytes.message(Int(SOCK_DIAG_BY_FAMILY)) { message in
        message.bytes += [UInt8(AF_INET6), 10, 0, 0]  // family, LISTEN, timer, retransmits
        message.add(UInt16(6379).bigEndian)  // source port
        message.add(UInt16(0))  // destination port
        message.bytes += [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]  // source
        message.bytes += [UInt8](repeating: 0, count: 16)  // destination
        message.add(UInt32(4))  // bound to link 4
        message.add(UInt64(77))  // cookie
        for value: UInt32 in [0, 0, 511, 1000, 4711] { message.add(value) }  // expires, queues, user id, inode
        message.attribute(Int(INET_DIAG_SKV6ONLY), UInt8(1))
    }
}
