import Flows
import Packets
import Support
import Testing

@testable import Detection

/// What the flow tables tell floods from.
@Suite struct FloodFramesTests {
    private typealias Frame = (time: Double, bytes: [UInt8])
    private let victim = Address(ipv4: 0xC000_0201)

    private func tcp(
        _ from: String,
        _ port: UInt16,
        to: String,
        _ service: UInt16,
        _ flags: PacketBuilder.Flags,
        count: Int = 0
    )
        -> [UInt8]
    {
        PacketBuilder().ethernet().ipv4(from: from, to: to).tcp(from: port, to: service, flags: flags)
            .payload(count: count).bytes
    }

    private func udp(_ from: String, _ port: UInt16, to: String, _ service: UInt16, count: Int = 40) -> [UInt8] {
        PacketBuilder().ethernet().ipv4(from: from, to: to).udp(from: port, to: service).payload(count: count).bytes
    }

    private func volume(_ frames: [Frame], _ kind: TrafficClass, of address: Address? = nil, port: UInt16 = 0)
        -> TrafficVolume
    {
        let key = TrafficKey(address: address ?? victim, port: port, kind: kind, family: .ipv4)
        return FrameWindows.of(frames).flatMap(\.volumes).filter { $0.key == key }
            .reduce(into: TrafficVolume()) { $0 += $1.volume }
    }

    @Test func `Packets of a connection are asked for, those before and after it are not`() {
        let host = "192.0.2.1"
        let client = "198.51.100.1"
        var frames: [Frame] = [
            (0.0, tcp(client, 1_025, to: host, 80, .syn)), (0.1, tcp(host, 80, to: client, 1_025, [.syn, .ack])),
            (0.2, tcp(client, 1_025, to: host, 80, .ack)),
        ]
        for place in 0..<5 {
            frames.append((0.3 + Double(place) / 100, tcp(client, 1_025, to: host, 80, .ack, count: 99)))
        }
        #expect(volume(frames, .data).packets == 5)
        #expect(volume(frames, .data).unaskedPackets == 0)
        #expect(volume(frames, .acknowledge).unaskedPackets == 0)
        #expect(volume(frames, .request, port: 80).packets == 1)
        #expect(volume(frames, .completed, port: 80).packets == 1)
        // Of no connection; and it goes on after it was told so.
        frames = [(0.0, tcp(client, 1_026, to: host, 80, .ack)), (0.1, tcp(host, 80, to: client, 1_026, .rst))]
        for place in 0..<5 { frames.append((0.2 + Double(place) / 100, tcp(client, 1_026, to: host, 80, .ack))) }
        #expect(volume(frames, .acknowledge).unaskedPackets == 6)
        #expect(volume(frames, .reset, of: Address(ipv4: 0xC633_6401)).unaskedPackets == 0)
    }

    @Test func `Each turn of the initiator is a request`() {
        let (host, client) = ("192.0.2.1", "198.51.100.1")
        var frames: [Frame] = []
        for place in 0..<10 {
            let time = Double(place) / 20
            frames.append((time, tcp(client, 1_025, to: host, 80, [.psh, .ack], count: 100)))
            frames.append((time + 0.01, tcp(client, 1_025, to: host, 80, [.psh, .ack], count: 100)))
            frames.append((time + 0.02, tcp(host, 80, to: client, 1_025, [.psh, .ack], count: 900)))
        }
        #expect(volume(frames, .request, port: 80).packets == 10)
        #expect(volume(frames, .data).packets == 20)
    }

    @Test func `Answers of reflectors are told from answers that were asked for`() {
        let (host, server) = ("192.0.2.1", "198.51.100.53")
        var asked: [Frame] = []
        for place in 0..<20 {
            let (time, port) = (Double(place) / 40, UInt16(40_000 + place))
            asked.append((time, udp(host, port, to: server, 53)))
            asked.append((time + 0.01, udp(server, 53, to: host, port, count: 400)))
        }
        #expect(volume(asked, .reflection, port: 53).packets == 0)
        #expect(volume(asked, .udp).packets == 20)
        let unasked: [Frame] = (0..<20).map {
            (Double($0) / 40, udp(server, 53, to: host, UInt16(40_000 + $0), count: 400))
        }
        #expect(volume(unasked, .reflection, port: 53).unaskedPackets == 20)
        // TCP: SYN with ACK that nobody asked for hits its receiver, and is no answer of a service.
        let bounced: [Frame] = (0..<20).map {
            (Double($0) / 40, tcp(server, 443, to: host, UInt16(40_000 + $0), [.syn, .ack]))
        }
        #expect(volume(bounced, .reflection, port: 443).unaskedPackets == 20)
        #expect(volume(bounced, .answer, of: Address(ipv4: 0xC633_6435), port: 443).packets == 0)
    }

