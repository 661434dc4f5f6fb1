import Linux

/// The fanout program that sends both directions of a flow to the ring of the worker that owns its shard.
public struct Sharing: ~Copyable, Sendable {
    /// Given to the first socket of a fanout group.
    public let program: Program

    /// Loads it. Needs CAP_BPF, CAP_PERFMON too.
    ///
    /// - Parameters:
    ///   - keys: the five words of the hash that user space finds shards by.
    ///   - rings: of the group, 1 to 64.
    ///   - rawIP: frames begin with the IP header (tun, WireGuard).
    public init(keys: [5 of UInt64], rings: Int, rawIP: Bool = false) throws(BPFError) {
        precondition((1...64).contains(rings), "1 to 64 rings")
        var object = try OpenObject(.share)
        try object.set("keys", to: keys)
        try object.set("rings", to: UInt32(rings))
        try object.set("raw_ip", to: rawIP)
        program = try object.load().program("weir_share")
    }
}
