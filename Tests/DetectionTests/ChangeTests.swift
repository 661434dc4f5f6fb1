import Flows
import Packets
import Support
import Testing

@testable import Detection

@Suite struct ChangeTests {
    private let server = Address(ipv4: 0xCB00_7105)

    /// Windows every ten seconds, each with as many new flows from strangers of so many addresses to so many ports.
    private func windows(
        _ range: Range<Int>,
        _ random: inout SeededGenerator,
        addresses: UInt64 = 5_000,
        ports: UInt64 = 3,
        flows: Int = 300
    ) -> [Observation] {
        range.map { place in
            let time = EDoSTraffic.time(Double(place) * 10)
            let contacts = (0..<flows + Int(random.next() % 60)).map { _ in
                Contact(
                    .opened,
                    time: time,
                    // Some come more often than others.
                    initiator: Address(ipv4: 0x5000_0000 + UInt32(random.next() % (1 + random.next() % addresses))),
                    responder: server,
                    initiatorPort: 40_000,
                    responderPort: 443 + UInt16(random.next() % ports),
                    family: .ipv4,
                    protocolNumber: 6,
                    flags: .syn
                )
            }
            return Observation(number: time >> 30, contacts: contacts)
        }
    }

    private func found(_ windows: [Observation], troubled: Set<Subject> = []) -> [(time: Int64, ratio: Double)] {
        var detector = ChangeDetector(ChangeSettings(), scale: 1)
        var scene = Scene()
        scene.troubled = troubled
        var found: [(Int64, Double)] = []
        for window in windows {
            var findings: [Finding] = []
            detector.judge(window, scene, &findings)
            found += findings.map { (window.start, $0.ratio) }
        }
        return found
    }

    @Test func `A CUSUM finds a shift by two standard deviations in about 14 values, and none by chance`() {
        var random = SeededGenerator(seed: 4)
        func normal() -> Double {
            (0..<12).reduce(-6.0) { sum, _ in sum + Double(random.next() >> 11) / 9_007_199_254_740_992 }
        }
        var score = ChangeScore()
        var highest = 0.0
        for time in 0..<200_000 {
            score.add(normal(), at: Int64(time), ceiling: 40)
            highest = max(highest, score.sum)
        }
        #expect(highest < 20)
        var delays: [Double] = []
        for _ in 0..<200 {
            var score = ChangeScore()
            var count = 0
            while score.sum < 20 {
                count += 1
                score.add(2 + normal(), at: Int64(count), ceiling: 40)
            }
            delays.append(Double(count))
        }
        #expect(abs(delays.reduce(0, +) / 200 - 14) < 1.5)
    }

    @Test func `Traffic that goes on as before is no change`() {
        var random = SeededGenerator(seed: 5)
        let highest = found(windows(0..<1_500, &random)).map(\.ratio).max() ?? 0
        #expect(highest < 0.7)
    }

    @Test func `Sources that become few are a change, for an hour`() throws {
        var random = SeededGenerator(seed: 6)
        let all = windows(0..<400, &random) + windows(400..<1_400, &random, addresses: 12)
        let told = found(all).filter { $0.ratio >= 1 }.map { ($0.time - EDoSTraffic.time(4_000)) / 1_000_000_000 }
        let first = try #require(told.first)
        let last = try #require(told.last)
        #expect((60...200).contains(first))
        #expect((3_600...4_000).contains(last))
    }

    @Test func `Ports that become many are a change`() {
        var random = SeededGenerator(seed: 7)
        let all = windows(0..<400, &random) + windows(400..<500, &random, ports: 2_000)
        #expect(Detected(all).classes.contains("change.distribution"))
    }

    @Test func `What another incident explains is not told again`() {
        var random = SeededGenerator(seed: 8)
        let all = windows(0..<400, &random) + windows(400..<500, &random, addresses: 12)
        #expect(found(all).contains { $0.ratio >= 1 })
        var detector = ChangeDetector(ChangeSettings(), scale: 1)
        var told = 0.0
        for (place, window) in all.enumerated() {
            var scene = Scene()
            if place >= 401 { scene.troubled = [Subject(server, .ipv4)] }
            var findings: [Finding] = []
            detector.judge(window, scene, &findings)
            told = findings.reduce(told) { max($0, $1.ratio) }
        }
        #expect(told < 0.7)
    }

    /// Two answers a minute, for three days; then something else.
    private func days(then answers: Int) -> Detected {
        var traffic = EDoSTraffic(seed: 40)
        for minute in 0..<75 * 60 {
            for _ in 0..<(minute < 72 * 60 ? 2 : answers) {
                let bytes = traffic.varied(10e6, factor: 1.5)
                let client = Address(ipv4: 0x5000_0000 + UInt32(truncatingIfNeeded: traffic.random.next() >> 40))
                traffic.connect(client, at: (Double(minute) + traffic.uniform()) / 60, [.init(at: 0, lasts: 3, bytes: bytes)])
            }
        }
        return Detected(traffic.windows(0..<75))
    }

    @Test(arguments: [(24, "more"), (0, "less"), (2, nil)] as [(Int, String?)])
    func `A service that does more, or less, than at this hour of other days has changed`(
        _ answers: Int,
        _ word: String?
    ) throws {
        let detected = days(then: answers)
        #expect(detected.opened.map(\.threat) == (word == nil ? [] : [.change(.volume)]))
        guard let word else { return }
        let incident = try #require(detected.opened.first)
        #expect(incident.worst.summary.contains("does \(word) than"))
        #expect(incident.severity == .low)
        let delay = Double(incident.opened - EDoSTraffic.time(72 * 3_600)) / 6e10
        print("change.volume, \(word): \(delay.rounded()) min")
        #expect((60...120).contains(delay))
    }
}
