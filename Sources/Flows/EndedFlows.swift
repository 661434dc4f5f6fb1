/// Flow records on their way from a worker to who asks for them once a second: a bounded row, so that a flood of short flows
/// takes no more room than it was given.
public struct EndedFlows: Sendable {
    public private(set) var records: [FlowRecord] = []
    /// Records for which there was no room, since the start.
    public private(set) var missed: UInt64 = 0
    private let capacity: Int

    /// - Parameter capacity: records kept until they are taken.
    public init(capacity: Int) {
        self.capacity = capacity
    }

    public mutating func append(_ record: borrowing FlowRecord) {
        if records.count < capacity { records.append(copy record) } else { missed &+= 1 }
    }

    /// Hands out the records, in the order in which they ended.
    public mutating func take() -> [FlowRecord] {
        defer { records = [] }
        return records
    }
}

/// What a sensor's flow tables have done since the start.
public struct FlowCounters: Equatable, Sendable {
    /// Flows that are open now.
    public var open: UInt64 = 0
    public var table = FlowTable.Counters()
    /// Records that nobody took in time.
    public var missed: UInt64 = 0
    /// Later fragments whose first was not seen: in no flow.
    public var strayFragments = Volume()
    /// Packets whose headers are malformed: in no flow.
    public var unread = Volume()

    public init() {}

    public init(_ tables: borrowing FlowTables, missed: UInt64) {
        open = UInt64(tables.count)
        table = tables.counters
        self.missed = missed
        strayFragments = tables.strayFragments
        unread = tables.unread
    }

    public static func += (left: inout FlowCounters, right: FlowCounters) {
        left.open &+= right.open
        left.table += right.table
        left.missed &+= right.missed
        left.strayFragments += right.strayFragments
        left.unread += right.unread
    }
}
