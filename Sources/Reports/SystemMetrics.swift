/// The host's load at one moment.
public struct SystemMetrics: Equatable, Sendable {
    /// Busy time of all CPUs, percent 0-100.
    public var cpuUsage: Double
    /// Logical CPUs.
    public var cores: Int
    public var processes: Int
    /// Bytes; `memoryAvailable` is the kernel's MemAvailable. Used memory is total less available.
    public var memoryTotal: UInt64
    public var memoryAvailable: UInt64
    /// Bytes of the filesystem watched.
    public var diskTotal: UInt64
    public var diskUsed: UInt64
    /// Bytes per second over all disks.
    public var diskReadRate: Double
    public var diskWriteRate: Double

    public init(
        cpuUsage: Double,
        cores: Int,
        processes: Int,
        memoryTotal: UInt64,
        memoryAvailable: UInt64,
        diskTotal: UInt64,
        diskUsed: UInt64,
        diskReadRate: Double,
        diskWriteRate: Double
    ) {
        self.cpuUsage = cpuUsage
        self.cores = cores
        self.processes = processes
        self.memoryTotal = memoryTotal
        self.memoryAvailable = memoryAvailable
        self.diskTotal = diskTotal
        self.diskUsed = diskUsed
        self.diskReadRate = diskReadRate
        self.diskWriteRate = diskWriteRate
    }

    /// `{"cpu","memory","disk"}`: GiB with one decimal, MB/s (10^6 bytes) with one decimal, percent with one decimal.
    func write(to json: inout JSONWriter) {
        func gibibytes(_ bytes: UInt64) -> Double { Double(bytes) / 1_073_741_824 }
        json.object("cpu") { json in
            json.field("usage", min(max(cpuUsage, 0), 100), places: 1)
            json.field("cores", cores)
            json.field("processes", processes)
        }
        json.object("memory") { json in
            let available = min(memoryAvailable, memoryTotal)
            json.field("used", gibibytes(memoryTotal - available), places: 1)
            json.field("total", gibibytes(memoryTotal), places: 1)
            json.field("available", gibibytes(available), places: 1)
        }
        json.object("disk") { json in
            json.field("used", gibibytes(diskUsed), places: 1)
            json.field("total", gibibytes(diskTotal), places: 1)
            json.field("readSpeed", max(diskReadRate, 0) / 1_000_000, places: 1)
            json.field("writeSpeed", max(diskWriteRate, 0) / 1_000_000, places: 1)
        }
    }
}

/// Limits of the control group the sensor runs in; what has no limit is nil.
public struct CgroupLimits: Equatable, Sendable {
    public var path: String
    /// Bytes.
    public var memoryLimit: UInt64?
    public var memoryUsed: UInt64?
    /// CPUs, for example 1.5.
    public var cpuLimit: Double?
    public var processLimit: UInt64?

    public init(
        path: String,
        memoryLimit: UInt64? = nil,
        memoryUsed: UInt64? = nil,
        cpuLimit: Double? = nil,
        processLimit: UInt64? = nil
    ) {
        self.path = path
        self.memoryLimit = memoryLimit
        self.memoryUsed = memoryUsed
        self.cpuLimit = cpuLimit
        self.processLimit = processLimit
    }

    func write(to json: inout JSONWriter) {
        json.field("path", path, limit: 256)
        if let memoryLimit { json.field("memoryLimit", memoryLimit) }
        if let memoryUsed { json.field("memoryUsed", memoryUsed) }
        if let cpuLimit { json.field("cpuLimit", cpuLimit, places: 2) }
        if let processLimit { json.field("processLimit", processLimit) }
    }
}
