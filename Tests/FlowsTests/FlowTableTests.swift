import Packets
import Support
import Testing

@testable import Flows

/// Feeds frames to the tables of one worker and keeps what ends.
struct FlowFeed: ~Copyable {
    var tables: FlowTables
    var ended: [FlowRecord] = []

    init(_ settings: FlowSettings = FlowSettings()) {
        tables = FlowTables(settings, map: ShardMap(seed: 0, workers: 1), worker: 0)
    }

    mutating func add(_ frame: [UInt8], at seconds: Double, interface: UInt32 = 0, segmentSize: UInt16 = 0) {
        let time = Int64((seconds * 1e9).rounded())
        if tables.advance(to: time) { drain() }
        let bytes = unsafe frame.span.bytes
        var packet = Packet(decoding: bytes, wireLength: frame.count, segmentSize: segmentSize)
        if tables.add(&packet, bytes, time: time, interface: interface) { drain() }
    }

    mutating func advance(to seconds: Double) {
        if tables.advance(to: Int64(seconds * 1e9)) { drain() }
    }

    mutating func finish() -> [FlowRecord] {
        tables.stop()
        drain()
        return ended
    }

    private mutating func drain() {
        var taken: [FlowRecord] = []
        tables.drain { taken.append(copy $0) }
        ended += taken
    }
}

struct FlowTableTests {
    static func tcp(
        _ flags: PacketBuilder.Flags = .ack,
        client: Int = 1,
        back: Bool = false,
        payload: Int = 0
    ) -> [UInt8] {
        let (near, far) = ("10.0.\(client >> 8).\(client & 255)", "192.0.2.1")
        let builder = PacketBuilder().ethernet().ipv4(from: back ? far : near, to: back ? near : far)
        return builder.tcp(from: back ? 443 : 40_000, to: back ? 40_000 : 443, flags: flags).payload(count: payload)
            .bytes
    }

    @Test func bothDirectionsAreOneFlow() {
        var feed = FlowFeed()
        feed.add(Self.tcp(.syn), at: 1)
        feed.add(Self.tcp([.syn, .ack], back: true), at: 1.25)
        feed.add(Self.tcp(payload: 100), at: 1.5)
        let flows = feed.finish()
        #expect(flows.count == 1)
        #expect(flows[0].features.forward.packets == 2)
        #expect(flows[0].features.backward.packets == 1)
        #expect(flows[0].initiatorPort == 40_000)
        #expect(flows[0].end == .stopped)
        let values = flows[0].features.values(.corrected)
        #expect(values[0] == 500_000)
        #expect(values[3] == 100)
    }
}
