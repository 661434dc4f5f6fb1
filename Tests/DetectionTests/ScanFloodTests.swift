import Packets
import Support
import Testing

@testable import Detection
@testable import Flows

/// Floods in names that are not the sender's: bounded memory, and no scans where there are none.
@Suite struct ScanFloodTests {
    private let host: UInt32 = 0xC000_0201

    /// SYN from random sources.
    private func flood(
        seconds: Int,
        perSecond: Int,
        _ random: inout SeededGenerator,
        port: (inout SeededGenerator) -> UInt16,
        _ outcome: ScanTraffic.Outcome
    ) -> ScanTraffic {
        var traffic = ScanTraffic()
        for place in 0..<seconds * perSecond {
            traffic.probe(
                host,
                port(&random),
                from: UInt32(truncatingIfNeeded: random.next()),
                at: Double(place) / Double(perSecond),
                outcome,
                sourcePort: UInt16(1_024 + random.next() % 60_000)
            )
        }
        return traffic
    }

    @Test(arguments: [ScanTraffic.Outcome.silent, .refused, .halfOpen])
    func `A SYN flood in random names makes no scan, and memory stays in its bounds`(_ outcome: ScanTraffic.Outcome) {
        var random = SeededGenerator(seed: 21)
        var settings = ScanSettings()
        settings.sources = 4_096
        settings.pending = 4_096
        var detector = ScanDetector(settings)
        var findings: [Finding] = []
        for window in flood(seconds: 8, perSecond: 5_000, &random, port: { _ in 80 }, outcome).windows {
            detector.judge(window, Scene(), &findings)
        }
        #expect(findings.allSatisfy { $0.ratio < 0.5 })
        #expect(detector.once.count <= 4_096)
        #expect(detector.pending.count <= 4_096)
        #expect(detector.suspects.count < 100)
        #expect(detector.turnedAway > 10_000)
    }

    @Test func `All that is remembered takes at most 8 MiB by default`() {
        #expect(ScanDetector(ScanSettings()).bytes <= 8 << 20)
    }

    @Test func `A flood of random ports in random names is no distributed scan`() {
        var random = SeededGenerator(seed: 22)
        let traffic = flood(seconds: 4, perSecond: 4_000, &random, port: { UInt16($0.next() % 65_536) }, .refused)
        #expect(traffic.detected().opened.isEmpty)
    }

    @Test func `A scan is found in the midst of a flood`() {
        var random = SeededGenerator(seed: 23)
        var traffic = flood(seconds: 6, perSecond: 5_000, &random, port: { _ in 80 }, .silent)
        for port in 1...40 { traffic.probe(host, UInt16(port), from: 0xC633_6407, at: 2 + Double(port) * 0.05) }
        #expect(traffic.detected().classes == ["scan.vertical.syn"])
    }

    @Test func `Where contacts were lost, silence tells nothing, and refusals still do`() {
        func classes(_ outcome: ScanTraffic.Outcome) -> Set<String> {
            let windows = ScanTraffic.ports(1...60, every: 0.05, outcome).windows.map { window in
                var window = window
                window.missed.contacts = 1
                return window
            }
            let last = Observation(number: (windows.last?.number ?? 0) + 11)
            return Detected(windows + [last]).classes
        }
        #expect(classes(.silent).isEmpty)
        #expect(classes(.refused) == ["scan.vertical.syn"])
    }

    @Test func `Who scans slowly is not forgotten for a crowd that failed twice`() {
        var settings = DetectionSettings()
        settings.scans.suspects = 64
        var traffic = ScanTraffic.ports(1...20, every: 120)
        for place in 0..<6_000 {
            // Each source tries two ports, once.
            let source = 0x0A00_0000 + UInt32(place / 2)
            traffic.probe(host + 9, UInt16(1 + place % 2), from: source, at: 300 + Double(place) * 0.3)
        }
        #expect(traffic.detected(settings).classes == ["scan.slow.syn"])
    }

    @Test func `The same contacts make the same incidents, in whatever parts and order they come`() {
        var random = SeededGenerator(seed: 31)
        var traffic = ScanTraffic()
        for place in 0..<4_000 {
            let source = 0xC633_6400 + UInt32(random.next() % 6)
            let victim = host + UInt32(random.next() % 12)
            traffic.probe(victim, UInt16(1 + random.next() % 50), from: source, at: Double(place) * 0.01)
        }
        let whole = traffic.windows
        let parts = whole.map { window in
            var merged = Observation(number: window.number)
            for part in (0..<4).reversed() {
                let contacts = window.contacts.filter { Int($0.initiatorPort) % 4 == part }
                merged.merge(Observation(number: window.number, contacts: contacts))
            }
            merged.settle()
            return merged
        }
        func told(_ windows: [Observation]) -> [String] {
            Detected(windows).events.map {
                "\($0.incident.id) \($0.incident.state) \($0.time) \($0.incident.latest.summary) \($0.incident.confidence)"
            }
        }
        #expect(!told(whole).isEmpty)
        #expect(told(whole) == told(parts))
    }
}
