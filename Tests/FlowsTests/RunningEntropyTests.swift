import Flows
import Support
import Testing

@Suite struct RunningEntropyTests {
    @Test func isTheMeanWeightedByBytes() {
        var random = SeededGenerator(seed: 5)
        var meter = EntropyMeter()
        var running = RunningEntropy()
        var (bits, uniform, bytes) = (0.0, 0.0, 0)
        var halves = [RunningEntropy(), RunningEntropy()]
        for packet in 0..<200 {
            let payload = (0..<Int.random(in: 0...1_460, using: &random)).map { _ in
                UInt8.random(in: 0...(packet < 100 ? 255 : 20), using: &random)
            }
            let span = unsafe payload.span.bytes
            let entropy = meter.entropy(of: span)
            running.count(entropy)
            halves[packet % 2].count(entropy)
            guard !payload.isEmpty else { continue }
            bits += plainEntropy(payload) * Double(payload.count)
            uniform += entropy.uniform * Double(payload.count)
            bytes += payload.count
        }
        #expect(running.bytes == UInt64(bytes))
        #expect(abs(running.entropy.bits - bits / Double(bytes)) < 1e-6)
        #expect(abs(running.entropy.ratio - bits / uniform) < 1e-6)
        halves[1] += halves[0]
        #expect(halves[1] == running)
    }

    /// Short packets of random bytes look as random as long ones.
    @Test func ratioDoesNotSufferFromShortPackets() {
        var random = SeededGenerator(seed: 6)
        var meter = EntropyMeter()
        for length in [16, 60, 1_400] {
            var running = RunningEntropy()
            for _ in 0..<500 {
                let payload = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
                let span = unsafe payload.span.bytes
                running.count(meter.entropy(of: span))
            }
            #expect(abs(running.entropy.ratio - 1) < 0.005)
        }
    }

    @Test func edges() {
        #expect(RunningEntropy().entropy == Entropy())
        #expect(MemoryLayout<RunningEntropy>.size == 24)
    }
}
