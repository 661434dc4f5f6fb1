/// The last flow records, each with a number that a client can go on from; in a ring that grows to its capacity and no
/// further.
public struct RecentFlows: Sendable {
    private var ring: [FlowRecord] = []
    private let capacity: Int
    /// Records taken since the start; the next one's number is one more.
    public private(set) var added: UInt64 = 0

    /// - Parameter capacity: at least 1.
    public init(capacity: Int) {
        precondition(capacity > 0, "a ring needs room for one record")
        self.capacity = capacity
    }

    /// Takes the places of the oldest when the ring is full.
    public mutating func add(_ records: [FlowRecord]) {
        for record in records {
            let place = Int(added % UInt64(capacity))
            if place < ring.count { ring[place] = record } else { ring.append(record) }
            added &+= 1
        }
    }

    /// The latest `count`, oldest first, with the number of the first of them; with `after`, only those with a higher number.
    public func latest(_ count: Int, after number: UInt64? = nil) -> (first: UInt64, records: [FlowRecord]) {
        let held = UInt64(ring.count)
        let newer = added - min(added, number ?? 0)
        let wanted = min(UInt64(max(0, count)), held, newer)
        let start = added - wanted
        return (start + 1, (start..<added).map { ring[Int($0 % UInt64(capacity))] })
    }
}