    @Test func `Fragments count with what they are of`() {
        var frames: [Frame] = []
        for place in 0..<10 {
            let first = PacketBuilder().ethernet().ipv4(
                from: "198.51.100.53",
                to: "192.0.2.1",
                identification: UInt16(place),
                moreFragments: true
            ).udp(from: 53, to: 4_444).payload(count: 1_200)
            let later = PacketBuilder().ethernet().ipv4(
                from: "198.51.100.53",
                to: "192.0.2.1",
                identification: UInt16(place),
                fragmentOffset: 151,
                protocol: 17
            ).payload(count: 600)
            frames += [(Double(place) / 20, first.bytes), (Double(place) / 20 + 0.001, later.bytes)]
        }
        #expect(volume(frames, .reflection, port: 53).unaskedPackets == 20)
        #expect(volume(frames, .fragment).packets == 0)
        // Without their first they are of nothing.
        let strays = frames.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
        #expect(volume(strays, .fragment).unaskedPackets == 10)
    }

    @Test func `Echo requests are asked for by nobody, their answers and errors are not counted as a flood`() {
        func echo(_ from: String, _ to: String, type: UInt8) -> [UInt8] {
            PacketBuilder().ethernet().ipv4(from: from, to: to).icmp(type: type, code: 0).payload(count: 56).bytes
        }
        var frames: [Frame] = []
        for place in 0..<100 {
            frames.append((Double(place) / 200, echo("198.51.100.1", "192.0.2.1", type: 8)))
            frames.append((Double(place) / 200 + 0.001, echo("192.0.2.1", "198.51.100.1", type: 0)))
        }
        #expect(volume(frames, .icmp).unaskedPackets == 100)
        #expect(volume(frames, .icmp, of: Address(ipv4: 0xC633_6401)).unaskedPackets == 0)
    }

    private static let flags: [(TCPFlags, TrafficClass)] = [
        (.fin, .finish), ([.fin, .ack], .finish), ([.fin, .psh, .urg], .irregular), ([], .irregular),
        ([.syn, .fin], .irregular), ([.syn, .rst], .irregular), (.rst, .reset), (.ack, .acknowledge),
        (.syn, .synchronize), ([.syn, .ack], .answer), ([.syn, .ece, .cwr], .synchronize),
        ([.psh, .ack], .acknowledge),
    ]

    @Test func `Flags tell what a packet is`() {
        for (flags, kind) in Self.flags { #expect(flags.trafficClass == kind, "\(flags)") }
    }

    @Test func `Workers change nothing`() {
        var frames: [Frame] = []
        for place in 0..<4_000 {
            let time = Double(place) / 1_500
            frames.append((time, tcp("10.\(place % 200).0.1", UInt16(1_024 + place), to: "192.0.2.1", 80, .syn)))
            frames.append((time, udp("10.\(place % 200).0.2", 123, to: "192.0.2.1", UInt16(1_024 + place))))
        }
        func told(_ workers: Int) -> [String] {
            var settings = FlowSettings()
            settings.observes = true
            var windows: [Int64: Observation] = [:]
            for worker in 0..<workers {
                var tables = FlowTables(settings, map: ShardMap(seed: 0, workers: workers), worker: worker)
                var packet = Packet()
                func take(_ tables: inout FlowTables) {
                    while let window = tables.takeObservation() {
                        if windows[window.number] == nil { windows[window.number] = Observation(number: window.number) }
                        windows[window.number]?.merge(window)
                    }
                }
                for (time, bytes) in frames {
                    let frame = bytes.span
                    let bytes = unsafe frame.bytes
                    packet.decode(bytes, link: .ethernet, wireLength: bytes.byteCount, strippedTag: nil, segmentSize: 0)
                    if tables.advance(to: FloodWindows.time(time)) { tables.drain { _ in } }
                    take(&tables)
                    if tables.add(&packet, bytes, time: FloodWindows.time(time), interface: 1) { tables.drain { _ in } }
                }
                tables.endObservation()
                take(&tables)
            }
            var detector = FloodDetector(FloodSettings(), scale: 1)
            var findings: [Finding] = []
            for (_, window) in windows.sorted(by: { $0.key < $1.key }) {
                var window = window
                window.settle()
                detector.judge(window, Scene(), &findings)
            }
            return findings.map { finding in
                let evidence = finding.evidence
                let sources = evidence.sources.map { "\($0.address)=\($0.count)" }
                return "\(finding.threat.name) \(finding.subject) \(finding.ratio) \(evidence.measures) \(sources)"
            }
        }
        let one = told(1)
        #expect(one.contains { $0.hasPrefix("flood.syn") } && one.contains { $0.hasPrefix("flood.reflection.ntp") })
        #expect(told(4) == one)
    }
}
