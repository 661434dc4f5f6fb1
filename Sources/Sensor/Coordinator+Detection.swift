import Detection
import Flows
import Host
import Linux
import Logging
import Packets

extension Coordinator {
    /// Nanoseconds by which the frames' clock is behind: what rings may hold before they hand it over, and some.
    static let lag = 2 * Int64(RingGeometry.retireMilliseconds) * 1_000_000

    /// Judges the windows that ended before a time on the frames' clock.
    /// - Parameter sampling: what the filter let through in the two seconds that hold the windows to be judged; nil where there is none.
    func detect(until time: Int64, _ sampling: SamplingCounters?) {
        guard configuration.detect.isEnabled else { return }
        let open = time / Observation.length
        let events = judge(before: open, sampling)
        tell(events + detection.advance(to: open * Observation.length))
    }

    /// Judges what is left, and closes all incidents.
    func endDetection() {
        guard configuration.detect.isEnabled else { return }
        let events = judge(before: .max, nil)
        tell(events + detection.finish())
    }

    private func judge(before open: Int64, _ sampling: SamplingCounters?) -> [IncidentEvent] {
        var events: [IncidentEvent] = []
        for worker in workers {
            for window in worker.takeObservations() {
                observations[window.number, default: .init(number: window.number)].merge(window)
            }
        }
        for number in observations.keys.sorted() where number < open {
            guard var window = observations.removeValue(forKey: number) else { continue }
            window.settle()
            if home.isEmpty || number % Self.homePeriod == 0 { findHome() }
            var scene = scene(for: window)
            scene.sampling = sampling
            events += detection.take(window, scene)
        }
        return events
    }

    /// Windows after which our addresses are looked up again.
    private static let homePeriod: Int64 = 8

    private func tell(_ events: [IncidentEvent]) {
        shared.update(detection.incidents, turnedAway: detection.turnedAway, home: ownAddresses)
        shared.record(events)
        threatPublisher.publish(events, shared.threatContext)
        for event in events where event.incident.state == .opened || event.incident.state == .closed {
            let incident = event.incident
            let what = "\(incident.threat.name) at \(incident.subject), \(incident.severity.name)"
            logger.notice("incident \(incident.id) \(incident.state.rawValue): \(what)")
        }
    }

    /// What detectors are told of this host.
    private func scene(for window: Observation) -> Scene {
        var scene = Scene()
        scene.home = home
        for port in ports where port.transport == .tcp {
            scene.services[port.port] = Scene.Service(
                program: port.program,
                process: UInt32(clamping: port.pids.first ?? 0)
            )
        }
        scene.kernel = kernelEvidence(window)
        return scene
    }

    /// How the kernel copes with the connections that are asked of it. Waiting ones are counted only when many ask.
    private func kernelEvidence(_ window: Observation) -> Scene.KernelEvidence? {
        guard let statistics = try? listenMonitor?.statistics() else { return nil }
        var evidence = Scene.KernelEvidence()
        evidence.listenDrops = statistics.drops &- listenStatistics.drops
        evidence.synCookiesSent = statistics.cookiesSent &- listenStatistics.cookiesSent
        listenStatistics = statistics
        let asked = window.volumes.reduce(0) { $0 + ($1.key.kind == .synchronize ? $1.volume.packets : 0) }
        if asked >= 100 { evidence.synReceived = UInt64((try? diagnostics?.halfOpenConnections()) ?? 0) }
        return evidence
    }

    /// Which addresses are ours: those of the watched interfaces, unless the configuration says.
    private func findHome() {
        let watched = Set(watches.keys)
        guard let addresses = try? tables.addresses() else { return }
        ownAddresses = addresses.filter { watched.contains($0.linkIndex) }.map { Prefix($0.address) }
        home = configuration.detect.home.isEmpty ? ownAddresses : configuration.detect.home
    }
}
