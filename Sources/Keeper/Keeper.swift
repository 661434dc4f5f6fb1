public import Host
public import Linux

/// The privileged verbs: everything that needs a capability, and nothing else.
///
/// Today they run in the sensor's own process. Requests and answers are plain values and descriptors, so that the keeper
/// can become a process of its own behind a socket pair. No parser, no HTTP and no model ever runs on its side.
public protocol Keeper: AnyObject {
    /// Loads the counting programs and makes their maps; the caller reads the maps without privilege.
    func loadCounting(clients: Int) throws(KeeperError) -> CountingMaps

    /// Runs the counting programs on both directions of an interface.
    /// - Parameters:
    ///   - isRawIP: whether its frames begin with the IP header.
    ///   - countsPorts: whether its packets count towards ports, services and clients.
    func attachCounting(_ interface: UInt32, isRawIP: Bool, countsPorts: Bool) throws(KeeperError) -> CountingHook

    /// Whether the programs still run there; another tool may have taken them off, or the interface is gone.
    func isCounting(_ interface: UInt32) -> Bool

    /// Takes our programs off an interface, and nothing that is not ours.
    func detachCounting(_ interface: UInt32)

    /// Loads the sampling filter for one kind of frames; the caller reads and steers it through the maps.
    func loadSampling(isRawIP: Bool) throws(KeeperError) -> SamplingMaps

    /// Loads the program that shares frames out among rings.
    /// - Parameters:
    ///   - keys: of the hash that shards are found by.
    ///   - rings: rings of each interface.
    func loadSharing(isRawIP: Bool, keys: [5 of UInt64], rings: Int) throws(KeeperError)

    /// Opens one of an interface's rings; the workers' in their order. Nothing arrives before the filter stands.
    func openRing(_ request: RingRequest) throws(KeeperError) -> OpenedRing

    /// What listens on this host, and which process holds it.
    func listeners() throws(KeeperError) -> PortSnapshot
}

/// Where the counting programs run.
public enum CountingHook: Sendable {
    /// At the head of the list that other tools' tcx and tc programs stand in.
    case tcx
    /// A clsact filter; other filters may stand before it.
    case tc
}

/// Which ring is wanted.
public struct RingRequest: Equatable, Sendable {
    /// Index of the interface.
    public var interface: UInt32
    public var geometry: RingGeometry
    /// Whether the interface's frames begin with the IP header.
    public var isRawIP: Bool
    /// False where the filter could not be loaded: every frame then passes, whole.
    public var isFiltered: Bool
    public var sharing: Sharing

    /// Whom an interface's frames are shared with.
    public enum Sharing: Equatable, Sendable {
        /// Nobody: this ring has them all.
        case alone
        /// A group that begins with this ring.
        case first
        case joins(FanoutGroup)
    }

    public init(interface: UInt32, geometry: RingGeometry, isRawIP: Bool, isFiltered: Bool, sharing: Sharing) {
        self.interface = interface
        self.geometry = geometry
        self.isRawIP = isRawIP
        self.isFiltered = isFiltered
        self.sharing = sharing
    }
}

/// A ring that was opened: its reader maps it through the socket's descriptor.
public struct OpenedRing: ~Copyable, Sendable {
    public let socket: PacketSocket
    /// The ring there is: smaller than wanted where the kernel was short of memory.
    public let geometry: RingGeometry

    public consuming func take() -> PacketSocket { socket }
}
