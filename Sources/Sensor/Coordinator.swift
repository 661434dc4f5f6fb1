import Capture
import Detection
import Flows
import Glibc
import Host
import Keeper
import Linux
import Logging
import Packets
import Publishing
import Reports
import Synchronization

/// The one thread that moves everything that is not a packet: interfaces, windows, ports, reports, commands.
///
/// Once a second it makes a window of what was counted, at every interval a report, and it judges each window of the packets'
/// own clock as it ends. It never waits for Redis or HTTP.
final class Coordinator {
    let configuration: Configuration
    let keeper: any Keeper
    let logger: Logger
    let shared: SensorState
    let publisher: RedisPublisher
    let flowPublisher: FlowPublisher
    let threatPublisher: ThreatPublisher
    let workers: [SamplingWorker]
    let started = Clock.monotonic.now()
    /// Wall time less monotonic time at the start.
    let wallOffset = Clock.realtime.now() - Clock.monotonic.now()

    var monitor: LinkMonitor
    var tables: LinkTables
    var host: HostSampler
    var counting: KernelCounters?
    var sampling: [Bool: KernelSampling] = [:]
    let shardMap: ShardMap

    var isMonitoring = true
    var watches: [Int32: Watch] = [:]
    var epochs: [String: UInt32] = [:]
    var unwatched: [SensorStatus.Unwatched] = []
    var missing: [String] = []
    var preferred: Int32?
    var selectionIsStale = true

    var overload: Overload
    var sampled = Sampling()
    /// In the window before.
    var lastSampling = SamplingCounters()
    /// What the filter let through in the last two seconds; nil where there is none.
    var filtering: SamplingCounters?
    /// Of each worker, at the last window.
    var processorTime: [UInt64]
    var lastWindow: Int64
    var speeds: SpeedSeries
    var traffic = SpeedSeries.Totals()
    /// When the counters were read that the status shows.
    var counted = WallTime.now
    var ledger = Ledger()
    var residueSince: Int64?
    var lastResidue: UInt64 = 0
    var detection: Detection
    /// Windows that have not ended for all workers, by number.
    var observations: [Int64: Observation] = [:]
    /// The addresses of the watched interfaces, and what is taken for ours.
    var ownAddresses: [Prefix] = []
    var home: [Prefix] = []
    var listenMonitor: ListenMonitor?
    var listenStatistics = ListenStatistics()
    var diagnostics: SocketDiagnostics?
    var listening: PortSnapshot?
    var ports: [ListeningPort] = []
    var portRows: (tcp: [OpenPort], udp: [OpenPort]) = ([], [])
    var portsFailure: String?
    var sampleOfHost: HostSample

    static let second: Int64 = 1_000_000_000

    init(
        configuration: Configuration,
        keeper: any Keeper,
        publisher: RedisPublisher,
        flowPublisher: FlowPublisher,
        threatPublisher: ThreatPublisher,
        shared: SensorState,
        logger: Logger
    ) throws(SensorError) {
        self.configuration = configuration
        self.keeper = keeper
        self.publisher = publisher
        self.flowPublisher = flowPublisher
        self.threatPublisher = threatPublisher
        self.shared = shared
        self.logger = logger
        shardMap = shared.shardMap
        workers = shared.workers
        processorTime = workers.map { _ in 0 }
        lastWindow = started
        overload = Overload(lowest: UInt32(clamping: configuration.sample.oneIn))
        detection = Detection(configuration.detect.settings, sensor: shared.id)
        listenMonitor = try? ListenMonitor()
        listenStatistics = (try? listenMonitor?.statistics()) ?? ListenStatistics()
        diagnostics = try? SocketDiagnostics()
        speeds = SpeedSeries(capacity: configuration.publish.points)
        do {
            monitor = try LinkMonitor()
            tables = try LinkTables()
            host = try HostSampler(diskPath: configuration.disk.path)
            sampleOfHost = try host.sample()
        } catch {
            throw .start("cannot read the host's state: \(error)")
        }
    }

    // MARK: - The loop

    /// Runs until a stop signal or `stop`; leaves the interfaces as they were found.
    func run(signals: borrowing SignalSource) {
        prepare()
        var poller = Poller()
        let signalPlace = poller.add(signals.descriptor)
        let commandPlace = poller.add(shared.wake.descriptor)
        _ = poller.add(watching: monitor.pollDescriptor)
        let interval = Int64(configuration.publish.interval * 1e9)
        // Both beats begin with the first document: to prepare takes a while.
        let begin = Clock.monotonic.now()
        var nextWindow = begin + Self.second
        var nextReport = begin + interval
        var nextJudgement = nextJudgement(after: begin)
        speeds.add(traffic, at: begin, wall: .now)
        report()
        while true {
            let now = Clock.monotonic.now()
            let due = min(nextWindow, nextReport, nextJudgement)
            // Round up: waking a fraction of a millisecond early would only spin.
            _ = try? poller.wait(milliseconds: Int(max(0, (due - now + 999_999) / 1_000_000)))
            if poller[signalPlace].isReadable, let signal = try? signals.next() {
                logger.info("stopping: received \(signal == SIGINT ? "SIGINT" : "SIGTERM")")
                break
            }
            if poller[commandPlace].isReadable {
                shared.wake.clear()
                execute()
            }
            followLinks()
            let time = Clock.monotonic.now()
            if time >= nextWindow {
                window(at: time)
                nextWindow = Self.next(after: nextWindow, every: Self.second, now: time)
            }
            if time >= nextJudgement {
                detect()
                nextJudgement = self.nextJudgement(after: time)
            }
            if time >= nextReport {
                speeds.add(traffic, at: time, wall: .now)
                report()
                nextReport = Self.next(after: nextReport, every: interval, now: time)
            }
        }
        stopWatching()
        // Who ends a whole group (timeout, a shell) may tell each process twice in one breath. What comes from now on is
        // a second wish: it ends the process at once.
        while (try? signals.next()) != nil {}
        signals.restore([SIGINT, SIGTERM])
        for worker in workers { worker.stop() }
        let last = workers.flatMap { $0.endFlows() }.sorted { FlowRecord.isTold($0, before: $1) }
        shared.add(last)
        flowPublisher.publish(last)
        endDetection()
        finish()
    }

    /// The next beat of a clock that does not drift; beats that were missed (a suspended host) are left out.
    static func next(after beat: Int64, every period: Int64, now: Int64) -> Int64 {
        let next = beat + period
        return next > now ? next : now + period - (now - beat) % period
    }

    func prepare() {
        do throws(KeeperError) {
            counting = try KernelCounters(keeper.loadCounting(clients: configuration.count.clients))
        } catch {
            logger.warning("counting without eBPF: \(error)")
        }
        scanPorts()
        select()
    }

    func execute() {
        for command in shared.takeCommands() {
            switch command.kind {
            case .start:
                guard !isMonitoring else {
                    command.answer(.failure(.alreadyMonitoring))
                    continue
                }
                isMonitoring = true
                speeds.interrupt()
                select()
                logger.info("monitoring started")
            case .stop:
                if isMonitoring {
                    isMonitoring = false
                    stopWatching()
                    speeds.interrupt()
                    logger.info("monitoring stopped")
                }
            }
            window(at: Clock.monotonic.now())
            snapshot()
            command.answer(.success(()))
        }
    }
}
