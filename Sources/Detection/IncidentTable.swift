import Flows

/// When incidents open, are told again, and close.
public struct IncidentSettings: Equatable, Sendable {
    /// Below this multiple of the level a finding no longer holds an incident open.
    public var off = 0.7
    /// Nanoseconds below it after which an incident closes.
    public var offDelay: Int64 = 30_000_000_000
    /// Nanoseconds that an incident stays open at least.
    public var hold: Int64 = 60_000_000_000
    /// Nanoseconds between two events that only say that it goes on.
    public var repeats: Int64 = 60_000_000_000
    /// Incidents open at one time; more are folded into one of their class.
    public var open = 256
    /// Subjects that are watched on their way to an incident.
    public var pending = 4_096
    /// Closed incidents kept for those who ask.
    public var closed = 256

    public init() {}
}

/// Moves incidents along: findings of each window in, events out.
public struct IncidentTable: Sendable {
    public struct Key: Hashable, Comparable, Sendable {
        public var threat: ThreatClass
        public var subject: Subject

        public init(_ threat: ThreatClass, _ subject: Subject) {
            self.threat = threat
            self.subject = subject
        }

        public static func < (left: Key, right: Key) -> Bool {
            left.subject == right.subject ? left.threat.name < right.threat.name : left.subject < right.subject
        }
    }

    /// A subject that is above the level, but not for long enough.
    private struct Pending {
        var since: Int64
        var last: Int64
    }

    private let settings: IncidentSettings
    private let sensor: String
    private var pending: [Key: Pending] = [:]
    /// Open ones.
    public private(set) var open: [Key: Incident] = [:]
    /// The latest that closed, oldest first.
    public private(set) var closed: [Incident] = []
    /// Findings that found no room among the pending.
    public private(set) var turnedAway: UInt64 = 0

    /// - Parameter sensor: id of the sensor, in every incident's id.
    public init(_ settings: IncidentSettings, sensor: String) {
        self.settings = settings
        self.sensor = sensor
    }

    /// Takes the findings of a window that ends at this time.
    public mutating func take(_ findings: [Finding], at time: Int64) -> [IncidentEvent] {
        var events: [IncidentEvent] = []
        for finding in findings where finding.ratio >= settings.off {
            let key = Key(finding.threat, finding.subject)
            if open[key] != nil {
                update(key, finding, time, &events)
            } else {
                consider(key, finding, time, &events)
            }
        }
        events += advance(to: time)
        return events
    }

    /// Closes what has been gone for long enough.
    public mutating func advance(to time: Int64) -> [IncidentEvent] {
        pending = pending.filter { time - $0.value.last < settings.offDelay }
        var events: [IncidentEvent] = []
        for (key, incident) in open {
            let due = max(incident.last + (incident.patience ?? settings.offDelay), incident.opened + settings.hold)
            if time >= due { close(key, at: due, &events) }
        }
        return events.sorted(by: Self.isTold)
    }

    /// Closes all, after the last window.
    public mutating func finish(at time: Int64) -> [IncidentEvent] {
        var events: [IncidentEvent] = []
        for key in open.keys { close(key, at: time, &events) }
        return events.sorted(by: Self.isTold)
    }

    private static func isTold(_ left: IncidentEvent, before right: IncidentEvent) -> Bool {
        left.time == right.time ? left.incident.id < right.incident.id : left.time < right.time
    }

    private mutating func consider(_ key: Key, _ finding: Finding, _ time: Int64, _ events: inout [IncidentEvent]) {
        var entry: Pending
        if let known = pending[key] {
            entry = known
        } else {
            guard finding.ratio >= 1 else { return }
            entry = Pending(since: time, last: time)
        }
        entry.last = time
        if finding.ratio >= 1, time - entry.since >= finding.delay {
            pending[key] = nil
            start(key, finding, began: entry.since, time, &events)
        } else if pending[key] != nil || pending.count < settings.pending {
            pending[key] = entry
        } else {
            turnedAway += 1
        }
    }

    private mutating func start(
        _ key: Key,
        _ finding: Finding,
        began: Int64,
        _ time: Int64,
        _ events: inout [IncidentEvent]
    ) {
        guard open.count < settings.open else { return fold(key, finding, time, &events) }
        let incident = Incident(id: id(of: key, opened: time), finding, began: began, at: time)
        open[key] = incident
        events.append(IncidentEvent(incident: incident, time: time))
    }

    /// Adds a subject for which there is no room to one incident that stands for all of its class.
    private mutating func fold(_ key: Key, _ finding: Finding, _ time: Int64, _ events: inout [IncidentEvent]) {
        let all = Key(key.threat, .all(key.subject.family))
        var finding = finding
        finding.subject = all.subject
        if open[all] == nil {
            let incident = Incident(id: id(of: all, opened: time), finding, began: time, at: time)
            open[all] = incident
            open[all]?.folded = 1
            events.append(IncidentEvent(incident: incident, time: time))
        } else {
            open[all]?.folded += 1
            update(all, finding, time, &events)
        }
    }

    private mutating func update(_ key: Key, _ finding: Finding, _ time: Int64, _ events: inout [IncidentEvent]) {
        guard var incident = open.removeValue(forKey: key) else { return }
        incident.add(finding, at: time)
        let sources = max(1, incident.distinct.estimate)
        if incident.severity > incident.toldSeverity || sources >= 10 * incident.toldSources {
            incident.state = .escalated
        } else if time - incident.toldAt >= settings.repeats {
            incident.state = .ongoing
        } else {
            open[key] = incident
            return
        }
        incident.sequence += 1
        incident.toldSeverity = incident.severity
        incident.toldSources = max(incident.toldSources, sources)
        incident.toldAt = time
        open[key] = incident
        events.append(IncidentEvent(incident: incident, time: time))
    }

    private mutating func close(_ key: Key, at time: Int64, _ events: inout [IncidentEvent]) {
        guard var incident = open.removeValue(forKey: key) else { return }
        incident.state = .closed
        incident.sequence += 1
        incident.closed = time
        if closed.count == settings.closed { closed.removeFirst() }
        closed.append(incident)
        events.append(IncidentEvent(incident: incident, time: time))
    }

    private func id(of key: Key, opened: Int64) -> String {
        // FNV-1a, then mixed: told apart, not kept secret.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in "\(sensor) \(key.threat.name) \(key.subject) \(opened)".utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        let text = String(hash.mixed, radix: 16)
        return String(repeating: "0", count: 16 - text.utf8.count) + text
    }
}
