import Capture
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
/// Once a second it makes a window of what was counted, at every interval a report. It never waits for Redis or HTTP.
final class Coordinator {
    private let configuration: Configuration
    private let keeper: any Keeper
    private let logger: Logger
    private let shared: SensorState
    private let publisher: RedisPublisher
    private let workers: [SamplingWorker]
    private let started = Clock.monotonic.now()

    private var monitor: LinkMonitor
    private var tables: LinkTables
    private var host: HostSampler
    private var counting: KernelCounters?
    private var sampling: [Bool: KernelSampling] = [:]
    private let shardMap: ShardMap

    private var isMonitoring = true
    private var watches: [Int32: Watch] = [:]
    private var epochs: [String: UInt32] = [:]
    private var unwatched: [SensorStatus.Unwatched] = []
    private var missing: [String] = []
    private var preferred: Int32?
    private var selectionIsStale = true

    private var overload: Overload
    private var sampled = Sampling()
    /// Of each worker, at the last window.
    private var processorTime: [UInt64]
    private var lastWindow: Int64
    private var speeds: SpeedSeries
    private var traffic = SpeedSeries.Totals()
    /// When the counters were read that the status shows.
    private var counted = WallTime.now
    private var ledger = Ledger()
    private var residueSince: Int64?
    private var lastResidue: UInt64 = 0
    private var listening: PortSnapshot?
    private var ports: [ListeningPort] = []
    private var portRows: (tcp: [OpenPort], udp: [OpenPort]) = ([], [])
    private var portsFailure: String?
    private var sampleOfHost: HostSample

    private static let second: Int64 = 1_000_000_000

