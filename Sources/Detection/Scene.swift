public import Flows
public import Packets

/// What is known of the host and its place, beside its traffic. In a replay only what was given.
public struct Scene: Sendable {
    /// Prefixes that are ours. Empty: not known, and every address may be a victim or a source.
    public var home: [Prefix] = []
    /// What listens here: by port of TCP.
    public var services: [UInt16: Service] = [:]
    /// What the sampling filter let through about the time of this window; nil in a replay.
    public var sampling: SamplingCounters?
    /// What the kernel's stack counted in this window; nil in a replay.
    public var kernel: KernelEvidence?
    /// Nanoseconds from the packets' clock to the wall's (UTC): what hours of the week are told by.
    public var wallOffset: Int64 = 0
    /// Subjects of the incidents that are open: nothing is learnt from what happens to them.
    public internal(set) var troubled: Set<Subject> = []

    public init() {}

    /// A program that listens.
    public struct Service: Equatable, Sendable {
        public var program: String
        public var process: UInt32

        public init(program: String, process: UInt32) {
            self.program = program
            self.process = process
        }
    }

    public struct KernelEvidence: Equatable, Sendable {
        /// Sockets now waiting for the last packet of a handshake.
        public var synReceived: UInt64 = 0
        /// Since the window before.
        public var listenDrops: UInt64 = 0
        public var synCookiesSent: UInt64 = 0

        public init() {}
    }

    /// Whether an address is ours; nil: not known.
    public func isHome(_ address: Address, _ family: Family) -> Bool? {
        home.isEmpty ? nil : home.contains { $0.contains(address, family) }
    }
}
