import CLinux
import Glibc

/// Reads the links, addresses and routes of a network namespace. Needs no privilege.
public struct LinkTables: ~Copyable, Sendable {
    /// How many links or addresses are read at most; the kernel has no limit of its own.
    public static let limit = 65_536

    private var socket: NetlinkSocket
    /// How many links, addresses and default routes beyond the limit were left out so far.
    public private(set) var turnedAway = 0

    /// Opens a socket in the calling thread's network namespace.
    public init() throws(NetlinkError) {
        socket = try NetlinkSocket(.route)
    }

    /// All links, by index.
    public mutating func links() throws(NetlinkError) -> [Link] {
        let dump = try socket.dump("RTM_GETLINK", type: UInt16(RTM_GETLINK), payload: ifinfomsg(), limit: Self.limit) {
            (message) throws(NetlinkError) in try Link(message)
        }
        turnedAway += dump.turnedAway
        return dump.elements.sorted { $0.index < $1.index }
    }

    /// All addresses, IPv4 and IPv6, of all links.
    public mutating func addresses() throws(NetlinkError) -> [LinkAddress] {
        let dump = try socket.dump("RTM_GETADDR", type: UInt16(RTM_GETADDR), payload: ifaddrmsg(), limit: Self.limit) {
            (message) throws(NetlinkError) in try LinkAddress(message)
        }
        turnedAway += dump.turnedAway
        return dump.elements
    }

    /// The default route that packets take: IPv4's of the lowest metric, without one IPv6's, else nil.
    ///
    /// The kernel has no way to ask for the default routes alone: a host with a full routing table sends it whole.
    public mutating func defaultRoute() throws(NetlinkError) -> DefaultRoute? {
        for family in [InternetAddress.Family.v4, .v6] {
            var request = rtmsg()
            request.rtm_family = family.kernel
            request.rtm_table = UInt8(RT_TABLE_MAIN.rawValue)
            let dump = try socket.dump("RTM_GETROUTE", type: UInt16(RTM_GETROUTE), payload: request, limit: Self.limit)
            {
                (message) throws(NetlinkError) in try DefaultRoute(message)
            }
            turnedAway += dump.turnedAway
            // Of equal metrics the kernel takes the first it lists, and so does min(by:).
            if let best = dump.elements.min(by: { $0.metric < $1.metric }) { return best }
        }
        return nil
    }
}
