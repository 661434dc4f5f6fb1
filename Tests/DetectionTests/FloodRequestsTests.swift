import Flows
import Packets
import Support
import Testing

@testable import Detection

/// Floods over whole connections, and crowds.
@Suite struct FloodRequestsTests {
    private func source(_ place: Int) -> Address { FloodWindows.source(place) }

    /// A request's packet, as samples show it.
    private func request(_ source: Address, _ port: UInt16, to service: UInt16) -> Packet {
        let frame = PacketBuilder().ethernet().ipv4(from: source.text(as: .ipv4), to: "192.0.2.1")
            .tcp(from: port, to: service, flags: [.psh, .ack]).payload(count: 90).bytes
        var packet = Packet()
        let span = frame.span
        let bytes = unsafe span.bytes
        packet.decode(bytes, link: .ethernet, wireLength: frame.count, strippedTag: nil, segmentSize: 0)
        return packet
    }

    /// Requests at a steady rate, of which one in ten is sampled.
    private func windows(rate: Double, seconds: Double = 3, port: UInt16 = 80, _ source: (Int) -> Address)
        -> [Observation]
    {
        var windows = FloodWindows()
        FloodWindows.each(rate, 0..<seconds) { time, place in
            windows.row(.request, at: time, port: port, size: 150, isAsked: true)
            windows.row(.data, at: time, size: 150, isAsked: true)
            guard place % 10 == 0 else { return }
            windows.sample(request(source(place), UInt16(1_024 + place % 5_000), to: port), at: time)
        }
        return windows.windows
    }

    @Test func `One client or a few with a load generator are a flood`() throws {
        for clients in [1, 10] {
            let detected = Detected(windows(rate: 8_000) { source($0 / 10 % clients) })
            #expect(detected.classes == ["flood.requests"])
            let incident = try #require(detected.opened.first)
            #expect(incident.subject.port == 80)
            #expect(incident.worst.sources.count == clients)
            let top = try #require(incident.worst.sources.first)
            #expect(abs(top.count - 8_000 * 1.0737 / Double(clients)) < 0.4 * 8_000 / Double(clients))
        }
    }

    @Test func `A flash crowd of many that ask little is none, nor are 500 behind one address`() {
        #expect(Detected(windows(rate: 8_000) { source($0 % 997 % 400) }).opened.isEmpty)
        #expect(Detected(windows(rate: 1_000) { _ in source(0) }).opened.isEmpty)
    }

    @Test func `A client with a load generator is found in a crowd`() {
        let detected = Detected(
            windows(rate: 8_000, seconds: 6) { $0 % 20 < 10 ? source(1) : source(2 + $0 % 997 % 400) }
        )
        #expect(detected.classes == ["flood.requests"])
        #expect(abs((detected.opened.first?.worst.measures[0].value ?? 0) - 4_000) < 800)
    }

    @Test func `Questions to a database are no requests of the web`() {
        #expect(Detected(windows(rate: 20_000, port: 5_432) { _ in source(0) }).detection.nearness.isEmpty)
    }

    @Test func `Whoever is in the allow-list is not counted`() {
        let windows = windows(rate: 8_000) { source($0 % 10 == 0 && $0 % 20 == 0 ? 0 : 1) }
        #expect(Detected(windows).classes == ["flood.requests"])
        var settings = DetectionSettings()
        settings.allow = [AllowRule(Prefix(source(0), .ipv4, bits: 31), ports: 80...80)]
        #expect(Detected(windows, settings).opened.isEmpty)
    }
}
