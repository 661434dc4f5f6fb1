import Packets
import Support
import Testing

@testable import Flows

/// What detectors are told of the packets of a window.
struct ObservationTests {
    private static func settings() -> FlowSettings {
        var settings = FlowSettings()
        settings.observes = true
        return settings
    }

    /// The windows that some workers saw together, in order.
    private static func windows(_ frames: [CapturedFrame], workers: Int = 1) -> [Observation] {
        var merged: [Int64: Observation] = [:]
        for number in 0..<workers {
            var tables = FlowTables(settings(), map: ShardMap(seed: 0, workers: workers), worker: number)
            for frame in frames {
                if tables.advance(to: frame.time) { tables.drain { _ in } }
                take(&tables, &merged)
                let bytes = unsafe frame.bytes.span.bytes
                var packet = Packet(decoding: bytes, wireLength: frame.bytes.count, segmentSize: frame.segmentSize)
                if tables.add(&packet, bytes, time: frame.time, interface: frame.interface) { tables.drain { _ in } }
            }
            tables.stop()
            tables.drain { _ in }
            tables.endObservation()
            take(&tables, &merged)
        }
        return merged.keys.sorted().compactMap { number in
            var window = merged[number]
            window?.settle()
            return window
        }
    }

    private static func take(_ tables: inout FlowTables, _ merged: inout [Int64: Observation]) {
        while let window = tables.takeObservation() {
            merged[window.number, default: Observation(number: window.number)].merge(window)
        }
    }

    private static func frame(_ bytes: [UInt8], _ seconds: Double) -> CapturedFrame {
        CapturedFrame(bytes: bytes, time: Int64((seconds * 1e9).rounded()), interface: 0)
    }

    private static func tcp(_ flags: PacketBuilder.Flags, back: Bool = false, payload: Int = 0) -> [UInt8] {
        FlowTableTests.tcp(flags, back: back, payload: payload)
    }

    private static func volumes(_ window: Observation) -> [String] {
        window.volumes.map { row in
            "\(row.key.address.text(as: row.key.family)):\(row.key.port) \(row.key.kind) \(Int(row.volume.packets))"
        }
    }

