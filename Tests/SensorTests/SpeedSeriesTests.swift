import Flows
import Reports
import Testing

@testable import Sensor

@Suite("Speeds from totals")
struct SpeedSeriesTests {
    private static let second: Int64 = 1_000_000_000

    @Test func bitsOverTheTimeThatReallyPassed() {
        var series = SpeedSeries(capacity: 3)
        series.add(.init(received: 1_000, sent: 0), at: 0, wall: .now)
        #expect(series.points.isEmpty, "one total makes no speed")
        series.add(.init(received: 1_000 + 250_000, sent: 125_000), at: 2 * Self.second, wall: .now)
        #expect(series.points.map(\.download) == [1])
        #expect(series.points.map(\.upload) == [0.5])
    }

    @Test func keepsTheNewest() {
        var series = SpeedSeries(capacity: 3)
        for step in Int64(0)..<10 {
            series.add(.init(received: UInt64(step * step) * 125_000, sent: 0), at: step * Self.second, wall: .now)
        }
        #expect(series.points.map(\.download) == [13, 15, 17])
    }

    @Test func neverBelowZeroNorAcrossAPause() {
        var series = SpeedSeries(capacity: 10)
        series.add(.init(received: 1_000_000, sent: 0), at: 0, wall: .now)
        series.add(.init(received: 10, sent: 0), at: Self.second, wall: .now)
        #expect(series.points.map(\.download) == [0])
        series.interrupt()
        series.add(.init(received: 9_000_000, sent: 0), at: 2 * Self.second, wall: .now)
        #expect(series.points.count == 1)
    }
}

@Suite("Numbers of services")
struct ServiceNumbersTests {
    @Test func newOnesGetNumbersAndOldOnesLoseThem() {
        var numbers = ServiceNumbers()
        let none: (UInt16) -> ServiceCounters = { _ in ServiceCounters() }
        let first = numbers.update(to: [80, 443], total: none)
        #expect(first.map(\.port) == [80, 443])
        #expect(Set(first.map(\.number)) == [1, 2])
        #expect(numbers.update(to: [80, 443], total: none).isEmpty)
        let second = numbers.update(to: [443], total: none)
        #expect(second.map(\.port) == [80] && second.map(\.number) == [0])
        #expect(numbers.number(of: 80) == nil)
    }

    @Test func aNumberUsedAgainStartsWhereItStood() throws {
        var numbers = ServiceNumbers()
        let all = Set(UInt32(1)...UInt32(4_095))
        _ = numbers.update(to: all) { _ in ServiceCounters() }
        #expect(numbers.unnumbered == 0)
        _ = numbers.update(to: all.subtracting([7]).union([9_000, 9_001])) { _ in
            ServiceCounters(offered: 5, answered: 4, completed: 3)
        }
        let number = try #require(numbers.number(of: 9_000))
        #expect(numbers.start(of: number).completed == 3)
        #expect(numbers.unnumbered == 1, "more services than numbers are counted")
    }
}
