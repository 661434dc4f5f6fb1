public import Detection

/// An incident as it is shown outside: in the report, the REST API, the Redis stream and files.
public struct Threat: Equatable, Sendable {
    /// How much of the evidence is shown.
    public enum Detail: Sendable {
        /// None, and the three largest sources: there is a link to the rest.
        case brief
        /// All but the packets.
        case numbers
        case whole
    }

    /// Who listens where the incident is.
    public struct Process: Equatable, Sendable {
        public var program: String
        public var pid: Int32?
        /// The systemd unit.
        public var unit: String?

        public init(program: String, pid: Int32? = nil, unit: String? = nil) {
            self.program = program
            self.pid = pid
            self.unit = unit
        }
    }

    /// An address and what it has part in, as ``Threat/countedAs`` says.
    public struct Source: Equatable, Sendable {
        public var address: String
        public var count: Double

        public init(address: String, count: Double) {
            self.address = address
            self.count = count
        }
    }

    /// 16 hexadecimal digits.
    public var id: String
    /// In the original system's words, for example `Port Scan`.
    public var type: String
    /// For example `scan.vertical.syn`.
    public var threatClass: String
    public var state: Incident.State
    /// Of the incident's events, from 1.
    public var sequence: UInt32
    public var severity: Severity
    /// Percent, 0 ... 100.
    public var confidence: Int
    /// The address that more than half of it comes from; `multiple` when none is, empty when none is known.
    public var source: String
    /// The subject's address or prefix; `multiple` when the subject is the source itself, or everyone.
    public var destination: String
    /// On the packets' clock: when it began to show, when the incident opened, when it last showed, when it closed.
    public var began: WallTime
    public var opened: WallTime
    public var last: WallTime
    public var closed: WallTime?
    public var subject: Subject
    /// The highest value so far, as a multiple of its level.
    public var ratio: Double
    /// Windows in which it showed.
    public var findings: UInt64
    /// Subjects that it stands for beside its own, since there was no room for incidents of their own.
    public var folded: UInt64
    /// How many sources there are, about.
    public var distinctSources: UInt64
    /// What the counts of sources and ports are, for example `packets`.
    public var countedAs: String
    /// Those with the most, at most 20, each with what it has for certain.
    public var topSources: [Source]
    public var summary: String
    public var advice: String
    /// Nil: not known.
    public var process: Process?
    /// Nil: left out here.
    public var evidence: Evidence?

    /// The time of which it tells: that of its event.
    public var time: WallTime { closed ?? last }

    /// What the incident rests on.
    public struct Evidence: Equatable, Sendable {
        /// One value that was judged.
        public struct Measure: Equatable, Sendable {
            public var name: String
            /// When the incident was at its highest, and when it last showed.
            public var value: Double
            public var latest: Double
            /// From which on it counts; nil: it only explains.
            public var level: Double?
            /// What is usual here; nil: not known.
            public var baseline: Double?
            public var unit: String
        }

        public struct Port: Equatable, Sendable {
            public var port: UInt16
            public var count: Double
        }

        public struct Cost: Equatable, Sendable {
            /// Above what is usual, since the incident began and in an hour, in `unit`.
            public var total: Double
            public var perHour: Double
            public var unit: String
        }

        /// Frames about the time when the incident was at its highest.
        public struct Sampling: Equatable, Sendable {
            /// That the filter saw, and of these let through.
            public var offered: UInt64
            public var kept: UInt64
        }

        public var measures: [Measure]
        public var ports: [Port]
        /// Nil: it is no matter of cost.
        public var cost: Cost?
        /// Nil: every frame was read.
        public var sampling: Sampling?
        /// Headers of some packets, at most 20; nil: left out here.
        public var packets: [PacketView]?
    }
}
