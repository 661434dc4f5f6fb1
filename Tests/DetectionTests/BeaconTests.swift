import Flows
import Packets
import Support
import Testing

@testable import Detection

@Suite struct BeaconTests {
    private let host = Address(ipv4: 0xC0A8_0105)
    private let outside = Address(ipv4: 0xC633_640A)

    /// Connections at times, in seconds.
    private func windows(
        _ times: [Double],
        from host: Address? = nil,
        to peer: Address? = nil,
        port: UInt16 = 443,
        flags: TCPFlags = [.syn, .ack]
    ) -> [Observation] {
        let contacts = times.enumerated().map { place, time in
            Contact(
                .answered,
                time: EDoSTraffic.time(time),
                initiator: host ?? self.host,
                responder: peer ?? outside,
                initiatorPort: 40_000 + UInt16(place % 20_000),
                responderPort: port,
                family: .ipv4,
                protocolNumber: 6,
                flags: flags
            )
        }
        let groups = Dictionary(grouping: contacts) { $0.time >> 30 }
        return groups.sorted { $0.key < $1.key }.map { Observation(number: $0.key, contacts: $0.value) }
    }

    private func beats(_ count: Int, period: Double, jitter: Double = 0, seed: UInt64 = 1) -> [Double] {
        var random = SeededGenerator(seed: seed)
        var time = 0.0
        return (0..<count).map { _ in
            let share = Double(random.next() >> 11) / 9_007_199_254_740_992 * 2 - 1
            time += period * (1 + jitter * share)
            return time
        }
    }

    @Test(arguments: [10.0, 60, 300, 3_600, 7_000])
    func `Connections with a period are a beacon, told once`(_ period: Double) throws {
        let count = max(12, Int(660 / period) + 2)
        let detected = Detected(windows(beats(count, period: period, jitter: 0.05)))
        let incident = try #require(detected.opened.first)
        #expect(detected.opened.count == 1)
        #expect(incident.threat == .beacon)
        #expect(incident.subject == Subject(host, .ipv4))
        #expect(incident.topSources.map(\.address) == [outside])
        let measured = try #require(incident.worst["period"])
        #expect(abs(measured / period - 1) < 0.05)
        let delay = Double(incident.opened - EDoSTraffic.start) / 1e9
        #expect(delay < max(12 * period, 660) + 10)
    }

    @Test func `A fifth of jitter, and every tenth beat missing, hides no beacon`() {
        let times = beats(60, period: 60, jitter: 0.18).enumerated().filter { $0.offset % 10 != 7 }.map(\.element)
        #expect(Detected(windows(times)).classes == ["beacon"])
    }

    @Test func `Gaps by chance are none`() {
        for seed in 0..<200 {
            var random = SeededGenerator(seed: UInt64(seed))
            var time = 0.0
            let times = (0..<60).map { _ in
                let share = Double(random.next() >> 11) / 9_007_199_254_740_992
                time += 60 * 0.693 * binaryLogarithm(1 / (1 - share))
                return time
            }
            #expect(Detected(windows(times)).opened.isEmpty, "seed \(seed)")
        }
    }

    @Test func `Nothing local, nothing asked from outside, and no service that honest hosts poll is a beacon`() {
        let times = beats(40, period: 60)
        #expect(Detected(windows(times, to: Address(ipv4: 0xC0A8_0101))).opened.isEmpty)
        #expect(Detected(windows(times, from: outside, to: host)).opened.isEmpty)
        #expect(Detected(windows(times, port: 123)).opened.isEmpty)
        // A long flow that is told in pieces of five minutes.
        #expect(Detected(windows(beats(40, period: 300), flags: [.ack])).opened.isEmpty)
        var scene = Scene()
        scene.home = [Prefix(Address(ipv4: 0xCB00_7100), .ipv4, bits: 24)]
        #expect(Detected(windows(times), DetectionSettings(), scene).opened.isEmpty)
        let server = Address(ipv4: 0xCB00_7105)
        #expect(Detected(windows(times, from: server), DetectionSettings(), scene).classes == ["beacon"])
    }

    @Test func `More pairs than there is room for leave a beacon in its place`() {
        var settings = BeaconSettings()
        settings.pairs = 64
        var detector = BeaconDetector(settings, scale: 1)
        var findings: [Finding] = []
        var random = SeededGenerator(seed: 8)
        for window in windows(beats(40, period: 60)) {
            var contacts = window.contacts
            for _ in 0..<20 {
                var other = contacts[0]
                other.responder = Address(ipv4: 0x5000_0000 + UInt32(truncatingIfNeeded: random.next() >> 40))
                contacts.append(other)
            }
            detector.judge(Observation(number: window.number, contacts: contacts), Scene(), &findings)
        }
        #expect(findings.last?.ratio ?? 0 >= 1)
        #expect(detector.turnedAway > 500)
    }
}
