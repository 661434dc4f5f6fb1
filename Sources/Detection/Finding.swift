public import Flows
public import Packets

/// One detector's verdict on one subject in one window.
public struct Finding: Sendable {
    public var threat: ThreatClass
    public var subject: Subject
    /// What was measured, as a multiple of the level on which an incident opens. Below ``IncidentSettings/off`` nothing
    /// holds an incident open; such findings only tell how near it came.
    public var ratio: Double
    public var severity: Severity
    /// How sure it is that this is what it is called, 0 ... 1. How it is calculated stands with each detector.
    public var confidence: Double
    /// Nanoseconds for which it must last before an incident opens.
    public var delay: Int64
    /// Nanoseconds that it must be gone before the incident closes; nil: as for all.
    public var patience: Int64?
    public var evidence: Evidence

    public init(
        _ threat: ThreatClass,
        _ subject: Subject,
        ratio: Double,
        severity: Severity = .medium,
        confidence: Double = 0.5,
        delay: Int64 = 0,
        patience: Int64? = nil,
        evidence: Evidence = Evidence()
    ) {
        self.threat = threat
        self.subject = subject
        self.ratio = ratio
        self.severity = severity
        self.confidence = confidence
        self.delay = delay
        self.patience = patience
        self.evidence = evidence
    }
}

/// What a finding rests on, in numbers that a person can check.
public struct Evidence: Sendable {
    /// One value that was judged.
    public struct Measure: Equatable, Sendable {
        /// For example `SYN packets a second`.
        public var name: String
        public var value: Double
        /// From which on it counts; nil: it only explains.
        public var level: Double?
        /// What is usual here; nil: not known.
        public var baseline: Double?
        /// For example `1/s`, `bytes`, `s`; empty: a plain number.
        public var unit: String

        public init(_ name: String, _ value: Double, level: Double? = nil, baseline: Double? = nil, unit: String = "") {
            self.name = name
            self.value = value
            self.level = level
            self.baseline = baseline
            self.unit = unit
        }
    }

    /// An address with its share in it.
    public struct Source: Equatable, Sendable {
        public var address: Address
        public var family: Family
        /// Packets, probes, connections, bytes: as ``Evidence/countedAs`` says.
        public var count: Double

        public init(_ address: Address, _ family: Family, count: Double) {
            self.address = address
            self.family = family
            self.count = count
        }
    }

    public var measures: [Measure] = []
    /// Sources of this window. The incident adds them up: its top 20 and how many there are.
    public var sources: [Source] = []
    /// What the counts of sources and ports are, for example `packets`.
    public var countedAs = "packets"
    /// Ports of the subject, or where it sends to, and how much went there.
    public var ports: [(port: UInt16, count: Double)] = []
    /// Some of the packets.
    public var samples: [PacketSummary] = []
    /// Frames about the time of the window, of which the sampling filter let through some; nil: there was no filter.
    public var sampling: SamplingCounters?
    /// What it costs, in the currency of the configuration or in units; nil: it is no matter of cost.
    public var cost: Cost?
    /// In one sentence, what happened and how that was told.
    public var summary = ""
    /// What to do next.
    public var advice = ""

    public init() {}

    public struct Cost: Equatable, Sendable {
        /// Above what is usual, since the incident began and in an hour, in `unit`.
        public var total: Double
        public var perHour: Double
        /// A currency, or `GB` where no prices are set.
        public var unit: String

        public init(total: Double, perHour: Double, unit: String) {
            self.total = total
            self.perHour = perHour
            self.unit = unit
        }
    }

    /// Values, in their order, that a client may look for by name.
    public subscript(name: String) -> Double? { measures.first { $0.name == name }?.value }
}
