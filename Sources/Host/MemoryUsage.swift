/// The host's memory, from /proc/meminfo (proc_meminfo(5)); bytes.
public struct MemoryUsage: Equatable, Sendable {
    public let total: UInt64
    /// What new work could have without swapping, as the kernel estimates it. At most `total`.
    public let available: UInt64
    /// What is not available.
    public var used: UInt64 { total - available }

    /// Reads /proc/meminfo; nil when the total is missing.
    ///
    /// Kernels before 3.14 do not estimate; there it is free memory, buffers and page cache.
    public init?(_ text: Span<UInt8>) {
        var total: UInt64?
        var available: UInt64?
        var reclaimable: UInt64 = 0
        var lines = ByteCursor(text)
        while var line = lines.line() {
            guard let name = line.word(), let kibibytes = line.number() else { continue }
            let (bytes, overflow) = kibibytes.multipliedReportingOverflow(by: 1024)
            guard !overflow else { continue }
            if name.equals("MemTotal:") {
                total = bytes
            } else if name.equals("MemAvailable:") {
                available = bytes
                break
            } else if name.equals("MemFree:") || name.equals("Buffers:") || name.equals("Cached:") {
                reclaimable = reclaimable &+ bytes
            }
        }
        guard let total, total > 0 else { return nil }
        self.total = total
        self.available = min(total, available ?? reclaimable)
    }
}
