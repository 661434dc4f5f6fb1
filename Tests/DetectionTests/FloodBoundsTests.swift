import Packets
import Support
import Testing

@testable import Detection
@testable import Flows

/// What a stranger can choose takes no memory.
@Suite struct FloodBoundsTests {
    /// A window of as many sources, targets and ports as there is room for.
    private func window(_ number: Int, _ random: inout SeededGenerator, rows: Int, contacts: Int, isSpread: Bool)
        -> Observation
    {
        func address() -> Address { Address(ipv4: UInt32(truncatingIfNeeded: random.next())) }
        let start = Int64(number + 1_000) << 30
        var volumes = (0..<rows).map { _ -> (key: TrafficKey, volume: TrafficVolume) in
            let kinds: [TrafficClass] = [.synchronize, .udp, .icmp, .reflection, .irregular]
            let kind = kinds[Int(random.next() % 5)]
            let port = kind == .synchronize ? UInt16(truncatingIfNeeded: random.next()) : 0
            let key = TrafficKey(address: address(), port: port, kind: kind, family: .ipv4)
            return (key, TrafficVolume(packets: 9_000, bytes: 600_000, isAsked: false))
        }
        let key = TrafficKey(address: FloodWindows.victim, port: 80, kind: .synchronize, family: .ipv4)
        volumes.append((key, TrafficVolume(packets: 1_000_000, bytes: 60_000_000, isAsked: false)))
        let met = (0..<contacts).map { place in
            Contact(
                .opened,
                time: start + Int64(place) * 1_000,
                initiator: address(),
                responder: isSpread ? address() : FloodWindows.victim,
                initiatorPort: UInt16(truncatingIfNeeded: random.next()),
                responderPort: isSpread ? UInt16(truncatingIfNeeded: random.next()) : 80,
                family: .ipv4,
                protocolNumber: isSpread ? 17 : 6,
                flags: isSpread ? [] : .syn
            )
        }
        var window = Observation(number: Int64(number) + 1_000, volumes: volumes, contacts: met)
        window.missed.contacts = UInt64(1_000_000 - contacts)
        window.missed.traffic = TrafficVolume(packets: 100_000, bytes: 6_000_000, isAsked: false)
        return window
    }

    @Test(arguments: [false, true]) func `Twenty million packets of random sources leave nothing behind`(
        _ isSpread: Bool
    ) {
        var random = SeededGenerator(seed: 3)
        var settings = FloodSettings()
        settings.remembered = 256
        var detector = FloodDetector(settings, scale: 1)
        for number in 0..<20 {
            var findings: [Finding] = []
            let window = window(number, &random, rows: isSpread ? 3_000 : 0, contacts: 6_000, isSpread: isSpread)
            detector.judge(window, Scene(), &findings)
            #expect(findings.count <= settings.lanes)
            #expect(findings.contains { $0.threat == .flood(.syn) && $0.ratio > 1_000 })
            #expect(findings.count { !$0.evidence.sources.isEmpty } <= settings.closeLanes)
            for finding in findings {
                #expect(finding.evidence.sources.count <= FloodLane.named)
                #expect(finding.evidence.ports.count <= 10 && finding.evidence.samples.count <= 20)
            }
        }
        #expect(detector.remembered <= settings.remembered)
        #expect((detector.turnedAway > 0) == isSpread)
        // Two minutes later nothing is left.
        var findings: [Finding] = []
        detector.judge(Observation(number: 1_136), Scene(), &findings)
        #expect(detector.remembered == 0)
    }
}
