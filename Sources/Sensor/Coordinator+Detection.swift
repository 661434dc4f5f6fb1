import Detection
import Flows
import Host
import Linux
import Logging
import Packets

extension Coordinator {
    /// Nanoseconds after its end when a window is judged: rings may hold frames for a while.
    private static let lag = 2 * Int64(RingGeometry.retireMilliseconds) * 1_000_000

    /// Judges the windows that have ended.
    func detect() {
        guard configuration.detect.isEnabled else { return }
        let open = (frameTime() - Self.lag) / Observation.length
        let events = judge(before: open)
        tell(events + detection.advance(to: open * Observation.length))
    }

    /// When the next window can be judged, on the monotonic clock.
    func nextJudgement(after now: Int64) -> Int64 {
        now + Observation.length - (frameTime() - Self.lag) % Observation.length
    }

    /// Judges what is left, and closes all incidents.
    func endDetection() {
        guard configuration.detect.isEnabled else { return }
        let events = judge(before: .max)
        tell(events + detection.finish())
    }

    private func judge(before open: Int64) -> [IncidentEvent] {
        var events: [IncidentEvent] = []
        // At the end, after the workers have ended their last windows themselves.
        let time = open == .max ? .min : open * Observation.length
        for worker in workers {
            for window in worker.takeObservations(at: time) {
                observations[window.number, default: .init(number: window.number)].merge(window)
            }
        }
        for number in observations.keys.sorted() where number < open {
            guard var window = observations.removeValue(forKey: number) else { continue }
            window.settle()
            if home.isEmpty || number % Self.homePeriod == 0 { findHome() }
            var scene = scene(for: window)
            scene.sampling = filtering
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
