import Flows
import Packets
import Support
import Testing

@testable import Detection

/// The same from packets, by way of the flow tables.
@Suite struct EDoSPacketTests {
    private struct Event {
        var time: Double
        var packet: Packet
    }

    private let server = "203.0.113.5"

    private func packet(
        _ client: String,
        _ port: UInt16,
        toServer: Bool,
        flags: PacketBuilder.Flags = [.ack],
        payload: Int = 0
    ) -> Packet {
        let (from, to) = toServer ? (client, server) : (server, client)
        let builder = PacketBuilder().ethernet().ipv4(from: from, to: to)
            .tcp(from: toServer ? port : 443, to: toServer ? 443 : port, flags: flags).payload(count: payload)
        let bytes = builder.bytes
        return Packet(decoding: unsafe bytes.span.bytes, wireLength: bytes.count)
    }

    /// One connection that asks every so often, and gets so many bytes.
    private func connection(
        _ client: String,
        _ port: UInt16,
        from start: Double,
        to end: Double,
        every period: Double,
        bytes: Int
    ) -> [Event] {
        var events = [
            Event(time: start, packet: packet(client, port, toServer: true, flags: [.syn])),
            Event(time: start + 0.01, packet: packet(client, port, toServer: false, flags: [.syn, .ack])),
            Event(time: start + 0.02, packet: packet(client, port, toServer: true)),
        ]
        let ask = packet(client, port, toServer: true, payload: 300)
        let answer = packet(client, port, toServer: false, payload: 60_000)
        let acknowledge = packet(client, port, toServer: true)
        for time in stride(from: start + 0.03, to: end, by: period) {
            events.append(Event(time: time, packet: ask))
            let parts = (bytes + 59_999) / 60_000
            for part in 0..<parts {
                let at = time + 0.8 * period * Double(part + 1) / Double(parts)
                events.append(Event(time: at, packet: answer))
                events.append(Event(time: at + 0.001, packet: acknowledge))
            }
        }
        events.append(Event(time: end + 1, packet: packet(client, port, toServer: true, flags: [.fin, .ack])))
        events.append(Event(time: end + 1.01, packet: packet(client, port, toServer: false, flags: [.fin, .ack])))
        return events
    }

    private func detect(_ events: [Event]) -> (events: [IncidentEvent], detection: Detection) {
        var settings = FlowSettings()
        settings.observes = true
        var tables = FlowTables(settings, map: ShardMap(seed: 0, workers: 1), worker: 0)
        var detection = Detection(DetectionSettings(), sensor: "test")
        var told: [IncidentEvent] = []
        for event in events.sorted(by: { $0.time < $1.time }) {
            let time = EDoSTraffic.time(event.time)
            if tables.advance(to: time) { tables.drain { _ in } }
            while var window = tables.takeObservation() {
                window.settle()
                told += detection.advance(to: window.start)
                told += detection.take(window, Scene())
            }
            var packet = event.packet
            if tables.add(&packet, time: time, interface: 1) { tables.drain { _ in } }
        }
        return (told, detection)
    }

    @Test func `A leech in packets is found, with what it cost`() throws {
        var events = connection("198.51.100.10", 40_000, from: 600, to: 9_600, every: 6.4, bytes: 3_960_000)
        let bytes = events.filter { $0.packet.sourcePort == 443 }.reduce(0) { $0 + Double($1.packet.bytes) }
        var random = SeededGenerator(seed: 21)
        // Others, who come and go.
        for number in 0..<300 {
            let client = "80.0.\(number / 250).\(number % 250 + 1)"
            let from = Double(number) * 33
            let size = 60_000 * Int(1 + random.next() % 30)
            events += connection(client, 41_000, from: from, to: from + 9, every: 3, bytes: size)
        }
        let (told, detection) = detect(events)
        let opened = told.filter { $0.incident.state == .opened }.map(\.incident)
        #expect(opened.map(\.threat) == [.edos(.leech)])
        let incident = try #require(opened.first)
        #expect(incident.topSources.map(\.address) == [Address(ipv4: 0xC633_640A)])
        #expect(abs(Double(incident.opened - EDoSTraffic.time(600)) / 6e10 - 120) < 2)
        let last = try #require(told.last { $0.incident.threat == .edos(.leech) }?.incident.latest)
        let cost = try #require(last.cost)
        print("edos.leech in packets: \(cost.total) of \(bytes / 1e9) GB: \(last.summary)")
        #expect(abs(cost.total / (bytes / 1e9) - 1) < 0.05)
        let report = try #require(detection.costs()?.services.first)
        #expect(report.clients.first?.address == Address(ipv4: 0xC633_640A))
        #expect(report.clients.first?.share ?? 0 > 0.8)
    }

    @Test func `15 connections with a part of a head every 15 s hold capacity, over the cuts of their flows`() throws {
        var events: [Event] = []
        for number in 0..<15 {
            let port = UInt16(40_000 + number)
            let start = 60 + Double(number)
            let drip = packet("198.51.100.10", port, toServer: true, payload: 20)
            let acknowledge = packet("198.51.100.10", port, toServer: false)
            events += connection("198.51.100.10", port, from: start, to: start, every: 1, bytes: 0).prefix(3)
            for time in stride(from: start + 1, to: 2_000, by: 15) {
                events.append(Event(time: time, packet: drip))
                events.append(Event(time: time + 0.01, packet: acknowledge))
            }
        }
        let opened = detect(events).events.filter { $0.incident.state == .opened }.map(\.incident)
        let holding = try #require(opened.first { $0.threat == .edos(.holding) })
        #expect(opened.count { $0.threat == .edos(.holding) } == 1)
        #expect(holding.topSources.map(\.address) == [Address(ipv4: 0xC633_640A)])
        #expect(holding.worst["connections held"] == 15)
        #expect(abs(Double(holding.opened - EDoSTraffic.time(60)) / 6e10 - 10) < 2)
    }
}
