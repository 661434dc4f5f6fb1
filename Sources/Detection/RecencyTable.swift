/// What a ``RecencyTable`` finds its entries by.
protocol RecencyKey: Equatable, Sendable {
    /// - Returns: all bits mixed, with those of the seed.
    func hash(_ seed: UInt64) -> UInt64
}

/// Entries in the order in which they were last touched, in memory that is bounded: whoever adds to a full table must say
/// what is given up.
struct RecencyTable<Key: RecencyKey, Value: Sendable>: Sendable {
    private struct Link {
        var older: UInt32
        var newer: UInt32
    }

    let capacity: Int
    private(set) var count = 0
    /// By place; of free places what was there before.
    var values: [Value] = []
    private(set) var keys: [Key] = []
    private var links: [Link] = []
    /// Upper half: the key's hash; lower: its place and 1. 0: free.
    private var index: [UInt64]
    private let mask: Int
    // Nothing that is told depends on it, so a replay need not know it and a stranger cannot.
    private let seed = UInt64.random(in: .min ... .max)
    private var first = Self.none
    private var last = Self.none
    /// Places that were given up, linked by ``Link/newer``.
    private var free = Self.none

    private static var none: UInt32 { .max }

    init(capacity: Int) {
        precondition(capacity > 0, "room for at least one")
        self.capacity = capacity
        var places = 4
        while places < 2 * capacity { places *= 2 }
        index = [UInt64](repeating: 0, count: places)
        mask = places - 1
        values.reserveCapacity(capacity)
        keys.reserveCapacity(capacity)
        links.reserveCapacity(capacity)
    }

    /// Of memory, when it is full.
    var bytes: Int {
        let entry = MemoryLayout<Key>.stride + MemoryLayout<Value>.stride + MemoryLayout<Link>.stride
        return capacity * entry + index.count * MemoryLayout<UInt64>.stride
    }

    var isFull: Bool { count == capacity }

    /// The place that was touched least lately.
    var oldest: Int? { first == Self.none ? nil : Int(first) }

    /// The place that was touched next after this one.
    func newer(than place: Int) -> Int? { links[place].newer == Self.none ? nil : Int(links[place].newer) }

    func find(_ key: Key) -> Int? {
        let hash = key.hash(seed) >> 32
        var slot = Int(hash) & mask
        while index[slot] != 0 {
            if index[slot] >> 32 == hash {
                let place = Int(index[slot] & 0xFFFF_FFFF) - 1
                if keys[place] == key { return place }
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// Adds what is not there yet, as touched last.
    @discardableResult
    mutating func insert(_ key: Key, _ value: Value) -> Int {
        precondition(count < capacity, "a full table gives something up first")
        var place = values.count
        if free != Self.none {
            place = Int(free)
            free = links[place].newer
            keys[place] = key
            values[place] = value
        } else {
            keys.append(key)
            values.append(value)
            links.append(Link(older: Self.none, newer: Self.none))
        }
        append(place)
        count += 1
        let hash = key.hash(seed) >> 32
        var slot = Int(hash) & mask
        while index[slot] != 0 { slot = (slot + 1) & mask }
        index[slot] = hash << 32 | UInt64(place + 1)
        return place
    }

    mutating func touch(_ place: Int) {
        guard last != UInt32(place) else { return }
        unlink(place)
        append(place)
    }

    mutating func remove(_ place: Int) {
        let hash = keys[place].hash(seed) >> 32
        var gap = Int(hash) & mask
        while Int(index[gap] & 0xFFFF_FFFF) != place + 1 { gap = (gap + 1) & mask }
        // Closes the gap (Knuth, volume 3, 6.4, algorithm R).
        var slot = gap
        while true {
            slot = (slot + 1) & mask
            let word = index[slot]
            if word == 0 { break }
            let home = Int(word >> 32) & mask
            if (slot - home) & mask >= (slot - gap) & mask {
                index[gap] = word
                gap = slot
            }
        }
        index[gap] = 0
        unlink(place)
        links[place].newer = free
        free = UInt32(place)
        count -= 1
    }

    private mutating func append(_ place: Int) {
        links[place] = Link(older: last, newer: Self.none)
        if last == Self.none { first = UInt32(place) } else { links[Int(last)].newer = UInt32(place) }
        last = UInt32(place)
    }

    private mutating func unlink(_ place: Int) {
        let link = links[place]
        if link.older == Self.none { first = link.newer } else { links[Int(link.older)].newer = link.newer }
        if link.newer == Self.none { last = link.older } else { links[Int(link.newer)].older = link.older }
    }
}
