public import KernelABI

/// The socket filter that chooses which frames reach user space. One for each interface: its rings share budget,
/// flow counters and totals.
public struct Sampling: ~Copyable, Sendable {
    /// Given to every ring's socket with `SO_ATTACH_BPF` before the socket is bound.
    public let filter: Program
    /// What it decides by; write element 0 at any time.
    public let parameters: Variable<weir_sampling>
    /// Frames offered and kept; key: the class.
    public let sampled: Map<UInt32, weir_sampled>
    private let flows: Variable<UInt8>

    /// Loads it. Needs CAP_BPF, CAP_PERFMON too.
    ///
    /// - Parameter rawIP: frames begin with the IP header (tun, WireGuard).
    public init(rawIP: Bool = false) throws(BPFError) {
        var object = try OpenObject(.sample)
        var generator = SystemRandomNumberGenerator()
        try object.set("seed", to: (generator.next(), generator.next()))
        try object.set("raw_ip", to: rawIP)
        let loaded = try object.load()
        // What can throw stands before the first stored property.
        let filter = try loaded.program("weir_sample")
        let parameters: Variable<weir_sampling> = try loaded.variable("sampling")
        let sampled: Map<UInt32, weir_sampled> = try loaded.map("sampled")
        let flows: Variable<UInt8> = try loaded.variable("flow_slots")
        self.flows = flows
        self.filter = filter
        self.parameters = parameters
        self.sampled = sampled
    }

    /// Kernel memory of its maps, in bytes, as the kernel accounts it.
    public func kernelMemory() throws(BPFError) -> Int {
        try sampled.kernelMemory() + BPF.kernelMemory(of: parameters.descriptor)
            + BPF.kernelMemory(of: flows.descriptor)
    }
}
