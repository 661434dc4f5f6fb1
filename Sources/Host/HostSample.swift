/// The host's own condition at one moment; rates are over the time since the sample before.
public struct HostSample: Equatable, Sendable {
    /// CLOCK_MONOTONIC, in nanoseconds.
    public var time: Int64
    /// The busy share of all CPUs, 0 to 100 percent; 0 until a clock tick has passed.
    public var processorUsage: Double
    /// CPUs online.
    public var cores: Int
    /// Processes that this process may see, zombies included.
    public var processes: Int
    public var memory: MemoryUsage
    public var load: LoadAverage?
    /// Nil when the filesystem cannot be asked.
    public var diskSpace: DiskSpace?
    /// Whole disks only; nil where the kernel has no /proc/diskstats.
    public var diskRates: DiskRates?
    public var limits: ControlGroupLimits
}
