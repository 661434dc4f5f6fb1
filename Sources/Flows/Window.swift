/// What was counted between two ticks of the clock, by default one second.
public struct Window: Sendable {
    /// One interface in one life of it: created again under the same index, it starts a new epoch.
    public struct InterfaceKey: Hashable, Comparable, Sendable {
        public var index: UInt32
        public var epoch: UInt32

        public init(index: UInt32, epoch: UInt32) {
            self.index = index
            self.epoch = epoch
        }

        public static func < (left: InterfaceKey, right: InterfaceKey) -> Bool {
            (left.index, left.epoch) < (right.index, right.epoch)
        }
    }

    /// Nanoseconds on the sensor's clock; `end` is not in the window.
    public private(set) var start: UInt64
    public private(set) var end: UInt64
    /// What each watched interface counted in between.
    public var interfaces: [InterfaceKey: InterfaceCounters] = [:]
    public var sampling = Sampling()
    public var ledger = Ledger()
    /// Flows that ended, and interim records of those that go on, by their first packet and key.
    public var flows: [FlowRecord] = []

    public init(start: UInt64, end: UInt64) {
        precondition(start <= end, "a window ends after it starts")
        self.start = start
        self.end = end
    }

    /// Takes in a window that starts where this one ends, or beside it.
    public mutating func merge(_ other: Window) {
        start = min(start, other.start)
        end = max(end, other.end)
        interfaces.merge(other.interfaces) { $0 + $1 }
        sampling += other.sampling
        ledger += other.ledger
        flows += other.flows
    }
}
