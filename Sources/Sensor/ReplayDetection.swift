public import Detection
import Flows
public import Linux
import Reports
import Synchronization

/// Judges the windows of a replay once all its workers have seen them, in order.
final class ReplayDetection: Sendable {
    private struct State {
        var detection: Detection
        var events: [IncidentEvent] = []
        /// Windows that not all workers have seen.
        var waiting: [Int64: (window: Observation, workers: Int)] = [:]
    }

    /// Windows that the fastest worker may be ahead.
    private static let lead = 256

    private let workers: Int
    private let waits: Bool
    private let changed = Turn()
    private let scene: Scene
    private let state: Mutex<State>

    /// - Parameter waits: whether a worker that is far ahead waits for the others. Where something else keeps them together,
    ///   it must not.
    init(_ settings: DetectionSettings, _ scene: Scene, workers: Int, waits: Bool) {
        self.workers = workers
        self.waits = waits
        self.scene = scene
        state = Mutex(State(detection: Detection(settings, sensor: "replay")))
    }

    /// Takes a worker's part of a window. Every worker has a part of each, in the same order: their clock is the same.
    func take(_ window: Observation) {
        if workers > 1, waits {
            changed.wait { state.withLock { $0.waiting.count < Self.lead || $0.waiting[window.number] != nil } }
        }
        state.withLock { state in
            var (whole, count) =
                state.waiting.removeValue(forKey: window.number) ?? (Observation(number: window.number), 0)
            whole.merge(window)
            count += 1
            guard count == workers else {
                state.waiting[window.number] = (whole, count)
                return
            }
            whole.settle()
            state.events += state.detection.advance(to: whole.start)
            state.events += state.detection.take(whole, scene)
        }
        if workers > 1, waits { changed.announce() }
    }

    /// Closes all incidents, after the last window of every worker.
    func finish() -> ReplayFindings {
        state.withLock { state in
            state.events += state.detection.finish()
            return ReplayFindings(
                events: state.events,
                nearness: state.detection.nearness,
                turnedAway: state.detection.turnedAway
            )
        }
    }
}

/// What the detectors made of a replay.
public struct ReplayFindings: Sendable {
    /// In the order in which they came about.
    public var events: [IncidentEvent] = []
    /// How near each class came to its level, and how often.
    public var nearness: [ThreatClass: Detection.Nearness] = [:]
    /// What detectors had no room for.
    public var turnedAway: UInt64 = 0

    /// The same in order: who came nearest first.
    public var levels: [(threat: ThreatClass, nearness: Detection.Nearness)] {
        nearness.map { ($0.key, $0.value) }.sorted {
            ($1.1.highest, $0.0.name) < ($0.1.highest, $1.0.name)
        }
    }

    /// Incidents as they were when they closed, in the order in which they opened.
    public var incidents: [Incident] {
        events.map(\.incident).filter { $0.state == .closed }.sorted { ($0.opened, $0.id) < ($1.opened, $1.id) }
    }

    /// Writes each event as a line of JSON: a threat, as the sensor tells it.
    public func write(to output: borrowing Descriptor) throws(SystemError) {
        for event in events {
            let line = (Threat(event: event).json() + [0x0A]).span
            try Linux.write(all: unsafe line.bytes, to: output.rawValue)
        }
    }
}
