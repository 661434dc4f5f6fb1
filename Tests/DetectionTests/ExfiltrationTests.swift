import Flows
import Packets
import Support
import Testing

@testable import Detection

@Suite struct ExfiltrationTests {
    private let host = Address(ipv4: 0xC0A8_0105)
    private let outside = Address(ipv4: 0xC633_640A)
    private let mebibyte: UInt64 = 1_048_576

    /// One flow for each part, ten seconds apart.
    private func windows(
        _ parts: [UInt64],
        from: Address? = nil,
        to: Address? = nil,
        received: UInt64 = 20_000,
        hours: Double = 0
    ) -> [Observation] {
        parts.enumerated().map { place, bytes in
            let time = EDoSTraffic.time(hours * 3_600 + Double(place) * 10)
            let flow = FlowDigest(
                initiator: from ?? host,
                responder: to ?? outside,
                initiatorPort: 40_000 + UInt16(place),
                responderPort: 443,
                first: time,
                last: time,
                forward: Volume(packets: 1 + bytes / 1_400, bytes: bytes),
                backward: Volume(packets: 20, bytes: received)
            )
            return Observation(number: time >> 30, flows: [flow])
        }
    }

    /// As the original system meant it: above 10 MiB.
    private var original: DetectionSettings {
        var settings = DetectionSettings()
        settings.exfiltration.bytes = 10 * 1_048_576
        return settings
    }

    @Test func `The original's rule of 10 MiB, shown right`() throws {
        // In one flow, and in many that are each below it.
        for parts in [[12 * mebibyte], [UInt64](repeating: mebibyte, count: 12)] {
            let detected = Detected(windows(parts), original)
            let incident = try #require(detected.opened.first)
            #expect(detected.opened.count == 1)
            #expect(incident.threat == .exfiltration)
            #expect(incident.subject == Subject(host, .ipv4))
            #expect(incident.topSources.map(\.address) == [outside])
            let sent = try #require(incident.worst["bytes sent in an hour"])
            #expect(sent >= Double(10 * mebibyte) && sent <= Double(12 * mebibyte))
            #expect(incident.severity == .medium)
        }
        // What is fetched, what stays inside, what clients bring, and what answers as much as it is sent.
        let large = [50 * mebibyte]
        #expect(Detected(windows([20_000], received: 50 * mebibyte), original).opened.isEmpty)
        #expect(Detected(windows(large, to: Address(ipv4: 0x0A00_0001)), original).opened.isEmpty)
        #expect(Detected(windows(large, from: outside, to: host), original).opened.isEmpty)
        #expect(Detected(windows(large, received: 20 * mebibyte), original).opened.isEmpty)
        #expect(Detected(windows([9 * mebibyte]), original).opened.isEmpty)
    }

    @Test func `By default 100 MiB within an hour are too much, and a tenth of it is told as near`() {
        let near = Detected(windows([20 * mebibyte]))
        #expect(near.opened.isEmpty)
        #expect(near.detection.nearness[.exfiltration]?.highest ?? 0 > 0.19)
        #expect(Detected(windows([UInt64](repeating: 2 * mebibyte, count: 60))).classes == ["exfiltration"])
        // The same over half a day.
        let slow = (0..<12).flatMap { windows([10 * mebibyte], hours: Double($0)) }
        #expect(Detected(slow).opened.isEmpty)
    }

    @Test func `With home known, only what leaves it counts`() {
        var scene = Scene()
        scene.home = [Prefix(Address(ipv4: 0xCB00_7100), .ipv4, bits: 24)]
        let server = Address(ipv4: 0xCB00_7105)
        let large = [500 * mebibyte]
        #expect(Detected(windows(large, from: server), DetectionSettings(), scene).classes == ["exfiltration"])
        let inside = Address(ipv4: 0xCB00_7106)
        #expect(Detected(windows(large, from: server, to: inside), DetectionSettings(), scene).opened.isEmpty)
        #expect(Detected(windows(large), DetectionSettings(), scene).opened.isEmpty)
    }

    @Test func `What a host sends there every day is usual after three days, three times as much is not`() {
        // 60 MiB on three days are below the level; 150 MiB then are below three times the usual, 600 MiB are not.
        let days = (0..<3).flatMap { windows([60 * mebibyte], hours: Double($0) * 24 + 2) }
        #expect(Detected(days + windows([150 * mebibyte], hours: 74)).opened.isEmpty)
        #expect(Detected(days + windows([600 * mebibyte], hours: 74)).classes == ["exfiltration"])
        #expect(Detected(windows([150 * mebibyte], hours: 74)).classes == ["exfiltration"])
    }

    @Test func `More pairs than there is room for leave the largest in its place`() {
        var settings = ExfiltrationSettings()
        settings.pairs = 64
        var detector = ExfiltrationDetector(settings, scale: 1)
        var findings: [Finding] = []
        var random = SeededGenerator(seed: 8)
        for window in windows([UInt64](repeating: 2 * mebibyte, count: 60)) {
            var flows = window.flows
            for _ in 0..<100 {
                var other = flows[0]
                other.responder = Address(ipv4: 0x5000_0000 + UInt32(truncatingIfNeeded: random.next() >> 40))
                other.forward.bytes = 1_000
                flows.append(other)
            }
            detector.judge(Observation(number: window.number, flows: flows), Scene(), &findings)
        }
        #expect(findings.last?.ratio ?? 0 > 1)
        #expect(detector.turnedAway > 3_000)
    }
}
