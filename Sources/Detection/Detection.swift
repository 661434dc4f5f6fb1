public import Flows

/// All detectors and the incidents that their findings make.
public struct Detection: Sendable {
    /// How often, and how near, a class came to its level.
    public struct Nearness: Equatable, Sendable {
        public var highest = 0.0
        /// Windows and subjects that came to half the level, to the level, and to twice the level.
        public var half: UInt64 = 0
        public var level: UInt64 = 0
        public var twice: UInt64 = 0
    }

    public private(set) var incidents: IncidentTable
    public private(set) var nearness: [ThreatClass: Nearness] = [:]
    var detectors: [any Detector]
    private let settings: DetectionSettings
    /// End of the latest window, on the packets' clock.
    public private(set) var clock = Int64.min
    /// Number of the latest window, and how many before it, itself included, were empty.
    private var last: Int64?
    private var empty = 0
    private var scene = Scene()
    private static let empties = 8

    /// - Parameter sensor: id of the sensor, in every incident's id.
    public init(_ settings: DetectionSettings, sensor: String) {
        self.settings = settings
        incidents = IncidentTable(settings.incidents, sensor: sensor)
        detectors = [
            FloodDetector(settings.floods, scale: settings.scale),
            ScanDetector(settings.scans, scale: settings.scale),
            BruteForceDetector(settings.bruteForce, scale: settings.scale),
            EDoSDetector(settings.edos, scale: settings.scale),
            BeaconDetector(settings.beacon, scale: settings.scale),
            ExfiltrationDetector(settings.exfiltration, scale: settings.scale),
            ChangeDetector(settings.change, scale: settings.scale),
            SlowRequests(settings.slow, scale: settings.scale),
            DNSTunnel(settings.dnsTunnel, scale: settings.scale),
        ]
    }

    /// What detectors had no room for, since the start.
    public var turnedAway: UInt64 { detectors.reduce(incidents.turnedAway) { $0 + $1.turnedAway } }

    /// Judges a window, after all before it; one that is empty moves only the clock.
    /// - Returns: what became of incidents.
    public mutating func take(_ window: Observation, _ scene: Scene) -> [IncidentEvent] {
        let window =
            settings.allow.isEmpty
            ? window
            : window.without { initiator, family, port in
                settings.allow.contains { $0.matches(initiator, family, port: port) }
            }
        empty = 0
        self.scene = scene
        self.scene.kernel = nil
        return judge(window, scene)
    }

    private mutating func judge(_ window: Observation, _ scene: Scene) -> [IncidentEvent] {
        clock = max(clock, window.end)
        last = max(last ?? window.number, window.number)
        var scene = scene
        scene.troubled = Set(incidents.open.keys.map(\.subject))
        var findings: [Finding] = []
        for place in detectors.indices { detectors[place].judge(window, scene, &findings) }
        for place in findings.indices {
            findings[place].evidence.sampling = scene.sampling
            note(findings[place])
        }
        return incidents.take(findings, at: window.end)
    }

    /// Moves the clock where there was no traffic. Answers that detectors wait for fail to come there too: they are shown
    /// the first empty windows of it.
    public mutating func advance(to time: Int64) -> [IncidentEvent] {
        guard time > clock else { return [] }
        var events: [IncidentEvent] = []
        // One window late, since packets may be.
        while let last, empty < Self.empties, (last + 3) * Observation.length <= time {
            events += judge(Observation(number: last + 1), scene)
            empty += 1
        }
        clock = time
        return events + incidents.advance(to: time)
    }

    /// Closes all incidents, after the last window.
    public mutating func finish() -> [IncidentEvent] { incidents.finish(at: max(clock, 0)) }

    private mutating func note(_ finding: Finding) {
        var nearness = self.nearness[finding.threat] ?? Nearness()
        nearness.highest = max(nearness.highest, finding.ratio)
        if finding.ratio >= 0.5 { nearness.half += 1 }
        if finding.ratio >= 1 { nearness.level += 1 }
        if finding.ratio >= 2 { nearness.twice += 1 }
        self.nearness[finding.threat] = nearness
    }
}
