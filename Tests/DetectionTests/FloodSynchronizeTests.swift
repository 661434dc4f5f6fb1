import Flows
import Packets
import Testing

@testable import Detection

/// A flood, a flash crowd and a service that is down, told apart; and scans.
@Suite struct FloodSynchronizeTests {
    private func source(_ place: Int) -> Address { FloodWindows.source(place) }

    @Test func `A flood is found whether it is answered or dropped, with its evidence`() throws {
        for fate in [FloodWindows.Fate.answered, .dropped] {
            var windows = FloodWindows()
            FloodWindows.each(2_000, 0..<4) { time, place in
                windows.synchronize(at: time, from: source(place), 1_025, 80, fate)
            }
            let detected = Detected(windows.windows)
            #expect(detected.classes == ["flood.syn"])
            let incident = try #require(detected.opened.first)
            #expect(incident.subject == Subject(FloodWindows.victim, .ipv4, port: 80))
            let evidence = incident.worst
            #expect(abs((evidence["SYNs without a connection"] ?? 0) - 2_000) < 100)
            #expect(evidence["share completed"] == 0)
            if case .answered = fate {
                #expect(evidence["share answered"] == 1)
            } else {
                #expect(evidence["share answered"] == 0)
            }
            #expect(abs((evidence["sources of this second, at least"] ?? 0) - 2_147) < 200)
            #expect(evidence.sources.count == FloodLane.named)
            #expect(!evidence.summary.isEmpty && !evidence.advice.isEmpty)
        }
    }

    @Test(arguments: [0.0, 0.25, 0.6, 0.9]) func `A flash crowd is no flood, however far away`(_ start: Double) {
        for delay in [0.0005, 0.05, 0.28] {
            var windows = FloodWindows()
            // Ten times as many new connections as the level from one moment on, and one in 50 does not come about.
            FloodWindows.each(2_000, start..<start + 15) { time, place in
                let fate = place % 50 == 0 ? FloodWindows.Fate.answered : .completed(delay)
                windows.synchronize(at: time, from: source(place), 1_025, 443, fate)
            }
            #expect(Detected(windows.windows).opened.isEmpty, "\(delay)")
        }
    }

    @Test func `A flood is found in a crowd, and a crowd that is cut off by a full queue is none`() {
        var windows = FloodWindows()
        FloodWindows.each(2_000, 0..<15) { time, place in
            windows.synchronize(at: time, from: source(place), 1_025, 443, .completed(0.02))
        }
        FloodWindows.each(400, 0..<15) { time, place in
            windows.synchronize(at: time, from: source(1_000_000 + place), 1_025, 443, .answered)
        }
        #expect(Detected(windows.windows).classes == ["flood.syn"])
        // 300 new clients a second; half get in at once, the others with their second or third SYN.
        windows = FloodWindows()
        FloodWindows.each(300, 0..<15) { time, place in
            let waits = place % 2 == 0 ? [0.0] : place % 4 == 1 ? [0, 1] : [0, 1, 3]
            for (number, wait) in waits.enumerated() {
                let isLast = number == waits.count - 1
                let fate = isLast ? FloodWindows.Fate.completed(0.03) : .dropped
                windows.synchronize(at: time + wait, from: source(place), 1_025, 443, fate, isFirst: number == 0)
            }
        }
        #expect(Detected(windows.windows).opened.isEmpty)
    }

    @Test func `A service that is down is no flood, neither behind a balancer nor before many clients`() {
        for (sources, rate) in [(2, 900.0), (500, 300)] {
            var windows = FloodWindows()
            FloodWindows.each(rate, 0..<20) { time, place in
                for (number, wait) in [0.0, 1, 3, 7].enumerated() {
                    let port = UInt16(truncatingIfNeeded: 1_024 + place / sources)
                    let from = source(place % sources)
                    windows.synchronize(at: time + wait, from: from, port, 8_080, .dropped, isFirst: number == 0)
                }
            }
            #expect(Detected(windows.windows).opened.isEmpty, "\(sources)")
        }
    }

    @Test func `The kernel's own evidence is told, and tells drops from a service that is down`() throws {
        var windows = FloodWindows()
        FloodWindows.each(1_000, 0..<2) { time, place in
            windows.synchronize(at: time, from: source(place % 4), UInt16(1_024 + place), 80, .dropped)
        }
        var scene = Scene()
        #expect(Detected(windows.windows, DetectionSettings(), scene).opened.isEmpty)
        var kernel = Scene.KernelEvidence()
        kernel.synReceived = 256
        kernel.listenDrops = 900
        scene.kernel = kernel
        let incident = try #require(Detected(windows.windows, DetectionSettings(), scene).opened.first)
        #expect(incident.threat == .flood(.syn))
        #expect(incident.worst["listen drops"] == 900)
        #expect(incident.worst["sockets in SYN_RECV"] == 256)
        #expect(incident.severity == .critical)
    }

    @Test func `SYNs that are refused are a flood only from a higher level on`() {
        for (rate, classes) in [(1_500.0, Set<String>()), (6_000, ["flood.syn"])] {
            var windows = FloodWindows()
            FloodWindows.each(rate, 0..<12) { time, place in
                windows.synchronize(at: time, from: source(0), UInt16(truncatingIfNeeded: place), 81, .refused)
            }
            #expect(Detected(windows.windows).classes == classes)
        }
    }

    @Test func `A scan of all ports in a second is no flood, but the same from everywhere is`() {
        for (sources, classes) in [(1, Set(["scan.vertical.syn"])), (30_000, ["flood.syn"])] {
            var windows = FloodWindows()
            for place in 0..<60_000 {
                let time = Double(place) / 60_000
                let fate = place % 1_000 == 0 ? FloodWindows.Fate.answered : .refused
                windows.synchronize(at: time, from: source(place % sources), 40_000, UInt16(place + 1), fate)
            }
            #expect(Detected(windows.windows).classes == classes)
        }
    }

    @Test(arguments: [TrafficClass.irregular, .acknowledge, .udp]) func `So is a scan by other means`(
        _ kind: TrafficClass
    ) {
        var windows = FloodWindows()
        let flags: TCPFlags = kind == .irregular ? [.fin, .psh, .urg] : kind == .udp ? [] : .ack
        let number: UInt8 = kind == .udp ? 17 : 6
        for place in 0..<30_000 {
            let time = Double(place) / 30_000
            windows.row(kind, at: time)
            windows.contact(
                .opened,
                at: time,
                from: source(0),
                40_000,
                UInt16(place + 1),
                protocol: number,
                flags: flags
            )
        }
        #expect(!Detected(windows.windows).classes.contains { $0.hasPrefix("flood.") })
    }

    @Test func `While frames are left out, connections that came about are not missed`() {
        // Of a service with 300 new connections a second one SYN in 10 is read, and as many answers: three are seen whole.
        for whole in [0.0, 1, 3, 6] {
            let windows = (0..<20).map { number in
                let target = FloodWindows.victim
                func key(_ kind: TrafficClass) -> TrafficKey {
                    TrafficKey(address: target, port: 443, kind: kind, family: .ipv4)
                }
                var window = Observation(
                    number: Int64(number) + 1_000,
                    volumes: [
                        (key(.synchronize), TrafficVolume(packets: 300, bytes: 18_000, isAsked: false)),
                        (key(.answer), TrafficVolume(packets: 300, bytes: 18_000)),
                        (key(.completed), TrafficVolume(packets: 100 * whole)),
                    ]
                )
                window.weights[SamplingClass.handshake.rawValue] = 10
                return window
            }
            #expect(Detected(windows).opened.isEmpty, "\(whole)")
        }
    }
}
