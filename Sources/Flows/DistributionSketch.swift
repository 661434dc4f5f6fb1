/// How often each key came in a window, in 64 KiB: exact up to 1,024 keys, and beyond them an estimate of the entropy whose
/// error it knows. Takes any number of keys in constant time each; allocates nothing after it was made.
///
/// Above 1,024 keys, every key is counted in one of 4,096 buckets by its hash, and a sample of keys is counted one by one:
/// those whose hash begins with `level` zeros, the level being the lowest at which at most 1,024 remain (Wegman's adaptive
/// sampling; Flajolet 1990). The entropy of the keys is that of the buckets plus that of the keys within their buckets,
/// Σ p(key) log2(bucket / key); the second sum is estimated from the sample, each key standing for 2^level (Horvitz and
/// Thompson 1952). A frequent key adds little to it, being nearly all of its bucket, so missing one costs little.
///
/// What a sketch holds depends on the keys and their counts alone, not on their order: sketches of parts of the traffic,
/// merged in any order, are the sketch of the whole.
public struct DistributionSketch: Sendable {
    /// Keys that are counted one by one.
    public static let capacity = 1_024
    private static let slots = 2 * capacity
    private static let bucketCount = 4_096

    private struct Entry: BitwiseCopyable, Equatable {
        var hash: UInt64 = 0
        /// 0 for a free slot.
        var count: UInt64 = 0
    }

    /// A hash table with linear probing, half full at most.
    private var entries = [Entry](repeating: Entry(), count: slots)
    /// All zero at level 0, where the entries say all.
    private var buckets = [UInt64](repeating: 0, count: bucketCount)
    private var kept = 0
    private var level: UInt64 = 0
    /// Packets counted since the last reset.
    public private(set) var packets: UInt64 = 0

    public init() {}

    /// - Parameters:
    ///   - hash: of the key, well mixed and keyed with a secret: a stranger who could choose hashes could choose the figures
    ///   - packets: how many carried it, more than 0
    @inline(__always)
    public mutating func count(_ hash: UInt64, packets: UInt64) {
        self.packets &+= packets
        if level > 0 {
            buckets[Self.bucket(of: hash)] &+= packets
            if !isSampled(hash) { return }
        }
        keep(hash, packets)
    }

    /// Makes it as new, without giving memory back.
    public mutating func reset() {
        guard packets > 0 else { return }
        for slot in entries.indices { entries[slot] = Entry() }
        if level > 0 {
            for bucket in buckets.indices { buckets[bucket] = 0 }
        }
        (kept, level, packets) = (0, 0, 0)
    }

    /// Takes in what another sketch counted, under the same hash.
    public mutating func merge(_ other: DistributionSketch) {
        guard other.packets > 0 else { return }
        while level < other.level { raiseLevel() }
        packets &+= other.packets
        if other.level > 0 {
            for bucket in buckets.indices { buckets[bucket] &+= other.buckets[bucket] }
        }
        for entry in other.entries where entry.count > 0 {
            if level > 0, other.level == 0 { buckets[Self.bucket(of: entry.hash)] &+= entry.count }
            if isSampled(entry.hash) { keep(entry.hash, entry.count) }
        }
    }

    /// The entropy of what was counted. Takes up to a tenth of a millisecond: for the end of a window.
    public var entropy: DistributionEntropy {
        guard packets > 0 else { return DistributionEntropy() }
        // The places of entries depend on their order of arrival; a sum of floating-point numbers must not.
        let sample = entries.filter { $0.count > 0 }.sorted { $0.hash < $1.hash }
        let all = Double(packets)
        guard level > 0 else {
            let bits = Self.entropy(of: sample.map(\.count), all)
            return DistributionEntropy(
                bits: bits,
                error: 0,
                distinct: UInt64(kept),
                sampling: 1,
                packets: packets
            )
        }
        let sampling = Double(1 << level)
        var (inner, squares) = (0.0, 0.0)
        for entry in sample {
            let inBucket = Double(buckets[Self.bucket(of: entry.hash)])
            let term = Double(entry.count) / all * binaryLogarithm(inBucket / Double(entry.count))
            inner += term
            squares += term * term
        }
        return DistributionEntropy(
            bits: min(Self.entropy(of: buckets, all) + sampling * inner, binaryLogarithm(all)),
            error: (sampling * (sampling - 1) * squares).squareRoot(),
            distinct: UInt64(kept) << level,
            sampling: 1 << level,
            packets: packets
        )
    }

    /// log2 N − Σ c log2 c / N
    private static func entropy(of counts: [UInt64], _ all: Double) -> Double {
        var sum = 0.0
        for count in counts where count > 1 {
            sum += Double(count) * binaryLogarithm(Double(count))
        }
        return max(0, binaryLogarithm(all) - sum / all)
    }

    // Sample, slot and bucket are decided by different bits of the hash: the highest, the middle and the lowest.

    @inline(__always)
    private func isSampled(_ hash: UInt64) -> Bool { hash.leadingZeroBitCount >= level }

    @inline(__always)
    private static func bucket(of hash: UInt64) -> Int { Int(hash & UInt64(bucketCount - 1)) }

    @inline(__always)
    private static func slot(of hash: UInt64) -> Int { Int(hash >> 12 & UInt64(slots - 1)) }

    @inline(__always)
    private mutating func keep(_ hash: UInt64, _ packets: UInt64) {
        var slot = Self.slot(of: hash)
        while entries[slot].count > 0 {
            if entries[slot].hash == hash {
                entries[slot].count &+= packets
                return
            }
            slot = (slot &+ 1) & (Self.slots &- 1)
        }
        entries[slot] = Entry(hash: hash, count: packets)
        kept &+= 1
        while kept > Self.capacity { raiseLevel() }
    }

    /// Halves the sample.
    @inline(never)
    private mutating func raiseLevel() {
        if level == 0 {
            for entry in entries where entry.count > 0 {
                buckets[Self.bucket(of: entry.hash)] &+= entry.count
            }
        }
        level += 1
        // Every entry is taken out and put back, from behind a free slot on: none then lands before where it was found,
        // but where it belongs.
        guard let start = entries.firstIndex(where: { $0.count == 0 }) else { return }
        for offset in 1..<Self.slots {
            let slot = (start + offset) & (Self.slots - 1)
            let entry = entries[slot]
            guard entry.count > 0 else { continue }
            entries[slot] = Entry()
            kept -= 1
            if isSampled(entry.hash) { putBack(entry) }
        }
    }

    private mutating func putBack(_ entry: Entry) {
        var slot = Self.slot(of: entry.hash)
        while entries[slot].count > 0 { slot = (slot + 1) & (Self.slots - 1) }
        entries[slot] = entry
        kept += 1
    }
}

extension DistributionSketch: Equatable {
    /// Whether both counted the same.
    public static func == (left: DistributionSketch, right: DistributionSketch) -> Bool {
        let sorted = { (sketch: DistributionSketch) in
            sketch.entries.filter { $0.count > 0 }.sorted { $0.hash < $1.hash }
        }
        return left.packets == right.packets && left.level == right.level && left.buckets == right.buckets
            && sorted(left) == sorted(right)
    }
}
