public import Detection

/// The answer of `GET /api/threats`.
public struct ThreatList: Equatable, Sendable {
    public var time: WallTime
    /// Newest first, without their evidence.
    public var threats: [Threat]

    public init(time: WallTime, threats: [Threat]) {
        self.time = time
        self.threats = threats
    }

    public func json() -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.array("threats") { json in
                for threat in threats { threat.write(to: &json) }
            }
            json.field("total_count", threats.count)
            json.field("timestamp", time, digits: .milliseconds)
        }
        return json.bytes
    }
}

/// Which incidents are asked for.
public struct ThreatQuery: Equatable, Sendable {
    /// Incidents that closed before are left out; nil: 10 minutes ago.
    public var since: WallTime?
    /// Nil: all.
    public var states: Set<Incident.State>?
    /// A class, or a first part of its name that ends at a dot; nil: all.
    public var threatClass: String?

    /// Nanoseconds for which a closed incident is shown to who does not say since when.
    public static let recent: Int64 = 600_000_000_000

    public init(since: WallTime? = nil, states: Set<Incident.State>? = nil, threatClass: String? = nil) {
        self.since = since
        self.states = states
        self.threatClass = threatClass
    }

    /// What a client wrote.
    /// - Parameters:
    ///   - since: RFC 3339.
    ///   - state: `open`, or a state's name.
    public init(since: String?, state: String?, threatClass: String?) throws(ThreatQueryError) {
        self.init(threatClass: threatClass)
        if let since {
            guard let time = WallTime(since) else { throw .since }
            self.since = time
        }
        if let state {
            if state == "open" {
                states = [.opened, .escalated, .ongoing]
            } else {
                guard let state = Incident.State(rawValue: state) else { throw .state }
                states = [state]
            }
        }
    }

    public func asksFor(_ incident: Incident, now: WallTime) -> Bool {
        let start = since ?? WallTime(nanoseconds: now.nanoseconds - Self.recent)
        if let closed = incident.closed, closed < start.nanoseconds { return false }
        if let states, !states.contains(incident.state) { return false }
        guard let threatClass else { return true }
        let name = incident.threat.name
        return name == threatClass || name.hasPrefix(threatClass + ".")
    }
}

/// What cannot be asked.
public enum ThreatQueryError: Error, Equatable, Sendable, CustomStringConvertible {
    case since
    case state

    public var description: String {
        switch self {
        case .since: "since must be a time such as 2025-12-08T10:30:00Z"
        case .state: "state must be open, opened, escalated, ongoing or closed"
        }
    }
}

/// How many incidents there are: a part of the sensor's status.
public struct ThreatCounts: Equatable, Sendable {
    public var open = 0
    /// Of the open ones; nil: there is none.
    public var highest: Severity?
    /// Closed ones that are held.
    public var closed = 0
    /// Findings and subjects that detectors had no room for, since the start.
    public var turnedAway: UInt64 = 0

    public init() {}

    /// Writes the members of an object.
    func write(to json: inout JSONWriter) {
        json.field("open", open)
        json.field("highest", highest?.name ?? "")
        json.field("closed", closed)
        json.field("turned_away", turnedAway)
    }
}
