import Flows
import Packets
import Support
import Testing

@testable import Detection

@Suite struct BaselineTests {
    private let service = Subject(Address(ipv4: 0xCB00_7105), .ipv4, port: 443)

    private func hour(_ load: Float) throws -> Baseline.Hour {
        try #require(Baseline.Hour(loads: Array(repeating: load, count: 60)))
    }

    @Test func `The usual of an hour of the week is the median of four weeks`() throws {
        var baseline = Baseline()
        for (week, load) in [1e9, 1e9, 900e9, 1.1e9, 1e9].enumerated() {
            baseline.learn(try hour(Float(load)), number: Int64(week * 168 + 30))
        }
        let expected = try #require(baseline.expectation(of: 5 * 168 + 30, leastScale: 0.25))
        #expect(expected.basis == .hourOfWeek)
        #expect(abs(expected.mean / 1.05e9 - 1) < 0.01)
        #expect(baseline.learnt == 1)
    }

    @Test func `Warm-up goes from any hour to the hour of the day to that of the week`() throws {
        var baseline = Baseline()
        #expect(baseline.expectation(of: 0, leastScale: 0.25) == nil)
        for number in 0..<2 { baseline.learn(try hour(1e9), number: Int64(number)) }
        #expect(baseline.expectation(of: 10, leastScale: 0.25)?.basis == .anyHour)
        for day in 0..<2 { baseline.learn(try hour(1e9), number: Int64(day * 24 + 10)) }
        #expect(baseline.expectation(of: 58, leastScale: 0.25)?.basis == .hourOfDay)
        baseline.learn(try hour(1e9), number: 168 + 10)
        #expect(baseline.expectation(of: 336 + 10, leastScale: 0.25)?.basis == .hourOfWeek)
        #expect(baseline.learnt == 4)
    }

    @Test func `Logarithm and power are each other's inverse`() {
        for value in stride(from: 0.0, to: 60, by: 0.37) {
            #expect(abs(binaryLogarithm(value.binaryPower) - value) < 1e-12)
        }
    }

    private func learnt(_ seed: UInt64) throws -> Baselines {
        var random = SeededGenerator(seed: seed)
        var baselines = Baselines(capacity: 8)
        for _ in 0..<2_000 {
            let address = Address(high: 0x2001_0DB8 << 32, low: random.next() % 8)
            let load = Float(random.next() % 1_000_000) * 1_000
            baselines.learn(
                try hour(load),
                of: Subject(address, .ipv6, port: 443),
                number: Int64(random.next() % 700)
            )
        }
        return baselines
    }

    @Test func `What was learnt is read back as it was written`() throws {
        let baselines = try learnt(3)
        let bytes = baselines.encode()
        let read = try Baselines(decoding: bytes, capacity: 8)
        #expect(read == baselines)
        #expect(read.encode() == bytes)
        #expect(try Baselines(decoding: Baselines().encode()) == Baselines())
    }

    @Test func `What was changed, cut or is something else is refused`() throws {
        let bytes = try learnt(4).encode()
        var random = SeededGenerator(seed: 5)
        for _ in 0..<300 {
            var changed = bytes
            changed[Int(random.next() % UInt64(changed.count))] ^= UInt8(1 + random.next() % 255)
            #expect(throws: BaselineError.self) { try Baselines(decoding: changed) }
            let cut = Int(random.next() % UInt64(bytes.count))
            #expect(throws: BaselineError.self) { try Baselines(decoding: Array(bytes.prefix(cut))) }
            let noise = (0..<Int(random.next() % 200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            #expect(throws: BaselineError.self) { try Baselines(decoding: noise) }
        }
        #expect(throws: BaselineError.checksum) { try Baselines(decoding: bytes + [0]) }
        #expect(throws: BaselineError.notBaselines) { try Baselines(decoding: Array("{\"services\": []}".utf8)) }
        var newer = bytes
        newer[8] = 2
        #expect(throws: BaselineError.version(2)) { try Baselines(decoding: newer) }
    }

    @Test func `More services than there is room for push out those unheard of for the longest time`() throws {
        var baselines = Baselines(capacity: 4)
        for number in 0..<10 {
            let address = Address(ipv4: UInt32(number))
            baselines.learn(try hour(1e9), of: Subject(address, .ipv4, port: 80), number: Int64(number))
        }
        #expect(baselines.services.count == 4)
        #expect(baselines.turnedAway == 6)
        #expect(baselines.services.keys.map(\.address.low).min() == Address(ipv4: 6).low)
        #expect(try Baselines(decoding: learnt(6).encode(), capacity: 2).services.count == 2)
    }

    /// People for some hours, then one leech.
    private func traffic(_ hours: Double, leech: Range<Double>?) -> EDoSTraffic {
        var traffic = EDoSTraffic(seed: 30)
        traffic.visits(0..<hours, perHour: 100)
        if let leech { traffic.fetch(Address(ipv4: 0xC633_640A), leech, rate: 5e6, object: 4e6) }
        return traffic
    }

    @Test func `Hours of an incident, and those before it was found, are not learnt`() throws {
        let quiet = Detected(traffic(12, leech: nil).windows(0..<12))
        let learnt = try #require(quiet.detection.baselines[service])
        // Each hour is learnt when three more have passed.
        #expect(learnt.learnt == 8)
        let attacked = Detected(traffic(12, leech: 5.5..<12).windows(0..<12))
        #expect(attacked.classes == ["edos.leech"])
        let usual = try #require(attacked.detection.baselines[service])
        #expect(usual.learnt < 5)
        let mean = try #require(usual.expectation(of: 12, leastScale: 0.25)).mean
        let truth = try #require(learnt.expectation(of: 12, leastScale: 0.25)).mean
        #expect(abs(mean / truth - 1) < 0.3)
    }

    @Test func `What was learnt before a restart is known after it`() throws {
        let before = Detected(traffic(10, leech: nil).windows(0..<10))
        let bytes = before.detection.baselines.encode()
        var after = Detection(DetectionSettings(), sensor: "test")
        after.baselines = try Baselines(decoding: bytes)
        for window in traffic(11, leech: nil).windows(10..<11) { _ = after.take(window, Scene()) }
        let report = try #require(after.costs()?.services.first)
        #expect(report.service == service)
        #expect(report.learntHours == 6)
        #expect(try #require(report.usualLoad) > 1e8)
    }
}
