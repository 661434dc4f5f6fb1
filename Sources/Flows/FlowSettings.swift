/// Which payload bytes' entropy is measured.
public enum EntropyScope: String, CaseIterable, Sendable {
    case none
    /// The first ``HistogramPool/limit`` each way.
    case first
    /// These, and every packet.
    case all
}

/// When flows end, and what memory they may take.
public struct FlowSettings: Equatable, Sendable {
    public var profile = FlowProfile.corrected
    /// Nanoseconds without a packet after which a flow ends; nil: never.
    public var idle: Int64? = 60_000_000_000
    /// Nanoseconds after its first packet from which on a packet starts the next flow; nil: never.
    public var active: Int64? = 300_000_000_000
    /// Nanoseconds without a packet after which a closed TCP connection (FIN from both ends, or RST) ends: what still
    /// trails in belongs to it. A SYN that comes later starts the next flow at once. nil: TCP flags end nothing.
    public var close: Int64? = 2_000_000_000
    /// Nanoseconds between two interim records of a flow that goes on; nil: none.
    public var interim: Int64? = 10_000_000_000
    public var entropy = EntropyScope.none
    /// Whether detectors look on: ``FlowTables/takeObservation()``.
    public var observes = false
    /// Bytes of all flows of all shards, whatever arrives.
    public var memory = 16 << 20

    public init() {}

    /// CICFlowMeter's own: a flow ends at the responder's FIN or a RST, and 120 s after its first packet, when the next one
    /// comes: time alone ends none.
    public static var cic: FlowSettings {
        var settings = FlowSettings()
        settings.profile = .cic
        settings.idle = nil
        settings.active = 120_000_000_000
        settings.close = 0
        settings.interim = nil
        return settings
    }

    /// Flows that one shard has room for.
    public var flowsPerShard: Int { max(8, memory / ShardMap.shards / FlowTable.bytesPerFlow) }
}
