import Testing

@testable import Sensor

@Suite("N rises with the load and falls again")
struct OverloadTests {
    private static let calm = Overload.Load(dropped: 0, fill: 0, busy: 0.05)
    private static let busy = Overload.Load(dropped: 0, fill: 0.02, busy: 0.7)
    private static let full = Overload.Load(dropped: 0, fill: 0.6, busy: 1)
    private static let dropping = Overload.Load(dropped: 10, fill: 1, busy: 1)

    @Test func staysWhereItIsWithoutLoad() {
        var overload = Overload()
        for second in 0..<100 { #expect(overload.observe(Self.calm, at: second) == nil) }
        #expect(overload.oneIn == 1)
        #expect(!overload.isOverloaded)
    }

    @Test func aFullRingDoublesAndALossQuadruples() {
        var overload = Overload()
        #expect(overload.observe(Self.full, at: 1)?.to == 2)
        #expect(overload.observe(Self.dropping, at: 2)?.to == 8)
        #expect(overload.history.map(\.from) == [1, 2])
        #expect(overload.history.map(\.time) == [1, 2])
    }

    @Test func neverAboveTheHighest() {
        var overload = Overload()
        for second in 0..<20 { _ = overload.observe(Self.dropping, at: second) }
        #expect(overload.oneIn == Overload.highest)
        #expect(overload.history.count <= Overload.historyLength)
    }

    @Test func comesDownInCalmStepByStepToTheConfiguredOne() {
        var overload = Overload(lowest: 2)
        _ = overload.observe(Self.dropping, at: 0)
        #expect(overload.oneIn == 8)
        var lowered: [UInt64] = []
        for second in UInt64(1)...100 where overload.observe(Self.calm, at: second) != nil { lowered.append(second) }
        #expect(lowered == [5, 10])
        #expect(overload.oneIn == 2)
    }

    @Test func workersWithoutRoomKeepItUp() {
        var overload = Overload()
        _ = overload.observe(Self.dropping, at: 0)
        for second in UInt64(1)...100 { #expect(overload.observe(Self.busy, at: second) == nil) }
        #expect(overload.oneIn == 4)
    }

    @Test func doesNotSwing() {
        var overload = Overload()
        _ = overload.observe(Self.full, at: 0)
        var raises = 0
        // Half of N is too much work for these workers: each lowering leads to a full ring.
        for second in UInt64(1)...300 {
            let load = overload.oneIn == 1 ? Self.full : Self.calm
            if let change = overload.observe(load, at: second), change.to > change.from { raises += 1 }
        }
        #expect(raises <= 10, "settles at one try a minute")
    }
}

extension Overload {
    fileprivate mutating func observe(_ load: Load, at second: Int) -> Change? { observe(load, at: UInt64(second)) }
}