    @Test func `The steps of a connection, and what its packets were`() throws {
        let frames = [
            Self.frame(Self.tcp(.syn), 1), Self.frame(Self.tcp([.syn, .ack], back: true), 1.01),
            Self.frame(Self.tcp(.ack), 1.02), Self.frame(Self.tcp([.ack, .psh], payload: 100), 1.03),
            Self.frame(Self.tcp([.ack, .psh], back: true, payload: 500), 1.04),
            Self.frame(Self.tcp([.ack, .psh], payload: 50), 1.05),
            Self.frame(Self.tcp([.ack, .fin], back: true), 1.06),
        ]
        let windows = Self.windows(frames)
        let window = try #require(windows.first)
        #expect(windows.count == 1)
        #expect(window.contacts.map(\.step) == [.opened, .answered, .wentOn])
        #expect(window.contacts.map(\.flags) == [.syn, [.syn, .ack], .ack])
        #expect(
            Self.volumes(window) == [
                "10.0.0.1:0 data 1", "10.0.0.1:0 finish 1", "192.0.2.1:443 synchronize 1", "192.0.2.1:443 answer 1",
                "192.0.2.1:443 completed 1", "192.0.2.1:443 request 2", "192.0.2.1:0 acknowledge 1",
                "192.0.2.1:0 data 2",
            ]
        )
        let flow = try #require(window.flows.first)
        #expect(flow.requests == 2)
        #expect(flow.newRequests == 2)
        #expect(flow.isAnswered && flow.isFirst)
        #expect((flow.forwardPayload, flow.backwardPayload) == (150, 500))
        #expect(window.samples.count == frames.count)
        #expect(window.missed == Observation.Missed())
    }

    @Test func `A refused SYN, a SYN that is broken off, and an ICMP error`() {
        let refused = Self.windows([
            Self.frame(Self.tcp(.syn), 1), Self.frame(Self.tcp([.rst, .ack], back: true), 1.01),
        ])
        #expect(refused.first?.contacts.map(\.flags) == [.syn, [.rst, .ack]])
        let broken = Self.windows([
            Self.frame(Self.tcp(.syn), 1), Self.frame(Self.tcp([.syn, .ack], back: true), 1.01),
            Self.frame(Self.tcp(.rst), 1.02),
        ])
        #expect(broken.first?.contacts.last?.flags == .rst)
        #expect(broken.first?.volumes.contains { $0.key.kind == .completed } == false)

        var tables = FlowTables(Self.settings(), map: ShardMap(seed: 0, workers: 1), worker: 0)
        let bytes = FlowCuttingTests.udp()
        var packet = Packet(decoding: unsafe bytes.span.bytes, wireLength: bytes.count)
        _ = tables.advance(to: 1)
        _ = tables.add(&packet, time: 1, interface: 0)
        tables.addError(quoting: &packet, interface: 0)
        tables.endObservation()
        let window = tables.takeObservation()
        #expect(window?.contacts.map(\.step) == [.opened, .unreachable])
    }

    @Test func `UDP from a reflector's port is unasked unless its receiver spoke first`() throws {
        func answer(_ back: Bool) -> [UInt8] { FlowCuttingTests.udp(back: back) }
        let unasked = try #require(Self.windows([Self.frame(answer(true), 1)]).first)
        #expect(Self.volumes(unasked) == ["10.0.0.1:53 reflection 1"])
        let asked = try #require(Self.windows([Self.frame(answer(false), 1), Self.frame(answer(true), 1.01)]).first)
        #expect(Self.volumes(asked) == ["10.0.0.1:0 udp 1", "192.0.2.1:0 udp 1"])
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func `The same windows on any number of workers`(seed: UInt64) {
        let frames = RandomTraffic.frames(seed: seed, count: 20_000, jumps: false)
        let one = Self.windows(frames)
        #expect(one.count > 10)
        for workers in [2, 3, 64] {
            let many = Self.windows(frames, workers: workers)
            #expect(many.map(\.number) == one.map(\.number))
            for (left, right) in zip(one, many) {
                #expect(left.volumes.map(\.key) == right.volumes.map(\.key))
                #expect(left.volumes.map(\.volume) == right.volumes.map(\.volume))
                #expect(left.contacts.elementsEqual(right.contacts) { "\($0)" == "\($1)" })
                #expect(left.flows.elementsEqual(right.flows) { "\($0)" == "\($1)" })
                #expect(left.samples.map(\.time) == right.samples.map(\.time))
                #expect(left.missed == right.missed)
            }
        }
    }

    @Test func `A flood fills no memory, and what found no room is counted`() {
        let flood = 200_000
        var tables = FlowTables(Self.settings(), map: ShardMap(seed: 0, workers: 1), worker: 0)
        _ = tables.advance(to: 0)
        for client in 0..<flood {
            let bytes = FlowCuttingTests.udp(client)
            var packet = Packet(decoding: unsafe bytes.span.bytes, wireLength: bytes.count)
            if tables.add(&packet, time: Int64(client), interface: 0) { tables.drain { _ in } }
        }
        tables.endObservation()
        guard var window = tables.takeObservation() else {
            Issue.record("no window")
            return
        }
        window.settle()
        #expect(window.contacts.count == 64 * 1_024)
        #expect(window.missed.contacts == UInt64(flood - 64 * 1_024))
        #expect(window.samples.count <= 64 * 16)
        // One victim, whatever the number of sources.
        #expect(Self.volumes(window) == ["192.0.2.1:0 udp \(flood)"])
    }

    @Test func `Flags that no stack sends are told apart`() throws {
        let cases: [(PacketBuilder.Flags, TrafficClass)] = [
            ([], .irregular), ([.fin], .finish), ([.syn, .fin], .irregular), ([.fin, .psh, .urg], .irregular),
            ([.syn, .rst], .irregular), ([.syn], .synchronize), ([.fin, .ack], .finish), ([.rst], .reset),
            ([.rst, .ack], .reset), ([.ack], .acknowledge), ([.ack, .psh], .acknowledge),
        ]
        for (flags, kind) in cases {
            let window = try #require(Self.windows([Self.frame(Self.tcp(flags), 1)]).first)
            #expect(window.volumes.map(\.key.kind) == [kind], "\(flags)")
        }
    }
}
