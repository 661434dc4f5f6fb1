import Flows
import Glibc
import Support
import Testing

@Suite struct DistributionSketchTests {
    /// A key's hash and how many packets carried it.
    struct Key {
        var hash: UInt64
        var packets: UInt64
    }

    enum Shape: String, CaseIterable {
        /// Every key once: spoofed sources.
        case once
        /// Zipf's law with exponent 1.1: ordinary traffic.
        case zipf
        /// Half of the packets of one key, a quarter of ten, the rest of many: a flood amid traffic.
        case flood

        func packets(of key: Int, keys: Int) -> UInt64 {
            switch self {
            case .once: 1
            case .zipf: 1 + UInt64(Double(keys) / pow(Double(key + 1), 1.1))
            case .flood: key == 0 ? UInt64(2 * keys) : key <= 10 ? UInt64(max(1, keys / 10)) : 1
            }
        }
    }

    private func keys(_ count: Int, _ shape: Shape, seed: UInt64) -> [Key] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { Key(hash: random.next(), packets: shape.packets(of: $0, keys: count)) }
    }

    private func sketch(_ keys: some Sequence<Key>) -> DistributionSketch {
        var sketch = DistributionSketch()
        for key in keys { sketch.count(key.hash, packets: key.packets) }
        return sketch
    }

    private func plainEntropy(_ keys: [Key]) -> Double {
        let all = Double(keys.reduce(0) { $0 + $1.packets })
        return keys.reduce(0.0) { sum, key in
            let share = Double(key.packets) / all
            return sum - share * log2(share)
        }
    }

    @Test(arguments: Shape.allCases, [1, 2, 100, 1_024])
    func isExactForFewKeys(shape: Shape, count: Int) {
        let keys = keys(count, shape, seed: UInt64(count))
        let entropy = sketch(keys).entropy
        #expect(abs(entropy.bits - plainEntropy(keys)) < 1e-10)
        #expect(entropy.error == 0 && entropy.sampling == 1)
        #expect(entropy.distinct == UInt64(count))
        #expect(entropy.packets == keys.reduce(0) { $0 + $1.packets })
    }

    /// Over 40 seeds: no estimate further off than 0.4 bits, none biased, and the errors are what they say they are.
    @Test(arguments: Shape.allCases, [1_025, 5_000, 40_000])
    func isNearForManyKeys(shape: Shape, count: Int) {
        let seeds = 40
        var (sum, squares, distinct) = (0.0, 0.0, 0.0)
        for seed in 0..<seeds {
            let keys = keys(count, shape, seed: UInt64(1_000 + seed))
            let entropy = sketch(keys).entropy
            let deviation = entropy.bits - plainEntropy(keys)
            #expect(abs(deviation) < 0.4, "seed \(seed)")
            #expect(abs(deviation) < 5 * entropy.error, "seed \(seed)")
            sum += deviation / entropy.error
            squares += deviation * deviation / entropy.error / entropy.error
            distinct += Double(entropy.distinct) / Double(count)
            #expect(entropy.sampling > 1)
        }
        let (mean, spread) = (sum / Double(seeds), (squares / Double(seeds)).squareRoot())
        #expect(abs(mean) < 5 / Double(seeds).squareRoot(), "mean deviation in standard errors")
        #expect((0.3...2).contains(spread), "deviation in standard errors")
        #expect(abs(distinct / Double(seeds) - 1) < 5 * 0.04 / Double(seeds).squareRoot())
    }

    /// Neither order nor splitting nor the way of merging leaves a trace.
    @Test(arguments: [500, 1_024, 1_025, 3_000, 20_000])
    func dependsOnWhatWasCountedAlone(count: Int) {
        var random = SeededGenerator(seed: UInt64(count))
        let packets = keys(count, .zipf, seed: 9).flatMap { key in
            [Key](repeating: Key(hash: key.hash, packets: 1), count: min(3, Int(key.packets)))
        }
        let whole = sketch(packets)
        #expect(sketch(packets.shuffled(using: &random)) == whole)
        for workers in [2, 3, 7] {
            var parts = [DistributionSketch](repeating: DistributionSketch(), count: workers)
            for packet in packets {
                // The first gets few keys, so that exact and sampled ones meet.
                let worker =
                    Int.random(in: 0..<20, using: &random) == 0 ? 0 : Int.random(in: 1..<workers, using: &random)
                parts[worker].count(packet.hash, packets: 1)
            }
            for order in [parts, parts.reversed()] {
                var merged = DistributionSketch()
                for part in order { merged.merge(part) }
                #expect(merged == whole)
                #expect(merged.entropy == whole.entropy)
            }
        }
    }

    @Test func resetForgets() {
        var sketch = sketch(keys(5_000, .once, seed: 1))
        #expect(sketch != DistributionSketch())
        sketch.reset()
        #expect(sketch == DistributionSketch())
        #expect(sketch.entropy == DistributionEntropy())
        let few = keys(10, .zipf, seed: 2)
        for key in few { sketch.count(key.hash, packets: key.packets) }
        #expect(sketch == self.sketch(few))
    }

    @Test func normalised() {
        #expect(sketch(keys(1, .once, seed: 1)).entropy.normalised == 0)
        #expect(abs(sketch(keys(700, .once, seed: 1)).entropy.normalised - 1) < 1e-12)
        #expect(sketch(keys(700, .flood, seed: 1)).entropy.normalised < 0.6)
        #expect(abs(sketch(keys(50_000, .once, seed: 1)).entropy.normalised - 1) < 0.05)
    }

    /// The table's worst case: all keys want one slot. Figures stay right.
    @Test func keysThatShareASlot() {
        let keys = (0..<1_024 as Range<UInt64>).map { Key(hash: $0 << 24 | 0xFFF, packets: $0 + 1) }
        let entropy = sketch(keys).entropy
        #expect(abs(entropy.bits - plainEntropy(keys)) < 1e-10)
    }
}
