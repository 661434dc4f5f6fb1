/// New connections of one service (a listening TCP port).
///
/// Whoever makes it holds the state of handshakes; these are its results.
public struct ServiceCounters: BitwiseCopyable, Sendable {
    /// SYN received: connections offered.
    public var offered: UInt64
    /// SYN+ACK sent: connections answered.
    public var answered: UInt64
    /// Third packets of a handshake whose acknowledgement matches our SYN+ACK.
    public var completed: UInt64

    public init(offered: UInt64, answered: UInt64, completed: UInt64) {
        self.offered = offered
        self.answered = answered
        self.completed = completed
    }
}

extension ServiceCounters: Counters {
    public init() {
        self.init(offered: 0, answered: 0, completed: 0)
    }

    public static func += (left: inout ServiceCounters, right: ServiceCounters) {
        left.offered &+= right.offered
        left.answered &+= right.answered
        left.completed &+= right.completed
    }

    public func since(_ earlier: ServiceCounters) -> ServiceCounters {
        ServiceCounters(
            offered: offered.since(earlier.offered),
            answered: answered.since(earlier.answered),
            completed: completed.since(earlier.completed)
        )
    }
}
