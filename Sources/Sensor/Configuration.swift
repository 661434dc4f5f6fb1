public import Detection
public import Flows
public import Host
public import Publishing

/// Everything about the sensor that can be set, with its defaults. The keys, their ranges and their explanations stand
/// in ``Configuration/settings``; ``Configuration/load(file:environment:flags:)`` fills it.
public struct Configuration: Sendable, Equatable {
    /// Interfaces to watch, by name. Empty: the one of the default route. `all`: every one that is up, save `lo`.
    public var interfaces: [String] = []
    /// Name of this host towards the consumers; adds the key `<publish.key>:<resource_id>`. Empty: none.
    public var resourceID = ""
    /// Directory for the socket, the log file and state. Mode 0700.
    public var dataDirectory = "/var/lib/weir"

    public var redis = Redis()
    public var publish = Publish()
    public var disk = Disk()
    public var sample = Sample()
    public var capture = Capture()
    public var count = Count()
    public var flows = Flows()
    public var detect = Detect()
    public var record = Record()
    public var ports = Ports()
    public var log = Log()

    public init() {}

    public struct Redis: Sendable, Equatable {
        /// `redis.url`: `redis://[user:password@]host[:port][/database]` or `unix:///path`.
        public var address = RedisAddress(transport: .tcp(host: "localhost", port: 6379))
        /// File whose first line is the password, so that it stands neither in a URL nor in the environment. Empty: none.
        public var passwordFile = ""
    }

    public struct Publish: Sendable, Equatable {
        /// Seconds between two documents.
        public var interval = 2.0
        /// Points kept in `networkSpeeds`.
        public var points = 30
        /// Key of the newest document.
        public var key = "network_analysis:latest"
        /// Channel on which every document is announced.
        public var channel = "network_analysis:updates"
        /// Whose host this is, towards the prediction service. Empty: nobody's.
        public var clientID = ""
        public var flows = Flows()
        public var threats = Threats()
        public var events = Events()

        /// Where finished flows go.
        public struct Flows: Sendable, Equatable {
            /// Redis stream. Empty: none.
            public var stream = ""
            /// Entries that the stream keeps, about.
            public var length = 100_000
            /// File; a relative path is taken from the data directory. Empty: none.
            public var file = ""
            public var format = Format.json
            /// Bytes of one file.
            public var size = 64 << 20
            /// Full files that are kept beside the one being written.
            public var keep = 8
            /// The original system's prediction service. Nil: none.
            public var service: HTTPAddress?
            /// Bytes that may wait for each of them.
            public var queue = 8 << 20

            public enum Format: String, Sendable, CaseIterable {
                /// One object a line, with all that is known of a flow.
                case json
                /// CICFlowMeter's columns; no interim records.
                case csv
            }
        }

        /// Where events of incidents go.
        public struct Threats: Sendable, Equatable {
            /// Redis stream. Empty: none.
            public var stream = "weir:threats"
            /// Entries that the stream keeps, about.
            public var length = 10_000
            /// File; a relative path is taken from the data directory. Empty: none.
            public var file = ""
            /// Bytes of one file.
            public var size = 16 << 20
            /// Full files that are kept beside the one being written.
            public var keep = 8
        }

        /// Where sources of threats go, as the original system's map reads them.
        public struct Events: Sendable, Equatable {
            /// Redis stream. Empty: none.
            public var stream = ""
            /// Entries that the stream keeps, about.
            public var length = 10_000
        }
    }

    /// What is judged, and from which levels on.
    public struct Detect: Sendable, Equatable {
        public var isEnabled = true
        public var settings = DetectionSettings()
        /// Prefixes that are ours. Empty: the addresses of the watched interfaces.
        public var home: [Prefix] = []
    }

    /// The packets before an incident.
    public struct Record: Sendable, Equatable {
        /// Bytes. 0: none are kept.
        public var memory = 8 << 20
        /// Whether payload is kept as well.
        public var payload = false
    }

    public struct Disk: Sendable, Equatable {
        /// A path on the filesystem whose space is reported.
        public var path = "/"
    }

    public struct Sample: Sendable, Equatable {
        /// Frames a second that each class may send to user space before it is sampled itself.
        public var budget = 50_000
        /// One frame in this many is read, at least; overload raises the number by itself.
        public var oneIn = 1
        /// Bytes kept of a frame; the first frames of a flow keep 1,600.
        public var snap = 256
    }

    public struct Capture: Sendable, Equatable {
        /// Threads that read rings. 0: one per CPU, at most 4.
        public var workers = 0
        /// Bytes for all rings together.
        public var memory = 32 << 20
    }

    public struct Count: Sendable, Equatable {
        /// Pairs of client and service that are counted one by one; the rest is counted in sum.
        public var clients = 65_536
    }

    /// When flows end and what is kept of them.
    public struct Flows: Sendable, Equatable {
        public var profile = FlowProfile.corrected
        public var idle = Limit.auto
        public var active = Limit.auto
        public var close = Limit.auto
        public var interim = Limit.auto
        /// Bytes of all flows.
        public var memory = 16 << 20
        public var entropy = EntropyScope.first
        /// Flow records that are kept for those who ask.
        public var recent = 4_096

        /// A limit of time.
        public enum Limit: Sendable, Equatable {
            /// As the profile has it.
            case auto
            case never
            case seconds(Double)
        }
    }

    public struct Ports: Sendable, Equatable {
        /// How risk is classed.
        public enum Risk: String, Sendable, CaseIterable {
            /// By port, moved by at most one class by where it is open to.
            case adjusted
            /// By port alone.
            case seed
        }

        public var risk = Risk.adjusted
        /// Ports that are listed; counting is not affected. Empty: all.
        public var ranges = PortRanges()
        /// Ports that should listen; one that does not is listed as `closed`.
        public var expected = PortRanges()
    }

    public struct Log: Sendable, Equatable {
        /// What the console gets.
        public enum Format: String, Sendable, CaseIterable {
            /// Text on a terminal, else JSON lines.
            case auto
            case text
            case json
        }

        /// Levels of swift-log.
        public enum Level: String, Sendable, CaseIterable {
            case trace, debug, info, notice, warning, error, critical
        }

        /// Log file; a relative path is taken from the data directory. Empty: none.
        public var file = "network_monitor.log"
        public var level = Level.info
        public var format = Format.auto
    }
}
