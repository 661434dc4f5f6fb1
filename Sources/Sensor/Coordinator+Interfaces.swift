import Capture
import Flows
import Keeper
import Linux
import Logging
import Reports

extension Coordinator {
    func followLinks() {
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

    func take(_ change: LinkChange) {
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
            logger.info(
                "interface \(link.name) is \(link.isUp ? link.isRunning ? "up" : "up, without a carrier" : "down")"
            )
        }
    }

    /// Begins to watch what should be watched, and stops watching what should not.
    func select() {
        guard isMonitoring else { return }
        if configuration.interfaces.isEmpty { preferred = defaultInterface() }
        let selection = InterfaceSelection(
            names: configuration.interfaces,
            links: monitor.inventory.links,
            preferred: preferred,
            watched: Set(watches.keys)
        )
        if selection.unwatched != unwatched {
            unwatched = selection.unwatched
            if !unwatched.isEmpty { logger.info("not watched: \(unwatched.map(\.name).joined(separator: ", "))") }
        }
        if selection.missing != missing {
            missing = selection.missing
            for name in missing { logger.warning("interface \(name) is not there; it will be watched once it is") }
        }
        let chosen = Set(selection.chosen.map(\.link.index))
        for watch in watches.values where !chosen.contains(watch.link.index) { unwatch(watch) }
        for choice in selection.chosen where watches[choice.link.index] == nil {
            watch(choice, among: selection.chosen.count)
        }
        if watches.isEmpty, configuration.interfaces.isEmpty {
            logger.warning("no default route, so no interface to watch; name one with --interface")
        }
        snapshot()
    }

    /// The interface of the default route; the last one known as long as it exists, so that a route that flaps changes
    /// nothing.
    func defaultInterface() -> Int32? {
        if let preferred, monitor.inventory.links[preferred] != nil { return preferred }
        return (try? tables.defaultRoute())?.linkIndex
    }

    func watch(_ choice: InterfaceSelection.Chosen, among interfaces: Int) {
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
        openRings(&watch, among: interfaces)
        watches[link.index] = watch
        logger.info("watching \(link.name) (\(watch.source.rawValue), \(watch.rings) rings)")
    }

    /// Opens one ring for each worker. Where the kernel does not count, its frames are counted instead.
    func openRings(_ watch: inout Watch, among interfaces: Int) {
        // With "all" others may come later: room is left for them, and none gets what is already taken.
        let planned = configuration.interfaces.contains("all") ? max(interfaces, 4) : interfaces
        let free = configuration.capture.memory - min(configuration.capture.memory, Int(clamping: shared.ringBytes))
        let share = min(configuration.capture.memory / max(1, planned), free)
        guard let wanted = RingGeometry.sharing(share, rings: workers.count) else {
            logger.warning(
                "no packets of \(watch.link.name), it is only counted: capture.memory has no room for its rings"
            )
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

    func loadSampling(isRawIP: Bool) -> Bool {
        if sampling[isRawIP] != nil { return true }
        do throws(KeeperError) {
            let maps = try keeper.loadSampling(isRawIP: isRawIP)
            let filter = KernelSampling(maps)
            filter.set(oneIn: overload.oneIn, configuration.sample)
            sampling[isRawIP] = filter
        } catch {
            logger.warning("cannot sample, every frame of the rings is read: \(error)")
            return false
        }
        guard workers.count > 1 else { return true }
        do throws(KeeperError) {
            try keeper.loadSharing(isRawIP: isRawIP, keys: shardMap.keys, rings: workers.count)
        } catch {
            logger.warning("the kernel's own hash shares the frames out, workers hand many over: \(error)")
        }
        return true
    }

    func closeRings(_ watch: inout Watch) {
        for worker in workers { worker.close(interface: watch.index) }
        shared.dropRingBytes(watch.ringBytes)
        watch.rings = 0
        watch.ringBytes = 0
    }

    func unwatch(_ watch: Watch) {
        var watch = watch
        readTotals(&watch)
        keeper.detachCounting(watch.index)
        counting?.forget(interface: watch.index)
        closeRings(&watch)
        watches[watch.link.index] = nil
    }

    func stopWatching() {
        for watch in watches.values { unwatch(watch) }
    }

    /// Takes in what was counted since the last call.
    func readTotals(_ watch: inout Watch) {
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
    var links: [Int32: Link] {
        guard let links = try? tables.links() else { return [:] }
        return Dictionary(uniqueKeysWithValues: links.map { ($0.index, $0) })
    }
}
