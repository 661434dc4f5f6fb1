import Flows
import Packets

/// Findings about one class and subject over time.
public struct Incident: Sendable {
    public enum State: String, Sendable {
        case opened
        /// It has become worse by a step of severity, or ten times as many sources.
        case escalated
        case ongoing
        case closed
    }

    /// 16 hexadecimal digits: a hash of the sensor's id, class, subject and opening time. A replay gives the same.
    public let id: String
    public let threat: ThreatClass
    public let subject: Subject
    public internal(set) var state = State.opened
    /// Of its events, from 1.
    public internal(set) var sequence: UInt32 = 1
    /// Nanoseconds on the packets' clock: when it began to show, when the incident opened, when it last showed, when it closed.
    public let began: Int64
    public let opened: Int64
    public internal(set) var last: Int64
    public internal(set) var closed: Int64?
    /// The highest so far.
    public internal(set) var severity: Severity
    public internal(set) var confidence: Double
    public internal(set) var peak: Double
    /// Of the finding with the highest ratio so far, and of the latest.
    public internal(set) var worst: Evidence
    public internal(set) var latest: Evidence
    /// Findings that it holds.
    public internal(set) var findings: UInt64 = 1
    /// Subjects that it stands for beside its own, since there was no room for incidents of their own.
    public internal(set) var folded: UInt64 = 0
    var sources = TopCounts<SourceKey>(capacity: 64)
    var distinct = DistinctCounter()
    /// At the last step of escalation.
    var toldSources = 0.0
    var toldSeverity: Severity
    var toldAt: Int64
    /// Of the finding.
    var patience: Int64?

    /// The 20 with the most, each with what it has for certain: among many small ones it may have more.
    public var topSources: [Evidence.Source] {
        let certain = sources.largest(sources.capacity).map { ($0.key, $0.count - $0.error) }
        return certain.sorted { $0.1 == $1.1 ? $0.0 < $1.0 : $0.1 > $1.1 }.prefix(20).map {
            Evidence.Source($0.0.address, $0.0.family, count: $0.1)
        }
    }

    /// What all sources together have, as ``Evidence/countedAs`` says.
    public var countOfSources: Double { sources.total }

    /// How many sources there are, about.
    public var distinctSources: Double { distinct.estimate.rounded() }

    init(id: String, _ finding: Finding, began: Int64, at time: Int64) {
        self.id = id
        threat = finding.threat
        subject = finding.subject
        self.began = began
        opened = time
        last = time
        severity = finding.severity
        confidence = finding.confidence
        peak = finding.ratio
        worst = finding.evidence
        latest = finding.evidence
        toldSeverity = finding.severity
        toldAt = time
        patience = finding.patience
        add(sourcesOf: finding.evidence)
        toldSources = max(1, distinct.estimate)
    }

    mutating func add(_ finding: Finding, at time: Int64) {
        last = time
        findings += 1
        severity = max(severity, finding.severity)
        confidence = max(confidence, finding.confidence)
        patience = finding.patience
        if finding.ratio >= peak {
            peak = finding.ratio
            worst = finding.evidence
        }
        latest = finding.evidence
        add(sourcesOf: finding.evidence)
    }

    mutating func add(sourcesOf evidence: Evidence) {
        for source in evidence.sources {
            sources.add(SourceKey(address: source.address, family: source.family), source.count)
            distinct.add(source.address.mixed)
        }
    }
}

/// A change of an incident, as it is told outside.
public struct IncidentEvent: Sendable {
    /// As it was then.
    public let incident: Incident
    /// Nanoseconds on the packets' clock.
    public let time: Int64
}

/// Whose packets, with the family that an address alone does not tell.
struct SourceKey: Hashable, Comparable, Sendable {
    var address: Address
    var family: Family

    static func < (left: SourceKey, right: SourceKey) -> Bool {
        left.address == right.address ? left.family.rawValue < right.family.rawValue : left.address < right.address
    }
}
