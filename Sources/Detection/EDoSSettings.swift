import Packets

/// From when on cost is an incident, and what is kept to tell. Defaults without a source were chosen for this sensor.
public struct EDoSSettings: Equatable, Sendable {
    public var prices = CostPrices()

    // Bounds.

    /// Services; each takes 0.5 KiB, and 6 KiB once it has done much.
    public var services = 1_024
    /// Clients of services, and groups of clients; each takes 0.4 KiB.
    public var clients = 4_096
    public var groups = 1_024
    /// Connections that are watched since they ask for nothing.
    public var connections = 4_096
    /// Services whose weeks are learnt; each takes 7 KiB.
    public var baselines = 512
    /// Leading bits by which clients are one group: what one customer of a network usually has.
    public var groupBitsIPv4: UInt8 = 24
    public var groupBitsIPv6: UInt8 = 48

    // What counts.

    /// Whether what clients at home get counts too: usually nobody is paid for it.
    public var countsInternal = false
    /// Services that do not count for clients of private networks: databases, queues and file servers between machines.
    public var internalPorts: Set<UInt16> = [
        111, 139, 389, 445, 514, 636, 1433, 1521, 2049, 2379, 2380, 3260, 3306, 4222, 5432, 5672, 6379, 6443, 8086,
        9042, 9092, 9100, 9200, 9300, 10_250, 11_211, 26_379, 27_017, 50_000,
    ]
    /// Bytes that cost as much as one request, for what is judged: at usual list prices of 0.09 USD per GB out and 1 USD per
    /// million requests.
    public var requestBytes = 11_000.0
    /// Load in an hour (bytes out, and ``requestBytes`` for each request) below which no cost is an incident: 1 GB, or 90,000
    /// requests; about 65 USD in a month.
    public var floor = 1e9

    // Leech: one client, or one group.

    /// Minutes for which it must go on: longer than most downloads and nightly backups.
    public var leechTime = 120.0
    /// The same for less than three requests: one very long download.
    public var downloadTime = 360.0
    /// Minutes without traffic that do not end an episode.
    public var pause: Int64 = 10
    /// Its share in the service's cost.
    public var share = 0.5
    /// A client works like a machine if its records' loads spread by less, in octaves...
    public var spread = 0.5
    /// ...or if its minutes vary by less: coefficient of variation, times the root of how many connections it has at a time.
    /// That is above 1 for any number of people who do not know of each other.
    public var variation = 0.5

    // Sustained: more than usual, for long.

    /// Sum of distances above which a CUSUM has found a change, in standard deviations: see ``ChangeScore``.
    public var change = 20.0
    /// The least standard deviation of a minute that is believed, in octaves.
    public var leastScale = 0.25
    /// Times the usual load that is too much, for every EDoS class but holding.
    public var factor = 1.5
    /// Share of what is more than usual that clients must cause who stay and work like machines: what a flash crowd lacks.
    public var stayShare = 0.5
    /// Minutes that they must have stayed if they are at least ``crowd``; fewer: ``leechTime``.
    public var stayTime = 30.0
    public var crowd = 10.0

    // Pulsing.

    /// Minutes that it is on each time: what is shorter starts no instance.
    public var pulse = 0.5
    /// Periods in a row.
    public var periods = 3.0
    /// Minutes that they must take together.
    public var pulseTime = 30.0
    /// Autocorrelation at the period, 0 ... 1.
    public var correlation = 0.5
    /// Load while it is on, as a multiple of that while it is off.
    public var contrast = 3.0
    /// Periods that are looked for, in units of 10 s: 1 to 30 minutes.
    public var shortestPeriod = 6
    public var longestPeriod = 180

    // Holding.

    /// Connections that one client or group holds at a time, and all together.
    public var held = 10.0
    public var heldByAll = 500.0
    /// Minutes for which they are held, on average.
    public var heldTime = 10.0

    // Learning.

    /// Hours that must pass without an incident before an hour is learnt.
    public var probation = 3
    /// Days of one incident after which it is taken for usual: an operator who did nothing has accepted it.
    public var acceptance: Int64 = 14

    public init() {}

    func groupBits(_ family: Family) -> UInt8 { family == .ipv4 ? groupBitsIPv4 : groupBitsIPv6 }

    /// With amounts and times multiplied. What shares and likenesses are is no matter of how much.
    func scaled(by scale: Double) -> EDoSSettings {
        var scaled = self
        for level in [
            \EDoSSettings.floor, \.leechTime, \.downloadTime, \.change, \.stayTime, \.pulseTime, \.held, \.heldByAll,
            \.heldTime,
        ] { scaled[keyPath: level] *= scale }
        return scaled
    }
}
