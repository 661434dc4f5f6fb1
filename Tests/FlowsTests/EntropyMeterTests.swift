import Flows
import Glibc
import Support
import Testing

/// The definitions, written plainly: a count of each value, and −Σ p log2 p.
func plainEntropy(_ bytes: some Collection<UInt8>) -> Double {
    var counts = [Int](repeating: 0, count: 256)
    for byte in bytes { counts[Int(byte)] += 1 }
    return counts.filter { $0 > 0 }.reduce(0.0) { sum, count in
        let share = Double(count) / Double(bytes.count)
        return sum - share * log2(share)
    }
}

@Suite struct EntropyMeterTests {
    private func measured(_ bytes: [UInt8]) -> Entropy {
        var meter = EntropyMeter()
        return measured(bytes, &meter)
    }

    private func measured(_ bytes: [UInt8], _ meter: inout EntropyMeter) -> Entropy {
        let span = unsafe bytes.span.bytes
        return meter.entropy(of: span)
    }

    /// Lengths on both sides of each border: of the short path, of eight bytes a load, of the tables, of what is read.
    static let lengths = [
        1, 2, 3, 7, 8, 9, 63, 64, 255, 256, 257, 511, 1_400, 2_047, 2_048, 2_049, 8_999, 65_534, 65_535,
    ]

    @Test(arguments: lengths)
    func agreesWithTheDefinition(length: Int) {
        var random = SeededGenerator(seed: UInt64(length))
        var meter = EntropyMeter()
        for values in [1, 2, 3, 26, 255, 256] {
            for _ in 0..<(length > 5_000 ? 1 : 5) {
                let bytes = (0..<length).map { _ in UInt8(Int.random(in: 0..<values, using: &random)) }
                let entropy = measured(bytes, &meter)
                #expect(abs(entropy.bits - plainEntropy(bytes)) < 1e-12)
                #expect(entropy.length == length)
            }
        }
    }

    /// Every start in memory and every order of the bytes, the same bits.
    @Test func neitherPlaceNorOrderMatters() {
        var random = SeededGenerator(seed: 3)
        for length in [100, 1_001, 5_003] {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...99, using: &random) }
            var meter = EntropyMeter()
            let expected = measured(bytes, &meter)
            for start in 0..<9 {
                let padded = [UInt8](repeating: 200, count: start) + bytes.shuffled(using: &random)
                let span = unsafe padded.span.bytes
                #expect(meter.entropy(of: span.extracting(start..<padded.count)) == expected)
            }
        }
    }

    @Test func edges() {
        #expect(measured([]) == Entropy())
        #expect(Entropy().ratio == 0)
        let one = measured([7])
        #expect(one.bits == 0 && one.uniform == 0 && one.ratio == 0)
        let same = measured([UInt8](repeating: 9, count: 300))
        #expect(same.bits == 0 && same.ratio == 0 && same.deficit == same.uniform)
        #expect(measured((0...255).map { $0 }).bits == 8)
        #expect(measured((0...255).map { $0 }).ratio > 1)
    }

    @Test func readsNoMoreThanItSays() {
        let head = [UInt8](repeating: 1, count: EntropyMeter.maximumLength)
        let entropy = measured(head + [2, 3, 4])
        #expect(entropy.bits == 0)
        #expect(entropy.length == EntropyMeter.maximumLength)
    }

    /// Against the mean of many estimates over random bytes, within five of its standard errors.
    @Test(arguments: [2, 3, 16, 32, 64, 128, 192, 256, 512, 1_024, 1_460, 2_047, 2_048, 4_000, 20_000])
    func uniformIsTheMeanOverRandomBytes(length: Int) {
        let seed = UInt64(length)
        var random = SeededGenerator(seed: seed)
        var meter = EntropyMeter()
        let estimates = (0..<max(50, 100_000 / length)).map { _ in
            measured((0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }, &meter)
        }
        let count = Double(estimates.count)
        let mean = estimates.reduce(0) { $0 + $1.bits } / count
        let variance = estimates.reduce(0) { $0 + ($1.bits - mean) * ($1.bits - mean) } / (count - 1)
        let uniform = measured([UInt8](repeating: 0, count: length), &meter).uniform
        #expect(abs(mean - uniform) < 5 * (variance / count).squareRoot() + 1e-12, "seed \(seed)")
    }

    /// The same mean by its definition: over all counts that a value can have, with the exact binomial weights.
    @Test(arguments: [2, 5, 17, 100, 400, 1_400])
    func uniformIsExact(length: Int) {
        var chance = pow(255.0 / 256, Double(length))
        var expected = 0.0
        for count in 1...length {
            chance *= Double(length - count + 1) / Double(count) / 255
            let share = Double(count) / Double(length)
            expected -= 256 * chance * share * log2(share)
        }
        #expect(abs(measured([UInt8](repeating: 0, count: length)).uniform - expected) < 1e-9)
    }

    /// The figures of a simulation that others published for the same estimator.
    @Test func uniformAsPublished() {
        var meter = EntropyMeter()
        let published = [(32, 4.88), (64, 5.77), (128, 6.55), (192, 6.94), (256, 7.18), (512, 7.59), (1_024, 7.81)]
        for (length, bits) in published {
            #expect(abs(measured([UInt8](repeating: 0, count: length), &meter).uniform - bits) < 0.01)
        }
    }

    /// With many bytes it comes near eight bits from below: Miller's bias, 255 / 2n nats.
    @Test func uniformGoesToEight() {
        let uniform = measured([UInt8](repeating: 0, count: 65_535)).uniform
        #expect(abs(uniform - (8 - 255 / (2 * 65_535 * log(2.0)))) < 1e-4)
    }
}
