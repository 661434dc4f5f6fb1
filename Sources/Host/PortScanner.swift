public import Linux

/// What listens on the host, as read from the kernel; a plain value that can cross a process border.
public struct PortSnapshot: Equatable, Sendable {
    public var sockets: [ListeningSocket]
    /// The processes that hold each socket, by inode; the one that serves it first.
    public var owners: [UInt32: [SocketOwner]]
    /// The host's own addresses.
    public var addresses: [LinkAddress]
    /// How many sockets were left out since the start, because one kind had more than `SocketDiagnostics.limit`.
    public var turnedAway: Int
    /// Transports whose sockets the kernel cannot list.
    public var unavailable: Set<SocketTransport>

    public init(
        sockets: [ListeningSocket],
        owners: [UInt32: [SocketOwner]],
        addresses: [LinkAddress],
        turnedAway: Int = 0,
        unavailable: Set<SocketTransport> = []
    ) {
        self.sockets = sockets
        self.owners = owners
        self.addresses = addresses
        self.turnedAway = turnedAway
        self.unavailable = unavailable
    }
}

/// The privileged half of the port list: asks the kernel, judges nothing.
public struct PortScanner: ~Copyable, Sendable {
    private var diagnostics: SocketDiagnostics
    private var tables: LinkTables
    private var owners = SocketOwners()

    /// Opens sockets in the calling thread's network namespace, whose listeners it will list.
    public init() throws(NetlinkError) {
        let diagnostics = try SocketDiagnostics()
        let tables = try LinkTables()
        self.diagnostics = diagnostics
        self.tables = tables
    }

    /// Reads what listens now and which processes hold it.
    public mutating func scan() throws(NetlinkError) -> PortSnapshot {
        let sockets = try diagnostics.listeners()
        return PortSnapshot(
            sockets: sockets,
            owners: owners.find(sockets),
            addresses: try tables.addresses(),
            turnedAway: diagnostics.turnedAway,
            unavailable: diagnostics.unavailable
        )
    }
}
