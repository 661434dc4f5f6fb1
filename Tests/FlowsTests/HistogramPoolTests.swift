import Flows
import Support
import Testing

@Suite struct HistogramPoolTests {
    private func bytes(_ count: Int, seed: UInt64, values: ClosedRange<UInt8> = 0...255) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: values, using: &random) }
    }

    private func gather(
        _ payload: [UInt8],
        _ first: inout FirstBytes,
        _ pool: inout HistogramPool,
        _ meter: inout EntropyMeter
    ) {
        let span = unsafe payload.span.bytes
        pool.gather(span, into: &first, &meter)
    }

    /// However the bytes come, in one packet or in many, the figure is that of the first 1,024.
    @Test(arguments: [1, 7, 100, 255, 256, 257, 600, 1_023, 1_024, 1_460])
    func isTheEntropyOfTheFirstBytes(size: Int) {
        var meter = EntropyMeter()
        var pool = HistogramPool(slots: 1)
        var first = FirstBytes()
        let stream = bytes(5_000, seed: UInt64(size), values: 0...99)
        var start = 0
        while start < stream.count {
            let end = min(start + size, stream.count)
            gather(Array(stream[start..<end]), &first, &pool, &meter)
            let expected = plainEntropy(stream[..<min(end, HistogramPool.limit)])
            #expect(abs(first.entropy(meter).bits - expected) < 1e-12)
            #expect(Int(first.length) == min(end, HistogramPool.limit))
            start = end
        }
        #expect(first.isComplete)
        #expect(pool.cut == 0)
    }

    /// The histogram of a flow that has its bytes, or has ended, serves the next one and starts empty.
    @Test func histogramsAreUsedAgain() {
        var meter = EntropyMeter()
        var pool = HistogramPool(slots: 1)
        for seed in 0..<5 as Range<UInt64> {
            let stream = bytes(seed == 4 ? 900 : 1_024, seed: seed)
            var first = FirstBytes()
            gather(Array(stream[..<500]), &first, &pool, &meter)
            gather(Array(stream[500...]), &first, &pool, &meter)
            #expect(abs(first.entropy(meter).bits - plainEntropy(stream)) < 1e-12)
            pool.end(&first)
            #expect(abs(first.entropy(meter).bits - plainEntropy(stream)) < 1e-12)
        }
        #expect(pool.cut == 0)
    }

    /// A flow whose histogram went to another keeps the figure it had, and does not disturb the other.
    @Test func theLongestHolderIsCutAndCounted() {
        var meter = EntropyMeter()
        var pool = HistogramPool(slots: 2)
        let streams = (0..<3).map { bytes(300, seed: 10 + $0) }
        var flows = [FirstBytes](repeating: FirstBytes(), count: 3)
        for index in 0..<3 { gather(Array(streams[index][..<100]), &flows[index], &pool, &meter) }
        #expect(pool.cut == 1)
        for index in 0..<3 { gather(Array(streams[index][100...]), &flows[index], &pool, &meter) }
        #expect(pool.cut == 1)
        #expect(flows.map(\.length) == [100, 300, 300])
        #expect(flows.map(\.isComplete) == [true, false, false])
        for index in 0..<3 {
            let expected = plainEntropy(streams[index][..<Int(flows[index].length)])
            #expect(abs(flows[index].entropy(meter).bits - expected) < 1e-12)
        }
        // The end of the one that was cut gives back nothing that is another's.
        for index in 0..<3 { pool.end(&flows[index]) }
        var next = [FirstBytes](repeating: FirstBytes(), count: 3)
        for index in 0..<3 { gather(streams[index], &next[index], &pool, &meter) }
        #expect(pool.cut == 2)
    }

    /// A packet with all the bytes needs no histogram, so it takes none from another flow.
    @Test func oneLongPacketCutsNobody() {
        var meter = EntropyMeter()
        var pool = HistogramPool(slots: 1)
        var held = FirstBytes()
        gather(bytes(10, seed: 1), &held, &pool, &meter)
        let long = bytes(1_400, seed: 2)
        var first = FirstBytes()
        gather(long, &first, &pool, &meter)
        #expect(first.isComplete)
        #expect(abs(first.entropy(meter).bits - plainEntropy(long[..<1_024])) < 1e-12)
        gather(bytes(10, seed: 3), &held, &pool, &meter)
        #expect(held.length == 20)
        #expect(pool.cut == 0)
    }

    @Test func nothingComesOfNothing() {
        var meter = EntropyMeter()
        var pool = HistogramPool(slots: 1)
        var first = FirstBytes()
        gather([], &first, &pool, &meter)
        pool.end(&first)
        #expect(first.entropy(meter) == Entropy())
        #expect(MemoryLayout<FirstBytes>.size == 16)
    }
}
