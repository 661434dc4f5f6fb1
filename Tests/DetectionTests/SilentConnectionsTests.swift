import Flows
import Packets
import Support
import Testing

@testable import Detection

@Suite struct SilentConnectionsTests {
    private typealias Frame = (time: Double, bytes: [UInt8])

    private func frame(_ place: Int, at time: Double, isForward: Bool, _ flags: PacketBuilder.Flags, payload: Int = 0)
        -> Frame
    {
        let (client, port) = ("198.51.100.\(1 + place % 3)", UInt16(1_024 + place))
        let packet = PacketBuilder().ethernet()
            .ipv4(from: isForward ? client : "192.0.2.1", to: isForward ? "192.0.2.1" : client)
            .tcp(from: isForward ? port : 443, to: isForward ? 443 : port, flags: flags).payload(count: payload)
        return (time, packet.bytes)
    }

    /// A connection that comes about.
    private func opened(_ place: Int, at time: Double) -> [Frame] {
        [
            frame(place, at: time, isForward: true, .syn),
            frame(place, at: time + 0.001, isForward: false, [.syn, .ack]),
            frame(place, at: time + 0.002, isForward: true, .ack),
        ]
    }

    private func closed(_ place: Int, at time: Double) -> [Frame] {
        [
            frame(place, at: time, isForward: true, [.fin, .ack]),
            frame(place, at: time + 0.001, isForward: false, [.fin, .ack]),
            frame(place, at: time + 0.002, isForward: true, .ack),
        ]
    }

    /// Traffic of somebody else, so that time goes on.
    private func clock(_ seconds: Range<Int>) -> [Frame] {
        seconds.map {
            (
                Double($0) + 0.5,
                PacketBuilder().ethernet().ipv4(from: "203.0.113.1", to: "203.0.113.2").udp(from: 7, to: 8).bytes
            )
        }
    }

    @Test func `Connections that say nothing are counted while they are open`() throws {
        let frames =
            (0..<1_800).flatMap { opened($0, at: Double($0) / 1_000) }
            + (0..<1_500).flatMap { closed($0, at: 30 + Double($0) / 1_000) }
        let detected = Detected(FrameWindows.of(frames + clock(0..<60)))
        #expect(detected.classes == ["flood.connections"])
        let incident = try #require(detected.opened.first)
        #expect(incident.subject == Subject(Address(ipv4: 0xC000_0201), .ipv4, port: 443))
        // Of the first 10 s nobody can say that they will be silent.
        #expect(incident.opened - FloodWindows.time(0) > 10 * FloodWindows.second)
        #expect(incident.opened - FloodWindows.time(0) < 14 * FloodWindows.second)
        let last = try #require(detected.events.last?.incident)
        #expect(last.peak == 1.8)
        #expect(last.topSources.count == 3)
        #expect(last.closed != nil)
    }

    @Test func `Half-open and talking connections, and those of a crowd, are not held ones`() {
        let halfOpen = (0..<2_000).flatMap { opened($0, at: Double($0) / 1_000).dropLast() }
        #expect(!Detected(FrameWindows.of(halfOpen + clock(0..<30))).classes.contains("flood.connections"))
        let talking = (0..<2_000).flatMap { place in
            let time = Double(place) / 1_000
            return opened(place, at: time) + [frame(place, at: time + 0.01, isForward: true, .ack, payload: 120)]
        }
        #expect(Detected(FrameWindows.of(talking + clock(0..<30))).opened.isEmpty)
        let short = (0..<2_000).flatMap { opened($0, at: Double($0) / 1_000) + closed($0, at: 3 + Double($0) / 1_000) }
        #expect(Detected(FrameWindows.of(short + clock(0..<30))).opened.isEmpty)
    }

    @Test func `They are forgotten in the end, and there is room for so many`() {
        var settings = FloodSettings()
        settings.connectionsRemembered = 1_000
        var connections = SilentConnections(settings)
        var findings: [Finding] = []
        let windows = FrameWindows.of((0..<1_800).flatMap { opened($0, at: Double($0) / 1_000) } + clock(0..<20))
        for window in windows { connections.judge(window, Scene(), &findings) }
        #expect(connections.count == 1_000)
        #expect(connections.turnedAway >= 800)
        let later = FloodWindows.window(of: FloodWindows.time(200))
        for number in later..<later + 8 { connections.judge(Observation(number: number), Scene(), &findings) }
        #expect(connections.count == 0)
    }
}
