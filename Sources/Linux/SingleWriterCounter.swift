import Synchronization

/// A counter that one thread moves and any thread reads: moving it is one plain addition, without a locked instruction.
public struct SingleWriterCounter: ~Copyable, Sendable {
    private let value = Atomic<UInt64>(0)

    public init() {}

    /// Only ever called by one thread.
    public func add(_ amount: UInt64) {
        value.store(value.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    /// What was counted so far; several counters read one after another need not belong to one moment.
    public func load() -> UInt64 { value.load(ordering: .relaxed) }
}
