/// Traffic of the watched interfaces at one moment, in Mbit/s: 10^6 bits of L2 bytes a second.
public struct SpeedPoint: Equatable, Sendable {
    public var time: WallTime
    public var download: Double
    public var upload: Double

    public init(time: WallTime, download: Double, upload: Double) {
        self.time = time
        self.download = download
        self.upload = upload
    }

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("timestamp", time, digits: .milliseconds)
            json.field("download", max(download, 0), places: 2)
            json.field("upload", max(upload, 0), places: 2)
        }
    }
}

/// The one snapshot of the host that is published at every interval.
public struct Report: Equatable, Sendable {
    public var time: WallTime
    /// False when no interface is up, capture has failed, or monitoring was stopped.
    public var isConnected: Bool
    /// Oldest first.
    public var speeds: [SpeedPoint]
    public var metrics: SystemMetrics
    /// TCP, one row per port; shown in the order of their numbers.
    public var ports: [OpenPort]
    /// UDP, likewise, in an array of its own because consumers key rows on the port number.
    public var udpPorts: [OpenPort]
    /// The most important first: when room is short the last ones are left out.
    public var interfaces: [InterfaceTotals]
    /// Open incidents, newest first; 20 at most are shown.
    public var threats: [Threat]
    /// How many incidents are open.
    public var openThreats: Int
    public var ledger: LedgerCounts
    public var sampling: SamplingStatus
    public var cgroup: CgroupLimits?

    public init(
        time: WallTime,
        isConnected: Bool,
        speeds: [SpeedPoint],
        metrics: SystemMetrics,
        ports: [OpenPort],
        udpPorts: [OpenPort],
        interfaces: [InterfaceTotals],
        threats: [Threat] = [],
        openThreats: Int? = nil,
        ledger: LedgerCounts,
        sampling: SamplingStatus,
        cgroup: CgroupLimits? = nil
    ) {
        self.time = time
        self.isConnected = isConnected
        self.speeds = speeds
        self.metrics = metrics
        self.ports = ports
        self.udpPorts = udpPorts
        self.interfaces = interfaces
        self.threats = threats
        self.openThreats = openThreats ?? threats.count
        self.ledger = ledger
        self.sampling = sampling
        self.cgroup = cgroup
    }
}
