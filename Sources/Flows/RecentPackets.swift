/// The last packets that were seen, in a ring that is allocated once: by default 1,000 of 112 bytes.
public struct RecentPackets: ~Copyable, Sendable {
    private var ring: [PacketSummary] = []
    private var next = 0
    private let capacity: Int

    /// - Parameter capacity: at least 1.
    public init(capacity: Int = 1_000) {
        precondition(capacity > 0, "a ring needs room for one packet")
        self.capacity = capacity
        ring.reserveCapacity(capacity)
    }

    /// How many were taken since the start, held or not.
    public private(set) var appended: UInt64 = 0

    /// How many are held.
    public var count: Int { ring.count }

    /// Takes the place of the oldest when the ring is full.
    @inline(__always)
    public mutating func append(_ summary: PacketSummary) {
        if ring.count == capacity {
            ring[next] = summary
        } else {
            ring.append(summary)
        }
        appended &+= 1
        next &+= 1
        if next == capacity { next = 0 }
    }

    /// The latest `count`, oldest first.
    public func latest(_ count: Int = .max) -> [PacketSummary] {
        let wanted = max(0, min(count, ring.count))
        let newest = ring[..<next].suffix(wanted)
        let older = ring.count == capacity ? ring[next...].suffix(wanted - newest.count) : []
        return Array(older + newest)
    }
}