    init(
        configuration: Configuration,
        keeper: any Keeper,
        publisher: RedisPublisher,
        shared: SensorState,
        logger: Logger
    ) throws(SensorError) {
        self.configuration = configuration
        self.keeper = keeper
        self.publisher = publisher
        self.shared = shared
        self.logger = logger
        shardMap = shared.shardMap
        workers = shared.workers
        processorTime = workers.map { _ in 0 }
        lastWindow = started
        overload = Overload(lowest: UInt32(clamping: configuration.sample.oneIn))
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
        var nextWindow = started + Self.second
        var nextReport = started + interval
        speeds.add(traffic, at: started, wall: .now)
        report()
        while true {
            let now = Clock.monotonic.now()
            let due = min(nextWindow, nextReport)
            // Round up: waking a fraction of a millisecond early would only spin.
            _ = try? poller.wait(milliseconds: Int(max(0, (due - now + 999_999) / 1_000_000)))
            if poller[signalPlace].isReadable, let signal = try? signals.next() {
                logger.info("stopping: received \(signal == SIGINT ? "SIGINT" : "SIGTERM")")
                signals.restore([SIGINT, SIGTERM])
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
            if time >= nextReport {
                speeds.add(traffic, at: time, wall: .now)
                report()
                nextReport = Self.next(after: nextReport, every: interval, now: time)
            }
        }
        stopWatching()
        for worker in workers { worker.stop() }
        finish()
    }

    /// The next beat of a clock that does not drift; beats that were missed (a suspended host) are left out.
    private static func next(after beat: Int64, every period: Int64, now: Int64) -> Int64 {
        let next = beat + period
        return next > now ? next : now + period - (now - beat) % period
    }

    private func prepare() {
        do throws(KeeperError) {
            counting = try KernelCounters(keeper.loadCounting(clients: configuration.count.clients))
        } catch {
            logger.warning("counting without eBPF: \(error)")
        }
        scanPorts()
        select()
    }

    private func execute() {
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

    // MARK: - Interfaces

    private func followLinks() {
        let changes: [LinkChange]
        do throws(NetlinkError) {
            changes = try monitor.changes()
        } catch {
            logger.warning("cannot follow the interfaces: \(error)")
            return
        }
        guard !changes.isEmpty else { return }
        for change in changes { take(change) }
        select()
    }

    private func take(_ change: LinkChange) {
        switch change {
        case .added: break
        case .deleted(let link):
            guard let watch = watches[link.index] else { return }
            logger.warning("interface \(watch.link.name) is gone; waiting for it to come back")
            unwatch(watch)
        case .renamed(let link, let old):
            guard watches[link.index] != nil else { return }
            watches[link.index]?.link = link
            logger.info("interface \(old) is now called \(link.name)")
        case .state(let link):
            guard watches[link.index] != nil else { return }
            watches[link.index]?.link = link
            logger.info("interface \(link.name) is \(link.isUp ? link.isRunning ? "up" : "up, without a carrier" : "down")")
        }
    }

    /// Begins to watch what should be watched, and stops watching what should not.
    private func select() {
        guard isMonitoring else { return }
        if configuration.interfaces.isEmpty { preferred = defaultInterface() }
        let selection = InterfaceSelection(
            names: configuration.interfaces,
            links: monitor.inventory.links,
            preferred: preferred,
            watched: Set(watches.keys)
        )
        unwatched = selection.unwatched
        if selection.missing != missing {
            missing = selection.missing
            for name in missing { logger.warning("interface \(name) is not there; it will be watched once it is") }
        }
        let chosen = Set(selection.chosen.map(\.link.index))
        for watch in watches.values where !chosen.contains(watch.link.index) { unwatch(watch) }
        for choice in selection.chosen where watches[choice.link.index] == nil {
            watch(choice, rings: selection.chosen.count * workers.count)
        }
        if watches.isEmpty, configuration.interfaces.isEmpty {
            logger.warning("no default route, so no interface to watch; name one with --interface")
        }
        snapshot()
    }

    /// The interface of the default route; the last one known as long as it exists, so that a route that flaps changes
    /// nothing.
    private func defaultInterface() -> Int32? {
        if let preferred, monitor.inventory.links[preferred] != nil { return preferred }
        return (try? tables.defaultRoute())?.linkIndex
    }

    private func watch(_ choice: InterfaceSelection.Chosen, rings: Int) {
        let link = choice.link
        let epoch = (epochs[link.name] ?? 0) + 1
        epochs[link.name] = epoch
        var watch = Watch(
            link: link,
            epoch: epoch,
            source: .proc,
            countsAsTraffic: choice.countsAsTraffic,
            atStart: link.statistics
        )
        if counting != nil {
            do throws(KeeperError) {
                let hook = try keeper.attachCounting(
                    watch.index,
                    isRawIP: link.isRawIP,
                    countsPorts: choice.isOutermost
                )
                watch.source = hook == .tcx ? .tcx : .tc
            } catch {
                logger.warning("cannot count \(link.name) in the kernel: \(error)")
            }
        }
        openRings(&watch, rings: rings)
        watches[link.index] = watch
        logger.info("watching \(link.name) (\(watch.source.rawValue), \(watch.rings) rings)")
    }

    /// Opens one ring for each worker. Where the kernel does not count, the first ring's frames are counted instead.
    private func openRings(_ watch: inout Watch, rings: Int) {
        guard let wanted = RingGeometry.sharing(configuration.capture.memory, rings: max(rings, workers.count)) else {
            logger.warning("no packets of \(watch.link.name): capture.memory is too small for \(rings) rings")
            return
        }
        let isFiltered = loadSampling(isRawIP: watch.link.isRawIP)
        let countsHere = watch.source == .proc
        var sharing: RingRequest.Sharing = workers.count > 1 ? .first : .alone
        do {
            for worker in workers {
                let opened = try keeper.openRing(
                    RingRequest(
                        interface: watch.index,
                        geometry: wanted,
                        isRawIP: watch.link.isRawIP,
                        isFiltered: isFiltered,
                        sharing: sharing
                    )
                )
                if sharing == .first { sharing = .joins(try opened.socket.fanoutGroup()) }
                let geometry = opened.geometry
                let ring = try Ring(opened.take(), geometry: geometry)
                worker.open(ring, interface: watch.index, isFiltered: isFiltered, counts: countsHere)
                watch.rings += 1
                watch.ringBytes += geometry.byteCount
            }
            shared.addRingBytes(watch.ringBytes)
            if countsHere { watch.source = .afPacket }
        } catch {
            logger.warning("no packets of \(watch.link.name): \(error)")
            if watch.rings > 0 { closeRings(&watch) }
        }
    }

    private func loadSampling(isRawIP: Bool) -> Bool {
        if sampling[isRawIP] != nil { return true }
        do throws(KeeperError) {
            let maps = try keeper.loadSampling(isRawIP: isRawIP)
            let filter = KernelSampling(maps)
            filter.set(oneIn: overload.oneIn, configuration.sample)
            if workers.count > 1 {
                try keeper.loadSharing(isRawIP: isRawIP, keys: shardMap.keys, rings: workers.count)
            }
            sampling[isRawIP] = filter
            return true
        } catch {
            logger.warning("every frame reaches user space, the sampling filter cannot run: \(error)")
            return false
        }
    }

    private func closeRings(_ watch: inout Watch) {
        for worker in workers { worker.close(interface: watch.index) }
        shared.dropRingBytes(watch.ringBytes)
        watch.rings = 0
        watch.ringBytes = 0
    }

    private func unwatch(_ watch: Watch) {
        var watch = watch
        readTotals(&watch)
        keeper.detachCounting(watch.index)
        counting?.forget(interface: watch.index)
        closeRings(&watch)
        watches[watch.link.index] = nil
    }

    private func stopWatching() {
        for watch in watches.values { unwatch(watch) }
    }

    /// Takes in what was counted since the last call.
    private func readTotals(_ watch: inout Watch) {
        switch watch.source {
        case .tcx, .tc:
            if let totals = counting?.interface(watch.index) { watch.totals = totals }
        case .afPacket:
            watch.totals = workers.reduce(into: InterfaceCounters()) { sum, worker in
                worker.withState { sum += $0.counted[watch.index] ?? InterfaceCounters() }
            }
        case .proc:
            guard let link = links[watch.link.index] else { break }
            watch.totals = InterfaceCounters(from: watch.atStart, to: link.statistics)
        }
    }

    /// The links with fresh counters of their own; read only where they are what counts.
    private var links: [Int32: Link] {
        guard let links = try? tables.links() else { return [:] }
        return Dictionary(uniqueKeysWithValues: links.map { ($0.index, $0) })
    }
}

// MARK: - Windows

extension Coordinator {
    /// Closes the window of the last second: what was counted in it moves the host's traffic and the overload.
    private func window(at time: Int64) {
        counted = .now
        var window = Window(start: UInt64(lastWindow), end: UInt64(max(time, lastWindow)))
        lastWindow = time
        for index in watches.keys.sorted() {
            guard var watch = watches[index] else { continue }
            checkHealth(&watch, at: time)
            let before = watch.totals
            readTotals(&watch)
            watches[index] = watch
            window.interfaces[.init(index: watch.index, epoch: watch.epoch)] = watch.totals.since(before)
        }
        let sampled = sampling.values.reduce(into: Sampling()) { $0 += $1.sampling }
        window.sampling = sampled.since(self.sampled)
        self.sampled = sampled
        let ledger = account(sampled.total)
        window.ledger = ledger.since(self.ledger)
        self.ledger = ledger
        take(window)
        counting?.sweepClients(now: time)
        judgeResidue(at: time)
        snapshot()
    }

    private func take(_ window: Window) {
        for watch in watches.values where watch.countsAsTraffic {
            guard let counters = window.interfaces[.init(index: watch.index, epoch: watch.epoch)] else { continue }
            traffic.received += counters.rx.total.bytes
            traffic.sent += counters.tx.total.bytes
        }
        let seconds = Double(max(1, window.end - window.start))
        var load = Overload.Load(dropped: window.ledger.dropped, fill: 0, busy: 0)
        for (number, worker) in workers.enumerated() {
            let time = worker.processorTime
            load.fill = max(load.fill, worker.takeFill())
            load.busy = max(load.busy, Double(time - processorTime[number]) / seconds)
            processorTime[number] = time
        }
        guard let change = overload.observe(load, at: UInt64(clamping: Clock.realtime.now())) else { return }
        for filter in sampling.values { filter.set(oneIn: change.to, configuration.sample) }
        let level: Logger.Level = change.to > change.from ? .warning : .info
        logger.log(level: level, "sampling one frame in \(change.to), before one in \(change.from): \(change.reason)")
    }

    /// The account of every sampled frame since the start.
    private func account(_ sampled: SamplingCounters) -> Ledger {
        var ledger = Ledger()
        ledger.offered = sampled.offered
        ledger.kept = sampled.kept
        ledger.skipped = sampled.offered - min(sampled.kept, sampled.offered)
        for worker in workers { worker.withState { ledger += $0.ledger } }
        return ledger
    }

    /// While frames flow some are always between two counters; at rest every one of them must be accounted for.
    private func judgeResidue(at time: Int64) {
        defer { lastResidue = ledger.residue }
        guard ledger.residue > 0, ledger.residue >= lastResidue else {
            residueSince = nil
            return
        }
        guard let since = residueSince else {
            residueSince = time
            return
        }
        guard time - since >= 10 * Self.second, time - since < 11 * Self.second else { return }
        logger.error("the ledger does not add up: \(ledger.residue) sampled frames are unaccounted for")
    }

    /// Attaches again what another tool took off; at most five times a minute, so that two tools do not fight.
    private func checkHealth(_ watch: inout Watch, at time: Int64) {
        guard watch.source == .tcx || watch.source == .tc, !keeper.isCounting(watch.index) else { return }
        watch.reattached.removeAll { time - $0 > 60 * Self.second }
        guard watch.reattached.count < 5 else { return }
        watch.reattached.append(time)
        do throws(KeeperError) {
            let hook = try keeper.attachCounting(
                watch.index,
                isRawIP: watch.link.isRawIP,
                countsPorts: watch.countsAsTraffic
            )
            watch.source = hook == .tcx ? .tcx : .tc
            logger.warning("the programs on \(watch.link.name) were taken off by another tool; attached again")
        } catch {
            logger.warning("the programs on \(watch.link.name) were taken off, and cannot be attached: \(error)")
        }
    }
}

// MARK: - Reports

extension Coordinator {
    private func report() {
        scanPorts()
        do throws(HostError) {
            sampleOfHost = try host.sample()
        } catch {
            logger.warning("cannot read the host's load: \(error)")
        }
        snapshot()
        publisher.offer(currentReport(isConnected: isConnected).json())
    }

    /// The last document: it says that nobody watches any more.
    private func finish() {
        let delivered = publisher.finish(with: currentReport(isConnected: false).json())
        logger.info(delivered ? "stopped" : "stopped; Redis did not take the last document")
    }

    private var isConnected: Bool {
        isMonitoring && watches.values.contains { $0.link.isUp && ($0.rings > 0 || $0.source != .proc) }
    }

    private func currentReport(isConnected: Bool) -> Report {
        Report(
            time: .now,
            isConnected: isConnected,
            speeds: speeds.points,
            metrics: SystemMetrics(sampleOfHost),
            ports: portRows.tcp,
            udpPorts: portRows.udp,
            interfaces: interfaceTotals,
            ledger: LedgerCounts(ledger),
            sampling: samplingStatus,
            cgroup: sampleOfHost.limits.report
        )
    }

    private var interfaceTotals: [InterfaceTotals] {
        // The busiest first: when room is short the quiet ones are left out.
        watches.values.map(\.report).sorted {
            ($0.rx.total.bytes + $0.tx.total.bytes, $1.index) > ($1.rx.total.bytes + $1.tx.total.bytes, $0.index)
        }
    }

    private var samplingStatus: SamplingStatus {
        let isLowering = overload.history.last.map { $0.to < $0.from } ?? false
        return SamplingStatus(
            oneIn: overload.oneIn,
            state: !overload.isOverloaded ? .normal : isLowering ? .recovering : .overload
        )
    }

    /// Lists what listens, with what was counted there.
    private func scanPorts() {
        do throws(KeeperError) {
            let snapshot = try keeper.listeners()
            if snapshot != listening {
                listening = snapshot
                ports = snapshot.ports(configuration.ports.policy)
                counting?.setServices(snapshot.sockets)
            }
            if portsFailure != nil { logger.info("listing ports works again") }
            portsFailure = nil
        } catch {
            if portsFailure == nil { logger.warning("cannot list the ports: \(error)") }
            portsFailure = "\(error)"
        }
        let rows = ports.map { port in
            OpenPort(
                port,
                traffic: counting?.port(port.transport, port.port),
                connections: port.transport == .tcp ? counting?.connections(of: port.port) : nil,
                clients: counting?.clients(of: port.transport, port.port)
            )
        }
        portRows = (rows.filter { $0.transport == .tcp }, rows.filter { $0.transport == .udp })
    }

    /// Lays out what HTTP shows; it never asks this thread.
    private func snapshot() {
        let status = SensorStatus(
            time: counted,
            version: shared.version,
            monitoringActive: isMonitoring,
            modelsTrained: false,
            uptime: UInt64(max(0, Clock.monotonic.now() - started) / Self.second),
            interfaces: interfaceTotals,
            unwatched: unwatched + missing.map { .init(name: $0, reason: "it is not there") },
            ledger: LedgerCounts(ledger),
            sampling: samplingStatus,
            samplingHistory: overload.history.map { SamplingChange($0, lowest: overload.lowest) },
            redis: publisher.status,
            kernelMemory: .init(
                maps: (counting?.memory ?? 0) + sampling.values.reduce(0) { $0 + $1.memory },
                rings: shared.ringBytes
            )
        )
        let names = watches.values.map { ($0.index, $0.link.name) }
        shared.update(status, PortList(time: .now, tcp: portRows.tcp, udp: portRows.udp), names: names)
    }
}
