/// The largest of many sums, in room for a few (Space-Saving: Metwally, Agrawal, El Abbadi 2005).
///
/// Whatever has more than the total divided by the capacity is in it; a sum may be too high by at most ``Entry/error``.
public struct TopCounts<Key: Hashable & Comparable & Sendable>: Sendable {
    public struct Entry: Sendable {
        public var key: Key
        public var count: Double
        public var error: Double
    }

    public let capacity: Int
    /// Of all that was added.
    public private(set) var total = 0.0
    private var entries: [Entry] = []
    private var places: [Key: Int] = [:]

    public init(capacity: Int) {
        precondition(capacity > 0, "room for at least one")
        self.capacity = capacity
    }

    public mutating func add(_ key: Key, _ count: Double = 1) {
        total += count
        if let place = places[key] {
            entries[place].count += count
        } else if entries.count < capacity {
            places[key] = entries.count
            entries.append(Entry(key: key, count: count, error: 0))
        } else {
            var least = 0
            for place in entries.indices where entries[place].count < entries[least].count { least = place }
            places[entries[least].key] = nil
            places[key] = least
            let error = entries[least].count
            entries[least] = Entry(key: key, count: error + count, error: error)
        }
    }

    /// The largest first; equal ones in the order of their keys.
    public func largest(_ count: Int) -> [Entry] {
        let sorted = entries.sorted { $0.count == $1.count ? $0.key < $1.key : $0.count > $1.count }
        return Array(sorted.prefix(count))
    }

    public var isEmpty: Bool { entries.isEmpty }
}
