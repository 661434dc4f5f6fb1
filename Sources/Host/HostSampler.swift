import Glibc
import Linux

/// Samples the host. Keeps its files open and its buffers; a sample never waits.
public struct HostSampler: ~Copyable, Sendable {
    private static let limitsPeriod: Int64 = 30_000_000_000

    private let statFile: ProcFile
    private let memoryFile: ProcFile
    private let loadFile: ProcFile?
    private let diskFile: ProcFile?
    private let processFolder: Directory
    private let diskPath: String

    private var buffer = [UInt8](repeating: 0, count: 16_384)
    private var processor: ProcessorTimes
    private var usage = 0.0
    private var selection = DiskSelection()
    private var disks: [DiskStatistics] = []
    private var spareDisks: [DiskStatistics] = []
    private var diskTime: Int64
    private var limits: ControlGroupLimits
    private var limitsTime: Int64

    /// Opens the files and takes the reading that the first sample's rates refer to.
    /// - Parameter diskPath: names the filesystem whose space is told.
    public init(diskPath: String = "/") throws(HostError) {
        let statFile: ProcFile
        let memoryFile: ProcFile
        let processFolder: Directory
        statFile = try Self.open("/proc/stat")
        memoryFile = try Self.open("/proc/meminfo")
        do throws(SystemError) {
            processFolder = try Directory("/proc")
        } catch {
            throw .system(error)
        }
        let processor = try Self.processorTimes(statFile, &buffer)
        self.statFile = statFile
        self.memoryFile = memoryFile
        self.processFolder = processFolder
        self.processor = processor
        loadFile = try? ProcFile("/proc/loadavg")
        diskFile = try? ProcFile("/proc/diskstats")
        self.diskPath = diskPath
        limits = .current()
        limitsTime = Clock.monotonic.now()
        diskTime = limitsTime
        _ = diskRates(at: diskTime)
    }

    /// The host now; rates are those since the sample before, or since `init`.
    public mutating func sample() throws(HostError) -> HostSample {
        let now = Clock.monotonic.now()
        let times = try Self.processorTimes(statFile, &buffer)
        // Two samples within one tick of the kernel's clock tell nothing new.
        if let usage = times.usage(since: processor) {
            self.usage = usage
            processor = times
        }
        if now &- limitsTime >= Self.limitsPeriod {
            limits = .current()
            limitsTime = now
        }
        var processes = 0
        processFolder.forEachNumber { _ in
            processes += 1
            return true
        }
        return HostSample(
            time: now,
            processorUsage: usage,
            cores: times.cores,
            processes: processes,
            memory: try memoryUsage(),
            load: loadAverage(),
            diskSpace: try? DiskSpace(path: diskPath),
            diskRates: diskRates(at: now),
            limits: limits
        )
    }

    private mutating func memoryUsage() throws(HostError) -> MemoryUsage {
        let count = try Self.read(memoryFile, &buffer)
        guard let memory = MemoryUsage(buffer.span.extracting(first: count)) else { throw .unreadable("/proc/meminfo") }
        return memory
    }

    private mutating func loadAverage() -> LoadAverage? {
        guard let count = try? loadFile?.read(into: &buffer) else { return nil }
        return LoadAverage(buffer.span.extracting(first: count))
    }

    private mutating func diskRates(at now: Int64) -> DiskRates? {
        guard let count = try? diskFile?.read(into: &buffer) else { return nil }
        // The two row arrays take turns, so that neither is allocated again.
        var (selection, rows) = (self.selection, spareDisks)
        spareDisks = []
        DiskStatistics.read(buffer.span.extracting(first: count), into: &rows) { selection.isDisk($0, $1) }
        self.selection = selection
        let rates = DiskRates(from: disks, to: rows, seconds: Double(now &- diskTime) / 1e9)
        (spareDisks, disks, diskTime) = (disks, rows, now)
        return rates
    }

    private static func processorTimes(
        _ file: borrowing ProcFile,
        _ buffer: inout [UInt8]
    ) throws(HostError) -> ProcessorTimes {
        let count = try read(file, &buffer)
        guard let times = ProcessorTimes(buffer.span.extracting(first: count)) else { throw .unreadable("/proc/stat") }
        return times
    }

    private static func open(_ path: String) throws(HostError) -> ProcFile {
        do throws(SystemError) {
            return try ProcFile(path)
        } catch {
            throw .system(error)
        }
    }

    private static func read(_ file: borrowing ProcFile, _ buffer: inout [UInt8]) throws(HostError) -> Int {
        do throws(SystemError) {
            return try file.read(into: &buffer)
        } catch {
            throw .system(error)
        }
    }
}
