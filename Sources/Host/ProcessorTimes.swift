/// The CPUs' time by use since the host started, from /proc/stat (proc_stat(5)).
public struct ProcessorTimes: Equatable, Sendable {
    /// user, nice, system, idle, iowait, irq, softirq, steal, in clock ticks. Guest time is part of user and nice.
    /// Kernels before 2.6.11 tell fewer; those are 0.
    let ticks: SIMD8<UInt64>
    /// The CPUs that are online.
    public let cores: Int

    /// Reads the head of /proc/stat; nil when it holds no line of all CPUs.
    public init?(_ text: Span<UInt8>) {
        var lines = ByteCursor(text)
        guard var all = lines.line(), let name = all.word(), name.equals("cpu") else { return nil }
        var ticks = SIMD8<UInt64>()
        var count = 0
        while count < 8, let value = all.number() {
            ticks[count] = value
            count += 1
        }
        guard count >= 4 else { return nil }
        var cores = 0
        // The lines of single CPUs follow at once; what comes after them may be long and is not looked at.
        while var line = lines.line(), let name = line.word(), name.starts(with: "cpu") { cores += 1 }
        self.ticks = ticks
        self.cores = cores
    }

    /// The busy share of all CPUs since an earlier reading, 0 to 100 percent; nil when no tick has passed.
    ///
    /// Idle and waiting for a disk are not busy. A counter that went back (iowait may, by the kernel's own
    /// documentation) counts as unchanged.
    public func usage(since earlier: ProcessorTimes) -> Double? {
        let advanced = ticks .> earlier.ticks
        let passed = (ticks &- earlier.ticks).replacing(with: 0, where: .!advanced)
        let total = passed.wrappedSum()
        guard total > 0 else { return nil }
        let idle = passed[3] &+ passed[4]
        return 100 * Double(total &- idle) / Double(total)
    }
}
