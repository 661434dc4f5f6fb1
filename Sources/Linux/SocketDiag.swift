import CLinux
import Glibc

/// The transport protocol of a socket.
public enum SocketTransport: UInt8, Hashable, Sendable, Comparable {
    case tcp = 6
    case udp = 17

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A socket that waits for strangers: a TCP listener, or a UDP socket bound to a port and not connected.
public struct ListeningSocket: Equatable, Hashable, Sendable {
    public var transport: SocketTransport
    public var address: InternetAddress
    /// 1 to 65,535.
    public var port: UInt16
    /// The link it is bound to (`SO_BINDTODEVICE`), 0 for any.
    public var linkIndex: UInt32
    /// Identifies the socket in /proc/PID/fd; 0 when no process holds it.
    public var inode: UInt32
    /// The user id that made the socket.
    public var userID: UInt32
    /// An IPv6 socket that does not take IPv4 connections.
    public var isV6Only: Bool

    public init(
        transport: SocketTransport,
        address: InternetAddress,
        port: UInt16,
        linkIndex: UInt32 = 0,
        inode: UInt32 = 0,
        userID: UInt32 = 0,
        isV6Only: Bool = false
    ) {
        self.transport = transport
        self.address = address
        self.port = port
        self.linkIndex = linkIndex
        self.inode = inode
        self.userID = userID
        self.isV6Only = isV6Only
    }

    /// Reads a `SOCK_DIAG_BY_FAMILY` answer; nil for another message or a socket without a local port.
    public init?(_ message: borrowing NetlinkMessage, transport: SocketTransport) throws(NetlinkError) {
        guard message.type == UInt16(SOCK_DIAG_BY_FAMILY) else { return nil }
        let header = try message.header(inet_diag_msg.self)
        let source = MemoryLayout<inet_diag_msg>.offset(of: \.id.idiag_src) ?? 8
        guard let family = InternetAddress.Family(kernel: header.idiag_family),
            let address = InternetAddress(family, message.payload, at: source)
        else { throw .malformed(.value, offset: 0) }
        let port = UInt16(bigEndian: header.id.idiag_sport)
        guard port != 0 else { return nil }
        var isV6Only = false
        var attributes = message.attributes(after: MemoryLayout<inet_diag_msg>.size)
        while let attribute = try attributes.next() {
            if attribute.type == UInt16(INET_DIAG_SKV6ONLY) { isV6Only = try attribute.load(UInt8.self) != 0 }
        }
        self.init(
            transport: transport,
            address: address,
            port: port,
            linkIndex: header.id.idiag_if,
            inode: header.idiag_inode,
            userID: header.idiag_uid,
            isV6Only: isV6Only
        )
    }
}

/// Lists the sockets of a network namespace through sock_diag(7).
public struct SocketDiagnostics: ~Copyable, Sendable {
    /// How many sockets of one transport and family are listed at most.
    public static let limit = 65_536

    private var socket: NetlinkSocket
    /// How many sockets beyond the limit were left out so far.
    public private(set) var turnedAway = 0
    /// Transports whose sockets this kernel cannot list: its module (tcp_diag, udp_diag) is missing.
    public private(set) var unavailable: Set<SocketTransport> = []

    /// Opens a socket in the calling thread's network namespace.
    public init() throws(NetlinkError) {
        socket = try NetlinkSocket(.diagnostics)
    }

    /// All TCP listeners and unconnected bound UDP sockets. The kernel filters by state.
    ///
    /// A client that sends by `sendto` without connecting is not told apart from a UDP server.
    public mutating func listeners() throws(NetlinkError) -> [ListeningSocket] {
        var sockets: [ListeningSocket] = []
        for transport in [SocketTransport.tcp, .udp] {
            do throws(NetlinkError) {
                for family in [InternetAddress.Family.v4, .v6] {
                    sockets.append(contentsOf: try listeners(transport, family))
                }
                unavailable.remove(transport)
            } catch .refused(_, let errno) where errno.rawValue == ENOENT {
                unavailable.insert(transport)
            }
        }
        return sockets
    }

    /// How many TCP connections wait for the last packet of their handshake; at most ``limit`` of each family are counted.
    public mutating func halfOpenConnections() throws(NetlinkError) -> Int {
        var count = 0
        for family in [InternetAddress.Family.v4, .v6] {
            var request = inet_diag_req_v2()
            request.sdiag_family = family.kernel
            request.sdiag_protocol = SocketTransport.tcp.rawValue
            request.idiag_states = 1 << UInt32(TCP_SYN_RECV)
            let dump = try socket.dump(
                "SOCK_DIAG_BY_FAMILY",
                type: UInt16(SOCK_DIAG_BY_FAMILY),
                payload: request,
                limit: Self.limit
            ) { (_) throws(NetlinkError) in () }
            count += dump.elements.count
        }
        return count
    }

    private mutating func listeners(
        _ transport: SocketTransport,
        _ family: InternetAddress.Family
    ) throws(NetlinkError) -> [ListeningSocket] {
        var request = inet_diag_req_v2()
        request.sdiag_family = family.kernel
        request.sdiag_protocol = transport.rawValue
        // A UDP socket that is not connected is in the state the kernel calls CLOSE.
        request.idiag_states = 1 << UInt32(transport == .tcp ? TCP_LISTEN : TCP_CLOSE)
        let dump = try socket.dump(
            "SOCK_DIAG_BY_FAMILY",
            type: UInt16(SOCK_DIAG_BY_FAMILY),
            payload: request,
            limit: Self.limit
        ) { (message) throws(NetlinkError) in
            try ListeningSocket(message, transport: transport)
        }
        turnedAway += dump.turnedAway
        return dump.elements
    }
}
