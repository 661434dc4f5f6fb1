import Flows
import KernelABI
import Support
import Testing

@Suite struct SamplingTests {
    @Test func classesAreTheKernels() {
        #expect(SamplingClass.handshake.rawValue == Int(WEIR_CLASS_HANDSHAKE))
        #expect(SamplingClass.icmp.rawValue == Int(WEIR_CLASS_ICMP))
        #expect(SamplingClass.first.rawValue == Int(WEIR_CLASS_FIRST))
        #expect(SamplingClass.rest.rawValue == Int(WEIR_CLASS_REST))
        #expect(SamplingClass.allCases.count == Int(WEIR_CLASSES))
    }

    @Test func nothingIsEstimatedWhereAllWasKept() {
        let all = SamplingCounters(offered: 10, kept: 10)
        #expect(all.estimate(count: 3)?.total == 3)
        #expect(all.estimate(count: 3)?.standardError == 0)
        #expect(SamplingCounters().estimate(count: 0)?.total == 0)
        #expect(SamplingCounters(offered: 10, kept: 0).estimate(count: 0) == nil)
        #expect(SamplingCounters(offered: 10, kept: 1).estimate(count: 1)?.standardError == .infinity)
    }

    /// The worked case by hand: 25 of 100 kept, 5 have it: total 20, s2 = (5 - 1) / 24, error 100 sqrt(0.75 s2 / 25).
    @Test func followsTheFormula() throws {
        let estimate = try #require(SamplingCounters(offered: 100, kept: 25).estimate(count: 5))
        #expect(estimate.total == 20)
        #expect(abs(estimate.standardError - 7.0711) < 0.0001)
    }

    /// Frame lengths sampled one in N: the truth lies within two errors in about 95 of 100 windows, and the mean of all
    /// estimates is the truth.
    @Test(arguments: [8, 64] as [UInt64])
    func errorIsHonest(oneIn: UInt64) throws {
        var random = SeededGenerator(seed: 42 + oneIn)
        let sizes: [Double] = (0..<4_000).map { _ in [64, 64, 64, 594, 1518][Int.random(in: 0..<5, using: &random)] }
        let truth = sizes.reduce(0, +)
        var (inside, sum) = (0, 0.0)
        let windows = 200
        for _ in 0..<windows {
            var (kept, total, squares) = (UInt64(0), 0.0, 0.0)
            for size in sizes where UInt64.random(in: 0..<oneIn, using: &random) == 0 {
                kept += 1
                total += size
                squares += size * size
            }
            let counters = SamplingCounters(offered: UInt64(sizes.count), kept: kept)
            let estimate = try #require(counters.estimate(sum: total, sumOfSquares: squares))
            sum += estimate.total
            if abs(estimate.total - truth) <= 1.96 * estimate.standardError { inside += 1 }
        }
        #expect((178...199).contains(inside), "seed \(42 + oneIn): \(inside) of \(windows)")
        #expect(abs(sum / Double(windows) - truth) < 0.05 * truth, "seed \(42 + oneIn)")
    }

    @Test func sumsAndDifferences() {
        var earlier = Sampling()
        earlier[.icmp] = SamplingCounters(offered: 5, kept: 5)
        var later = earlier
        later[.icmp] += SamplingCounters(offered: 10, kept: 1)
        later[.rest] += SamplingCounters(offered: 100, kept: 2)
        let delta = later.since(earlier)
        #expect(delta[.icmp] == SamplingCounters(offered: 10, kept: 1))
        #expect(delta.total == SamplingCounters(offered: 110, kept: 3))
        #expect(earlier + delta == later)
    }
}
