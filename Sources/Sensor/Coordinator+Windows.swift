import Flows
import Keeper
import Linux
import Logging
import Reports

extension Coordinator {
    /// Closes the window of the last second: what was counted in it moves the host's traffic and the overload.
    func window(at time: Int64) {
        // A default route often comes after its link: it is looked for as long as there is none.
        if isMonitoring, watches.isEmpty, configuration.interfaces.isEmpty, defaultInterface() != nil { select() }
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
        window.flows = takeFlows()
        take(window)
        filtering = sampling.isEmpty ? nil : window.sampling.total + lastSampling
        lastSampling = window.sampling.total
        counting?.sweepClients(now: time)
        judgeResidue(at: time)
        snapshot()
    }

    /// What ended in the last second, and what goes on. Rings may hold frames for a while: the flows' clock is a second behind.
    func takeFlows() -> [FlowRecord] {
        let time = frameTime() &- Self.second
        return workers.flatMap { $0.takeFlows(at: time) }.sorted { FlowRecord.isTold($0, before: $1) }
    }

    /// The time that a frame would have now.
    func frameTime() -> Int64 {
        let wall = Clock.realtime.now()
        // Flows follow the monotonic clock: when wall time is set, frames' times are moved back to where they would be.
        let shift = wallOffset &+ Clock.monotonic.now() &- wall
        let isSet = abs(shift) > Self.second / 10
        for worker in workers { worker.setTimeShift(isSet ? shift : 0) }
        return wall &+ (isSet ? shift : 0)
    }

    func take(_ window: Window) {
        shared.add(window.flows)
        flowPublisher.publish(window.flows)
        for worker in workers { worker.setWeights(window.sampling) }
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
    func account(_ sampled: SamplingCounters) -> Ledger {
        var ledger = Ledger()
        ledger.offered = sampled.offered
        ledger.kept = sampled.kept
        ledger.skipped = sampled.offered - min(sampled.kept, sampled.offered)
        for worker in workers { worker.withState { ledger += $0.ledger } }
        return ledger
    }

    /// While frames flow some are always between two counters; at rest every one of them must be accounted for.
    func judgeResidue(at time: Int64) {
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
    func checkHealth(_ watch: inout Watch, at time: Int64) {
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
