public import Flows

/// What the sensor is doing: the answer of `GET /api/status` and of `weir status`.
public struct SensorStatus: Equatable, Sendable {
    /// An interface that is there but not watched.
    public struct Unwatched: Equatable, Sendable {
        public var name: String
        /// For people: why not, and what would change that.
        public var reason: String

        public init(name: String, reason: String) {
            self.name = name
            self.reason = reason
        }
    }

    /// Memory outside the process's own heap, in bytes, and what found no room in it.
    public struct KernelMemory: Equatable, Sendable {
        /// Tables of the counting and sampling programs.
        public var maps: UInt64
        /// Packet rings.
        public var rings: UInt64
        /// Times a client did not enter the clients' table, which was full; its bytes are the service's others'.
        public var clientsTurnedAway: UInt64
        /// Frames on an interface that the counting programs do not know.
        public var unknownInterface: UInt64

        public init(maps: UInt64, rings: UInt64, clientsTurnedAway: UInt64 = 0, unknownInterface: UInt64 = 0) {
            self.maps = maps
            self.rings = rings
            self.clientsTurnedAway = clientsTurnedAway
            self.unknownInterface = unknownInterface
        }
    }

    public var time: WallTime
    public var version: String
    public var monitoringActive: Bool
    public var modelsTrained: Bool
    /// Whole seconds since the sensor started.
    public var uptime: UInt64
    public var interfaces: [InterfaceTotals]
    public var unwatched: [Unwatched]
    public var ledger: LedgerCounts
    public var sampling: SamplingStatus
    /// Oldest first; the sensor keeps a bounded number.
    public var samplingHistory: [SamplingChange]
    /// Nil when publishing is switched off.
    public var redis: RedisStatus?
    public var kernelMemory: KernelMemory
    public var flows: FlowCounters
    /// Nil when detection is switched off.
    public var threats: ThreatCounts?
    /// Where flows and threats go beyond this host; empty when that is switched off.
    public var sinks: [SinkStatus]

    public init(
        time: WallTime,
        version: String,
        monitoringActive: Bool,
        modelsTrained: Bool,
        uptime: UInt64,
        interfaces: [InterfaceTotals],
        unwatched: [Unwatched],
        ledger: LedgerCounts,
        sampling: SamplingStatus,
        samplingHistory: [SamplingChange],
        redis: RedisStatus?,
        kernelMemory: KernelMemory,
        flows: FlowCounters = FlowCounters(),
        threats: ThreatCounts? = nil,
        sinks: [SinkStatus] = []
    ) {
        self.time = time
        self.version = version
        self.monitoringActive = monitoringActive
        self.modelsTrained = modelsTrained
        self.uptime = uptime
        self.interfaces = interfaces
        self.unwatched = unwatched
        self.ledger = ledger
        self.sampling = sampling
        self.samplingHistory = samplingHistory
        self.redis = redis
        self.kernelMemory = kernelMemory
        self.flows = flows
        self.threats = threats
        self.sinks = sinks
    }

    public func json() -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.field("monitoring_active", monitoringActive)
            json.field("ml_models_trained", modelsTrained)
            json.field("uptime", uptime)
            json.field("timestamp", time, digits: .milliseconds)
            json.field("schema", 1)
            json.field("version", version, limit: 64)
            json.array("interfaces") { json in
                for interface in interfaces { interface.write(to: &json) }
            }
            json.array("not_watched") { json in
                for interface in unwatched {
                    json.object { json in
                        json.field("name", interface.name, limit: 32)
                        json.field("reason", interface.reason, limit: 256)
                    }
                }
            }
            json.object("ledger") { json in ledger.write(to: &json) }
            json.object("sampling") { json in
                sampling.writeFields(to: &json)
                json.array("history") { json in
                    for change in samplingHistory { change.write(to: &json) }
                }
            }
            if let redis { json.object("redis") { json in redis.write(to: &json) } } else { json.fieldNull("redis") }
            json.object("kernel_memory") { json in
                json.field("maps", kernelMemory.maps)
                json.field("rings", kernelMemory.rings)
                json.field("clients_turned_away", kernelMemory.clientsTurnedAway)
                json.field("unknown_interface", kernelMemory.unknownInterface)
            }
            json.object("flows") { json in flows.write(to: &json) }
            if let threats {
                json.object("threats") { json in threats.write(to: &json) }
            } else {
                json.fieldNull("threats")
            }
            json.array("sinks") { json in
                for sink in sinks { sink.write(to: &json) }
            }
        }
        return json.bytes
    }
}

extension FlowCounters {
    func write(to json: inout JSONWriter) {
        json.field("open", open)
        json.field("started", table.started)
        json.field("ended", table.ended)
        json.field("evicted", table.evicted)
        json.field("evicted_established", table.evictedEstablished)
        json.field("missed", missed)
        json.field("stray_fragments", strayFragments.packets)
        json.field("unread_packets", unread.packets)
    }
}
