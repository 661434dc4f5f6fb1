import Glibc
import Packets
import Support
import Testing

@testable import Flows

/// Where flows begin and end, and what becomes of those that have no room.
struct FlowCuttingTests {
    static func settings(_ change: (inout FlowSettings) -> Void = { _ in }) -> FlowSettings {
        var settings = FlowSettings()
        settings.interim = nil
        change(&settings)
        return settings
    }

    static func udp(_ client: Int = 1, back: Bool = false, payload: Int = 10) -> [UInt8] {
        let near = "10.\(client >> 16 & 255).\(client >> 8 & 255).\(client & 255)"
        let builder = PacketBuilder().ethernet().ipv4(from: back ? "192.0.2.1" : near, to: back ? near : "192.0.2.1")
        return builder.udp(from: back ? 53 : 4000, to: back ? 4000 : 53).payload(count: payload).bytes
    }

    static func frame(_ bytes: [UInt8], _ seconds: Double, interface: UInt32 = 0) -> CapturedFrame {
        CapturedFrame(bytes: bytes, time: Int64((seconds * 1e9).rounded()), interface: interface)
    }

    /// How many packets each flow has, and why it ended, in the order of flows.
    static func outline(_ frames: [CapturedFrame], _ settings: FlowSettings = settings()) -> [String] {
        FlowRun(frames, settings).flows.sorted { $0.features.first < $1.features.first }.map {
            "\($0.forward.packets)+\($0.backward.packets) \($0.end)"
        }
    }

    // MARK: Time

    @Test func silenceEndsAFlow() {
        let times = [0.0, 60, 120.000_000_001, 130]
        #expect(Self.outline(times.map { Self.frame(Self.udp(), $0) }) == ["2+0 idle", "2+0 stopped"])
    }

    /// Without a packet of its own: the clock is everyone's.
    @Test func othersMoveTheClock() {
        var frames = [Self.frame(Self.udp(1), 0)]
        frames += (1...70).map { Self.frame(Self.udp(2), Double($0)) }
        let run = FlowRun(frames, Self.settings())
        #expect(run.flows[0].end == .idle)
        #expect((121...124).contains(run.places[0]), "no more than about a second after its time")
    }

    @Test func aFlowThatGoesOnKeepsItsInitiator() {
        var frames = [Self.frame(Self.udp(), 0)]
        for second in stride(from: 20.0, through: 300, by: 20) { frames.append(Self.frame(Self.udp(), second)) }
        frames.append(Self.frame(Self.udp(back: true), 301))
        frames.append(Self.frame(Self.udp(), 302))
        let flows = FlowRun(frames, Self.settings()).flows
        #expect(Self.outline(frames) == ["16+0 active", "1+1 stopped"])
        #expect(flows.allSatisfy { $0.initiatorPort == 4000 })
    }

    @Test func withoutTimeoutsOneTupleIsOneFlow() {
        let settings = Self.settings {
            $0.idle = nil
            $0.active = nil
            $0.close = nil
        }
        let frames = [
            Self.frame(FlowTableTests.tcp(.syn), 0), Self.frame(FlowTableTests.tcp(.rst, back: true), 1),
            Self.frame(FlowTableTests.tcp(.syn), 1e8), Self.frame(FlowTableTests.tcp(.fin, back: true), 2e8),
        ]
        #expect(Self.outline(frames, settings) == ["2+2 stopped"])
    }

    @Test func packetsThatComeLateBreakNoFigure() {
        let frames = [0.0, 10, 5, 12, -100].map { Self.frame(Self.udp(), 1000 + $0) }
        let flow = FlowRun(frames, Self.settings()).flows[0]
        let values = flow.features.values(.corrected)
        #expect(flow.features.packets == 5)
        #expect(flow.late == 2)
        #expect(values[0] == 12e6)
        #expect((0..<76).allSatisfy { values[$0] >= 0 && values[$0].isFinite })
        #expect(values[18] == 0, "the least gap")
    }

    // MARK: TCP

    private static func tcp(_ second: Double, _ flags: PacketBuilder.Flags, back: Bool = false) -> CapturedFrame {
        frame(FlowTableTests.tcp(flags, back: back), second)
    }

    @Test func finsOfBothEndsCloseAndTheRestTrailsIn() {
        let closing = [
            Self.tcp(0, .syn), Self.tcp(1, [.fin, .ack]), Self.tcp(2, [.fin, .ack], back: true),
            Self.tcp(2.5, .ack), Self.tcp(4.5, .rst),
        ]
        #expect(Self.outline(closing + [Self.tcp(6.5, .ack)]) == ["5+1 stopped"])
        #expect(Self.outline(closing + [Self.tcp(6.6, .ack)]) == ["4+1 closed", "1+0 stopped"])
        #expect(Self.outline(closing + [Self.frame(Self.udp(), 9)]) == ["4+1 closed", "1+0 stopped"])
    }

    @Test func oneFINClosesNothing() {
        let frames = [Self.tcp(0, .syn), Self.tcp(1, [.fin, .ack]), Self.tcp(2, [.fin, .ack]), Self.tcp(9, .syn)]
        #expect(Self.outline(frames) == ["4+0 stopped"])
    }

    @Test(arguments: [false, true]) func resetCloses(back: Bool) {
        let frames = [Self.tcp(0, .syn), Self.tcp(1, .rst, back: back), Self.tcp(3.1, .ack)]
        #expect(Self.outline(frames) == [back ? "1+1 closed" : "2+0 closed", "1+0 stopped"])
    }

    @Test func aNewConnectionReusesTheTupleAtOnce() {
        let frames = [
            Self.tcp(0, .syn), Self.tcp(0.1, .rst, back: true), Self.tcp(0.2, .syn),
            Self.tcp(0.3, [.syn, .ack], back: true),
        ]
        #expect(Self.outline(frames) == ["1+1 closed", "1+1 stopped"])
        // The answer to one opens nothing; and who opens is the initiator.
        #expect(Self.outline(Array(frames.prefix(2)) + [frames[3]]) == ["1+2 stopped"])
        let other = FlowRun(Array(frames.prefix(2)) + [Self.tcp(0.3, .syn, back: true)], Self.settings()).flows
        #expect(other.map(\.initiatorPort).sorted() == [443, 40_000])
    }

    @Test func closeOfZeroEndsAtTheFlag() {
        let frames = [Self.tcp(0, .syn), Self.tcp(0.1, .rst, back: true), Self.tcp(0.1, .ack)]
        #expect(Self.outline(frames, Self.settings { $0.close = 0 }) == ["1+1 closed", "1+0 stopped"])
    }

    // MARK: CICFlowMeter's ways

    @Test func cicEndsAtTheRespondersFINAndDropsTheInitiatorsSecond() {
        let frames = [
            Self.tcp(0, .syn), Self.tcp(1, [.fin, .ack]), Self.tcp(2, [.fin, .ack]), Self.tcp(3, .ack),
            Self.tcp(4, [.fin, .ack], back: true), Self.tcp(5, .ack),
        ]
        #expect(Self.outline(frames, .cic) == ["3+1 closed", "1+0 stopped"])
    }

    @Test func cicCuts120SecondsAfterTheFirstAndTurnsThePacketAround() {
        let frames = [Self.udp(), Self.udp(back: true), Self.udp(back: true), Self.udp(back: true), Self.udp()]
        let times = [0.0, 60, 120, 120.01, 120.02]
        let outline = Self.outline(zip(frames, times).map { Self.frame($0, $1) }, .cic)
        #expect(outline == ["1+2 active", "2+0 stopped"])
        // However late: time alone ends nothing, and the initiator is remembered.
        let late = [Self.udp(), Self.udp(2), Self.udp(back: true), Self.udp(back: true)]
        let others = Self.outline(zip(late, [0.0, 5000, 9000, 9001]).map { Self.frame($0, $1) }, .cic)
        #expect(others == ["1+0 active", "1+0 stopped", "1+1 stopped"])
    }

    // MARK: Interim records

    @Test func interimRecordsTellWhatIsNew() {
        let settings = Self.settings { $0.interim = 10_000_000_000 }
        var frames = (0...25).map { Self.frame(Self.udp(), Double($0)) }
        // Another moves the clock while the first is silent.
        frames += (26...70).map { Self.frame(Self.udp(2), Double($0)) }
        let all = FlowRun(frames, settings).records
        let records = all.filter { $0.initiator == all[0].initiator }
        #expect(records.map(\.end) == [.interim, .interim, .interim, .stopped])
        #expect(records.map(\.interims) == [0, 1, 2, 3])
        #expect(records.last?.forward.packets == 26)
        #expect(records.last?.forwardDelta.packets == 0, "silent since")
        #expect(records.reduce(0) { $0 + $1.forwardDelta.packets } == 26)
        #expect(records.reduce(0) { $0 + $1.forwardDelta.bytes } == records.last?.forward.bytes)
    }

    @Test(arguments: [UInt64(5), 6]) func interimRecordsAddUp(seed: UInt64) {
        let frames = RandomTraffic.frames(seed: seed, count: 1500)
        let run = FlowRun(frames, Self.settings { $0.interim = 3_000_000_000 })
        var deltas: [String: Volume] = [:]
        var told = 0
        for record in run.records {
            let name = "\(record.key) \(record.features.first)"
            var sum = deltas[name] ?? Volume()
            sum += record.forwardDelta
            sum += record.backwardDelta
            if record.end == .interim {
                #expect(record.forwardDelta.packets + record.backwardDelta.packets > 0, "without news")
                deltas[name] = sum
                told += 1
            } else {
                let total = record.forward.packets + record.backward.packets
                #expect(sum.packets == total && sum.bytes == record.forward.bytes + record.backward.bytes)
                deltas[name] = nil
            }
        }
        #expect(told > 50)
        #expect(deltas.isEmpty)
    }

    // MARK: Room

    /// Clients of one shard, whose table has room for 8 of them.
    @Test func whoIsMissedTheLeastMakesRoom() {
        let map = ShardMap(seed: 0, workers: 1)
        let names = (1...5000).filter {
            map.shard(of: unsafe Packet(decoding: Self.udp($0).span.bytes, wireLength: 0)) == 5
        }
        var tables = FlowTables(Self.settings { $0.memory = 0 }, map: map, worker: 0)
        var ended: [FlowRecord] = []
        func send(_ client: Int, back: Bool = false, at seconds: Int64) {
            var packet = unsafe Packet(decoding: Self.udp(names[client], back: back).span.bytes, wireLength: 0)
            let time = seconds * 1_000_000_000
            if tables.advance(to: time) { tables.drain { ended.append(copy $0) } }
            if tables.add(&packet, time: time, interface: 0) { tables.drain { ended.append(copy $0) } }
        }
        func clients() -> [Int] {
            ended.compactMap { record in names.firstIndex(of: Int(record.initiator.low & 0xFFFFFF)) }
        }
        // Three that are answered, three with two packets, two with one.
        for client in 1...3 {
            send(client, at: 0)
            send(client, back: true, at: 0)
        }
        for client in 4...6 {
            send(client, at: 1)
            send(client, at: 1)
        }
        send(7, at: 2)
        send(8, at: 2)
        #expect(tables.count == 8 && ended.isEmpty)
        for client in 9...12 { send(client, at: 5) }
        #expect(clients() == [7, 8, 9, 10], "of one packet, the oldest first")
        // All of one packet get a second: then those without answer go, then the others.
        for client in 11...12 { send(client, back: true, at: 6) }
        #expect(tables.counters.evictedEstablished == 0)
        for client in 20...22 {
            send(client, at: 8)
            send(client, back: true, at: 8)
        }
        #expect(clients() == [7, 8, 9, 10, 4, 5, 6], "unanswered")
        send(1, at: 9)
        send(30, at: 9)
        #expect(clients().last == 2, "the quietest of those that were answered")
        #expect(ended.allSatisfy { $0.end == .evicted })
        #expect(tables.counters.evicted == 8)
        #expect(tables.counters.evictedEstablished == 4)
        #expect(tables.counters.started == tables.counters.ended + 8)
        #expect(tables.count == 8)
    }

    // MARK: Fragments

    private static func fragment(_ offset: UInt16, more: Bool, id: UInt16, second: Double, interface: UInt32 = 0)
        -> CapturedFrame
    {
        let ip = PacketBuilder().ethernet().ipv4(identification: id, moreFragments: more, fragmentOffset: offset)
        let payload = [UInt8](repeating: 9, count: 80)
        let bytes =
            offset == 0
            ? ip.udp(from: 4000, to: 53, length: 248).payload(payload).bytes
            : ip.payload(payload, ipProtocol: 17).bytes
        return frame(bytes, second, interface: interface)
    }

    @Test func laterFragmentsFollowTheFirst() {
        let frames = [
            Self.fragment(0, more: true, id: 5, second: 0), Self.fragment(11, more: true, id: 5, second: 0.1),
            Self.fragment(21, more: false, id: 5, second: 0.2), Self.fragment(21, more: false, id: 6, second: 0.3),
            Self.fragment(11, more: true, id: 5, second: 0.3, interface: 1),
            Self.fragment(11, more: true, id: 5, second: 31),
        ]
        let run = FlowRun(frames, Self.settings())
        #expect(run.flows.count == 1)
        #expect(run.flows[0].features.packets == 3)
        #expect(run.flows[0].laterFragments == 2)
        #expect(run.flows[0].initiatorPort == 4000)
        #expect(run.strays.packets == 3, "of another packet, interface or time")
        let values = run.flows[0].features.values(.corrected)
        #expect(values[3] == 240 && values[33] == 8, "payload of all, one header")
    }

    @Test func protocolsWithoutPortsNeedNoFirstFragment() {
        let ip = PacketBuilder().ethernet().ipv4(moreFragments: true)
        let echo = ip.icmp().payload(count: 1472).bytes
        let rest = PacketBuilder().ethernet().ipv4(fragmentOffset: 185).payload(count: 300, ipProtocol: 1).bytes
        let run = FlowRun([Self.frame(echo, 0), Self.frame(rest, 0.1), Self.frame(rest, 40)], Self.settings())
        #expect(run.flows.map(\.features.packets) == [3])
        #expect(run.flows[0].laterFragments == 2)
        #expect(run.strays == Volume())
    }

    /// What begins with a later fragment has no header of its own to measure.
    @Test func aFlowOfFragmentsAloneHasNoHeader() {
        let rest = PacketBuilder().ethernet().ipv4(fragmentOffset: 185).payload(count: 300, ipProtocol: 1).bytes
        let values = FlowRun([Self.frame(rest, 0)], Self.settings()).flows[0].features.values(.corrected)
        #expect(values[33] == 0)
        #expect(values[67] == 0, "\(FlowFeatures.names[67])")
    }

    @Test func fragmentsAreForgottenInABoundedTable() {
        let frames = (0..<20_000).map { number in
            let address = "10.\(number >> 16).\(number >> 8 & 255).\(number & 255)"
            let ip = PacketBuilder().ethernet().ipv4(from: address, moreFragments: true).udp().payload(count: 8)
            return Self.frame(ip.bytes, Double(number) / 1e6)
        }
        let run = FlowRun(frames + [Self.fragment(11, more: false, id: 77, second: 1)], Self.settings())
        #expect(run.counters.started == 20_000)
        #expect(run.strays.packets == 1)
    }

    // MARK: Where

    @Test func interfacesAndTagsPartFlows() {
        func tagged(_ vlan: UInt16?) -> [UInt8] {
            let link = PacketBuilder().ethernet()
            return (vlan.map { link.vlan($0) } ?? link).ipv4().udp().payload(count: 1).bytes
        }
        var frames: [CapturedFrame] = []
        for interface in [UInt32(0), 1, 7] {
            for vlan in [UInt16?.none, 0, 1, 4095] { frames.append(Self.frame(tagged(vlan), 1, interface: interface)) }
        }
        let flows = FlowRun(frames + frames, Self.settings()).flows
        #expect(flows.count == 12)
        #expect(flows.allSatisfy { $0.features.packets == 2 })
        #expect(Set(flows.map { "\($0.key.interface) \($0.key.vlan ?? 9999)" }).count == 12)
    }

    @Test func errorsCountToTheFlowTheyQuote() {
        let ip = PacketBuilder().ethernet().ipv4(from: "10.0.0.1", to: "192.0.2.1")
        let quoted = Array(ip.udp(from: 4000, to: 53).payload(count: 10).bytes.dropFirst(14).prefix(28))
        let error = PacketBuilder().ethernet().ipv4(from: "192.0.2.1", to: "10.0.0.1").icmp(type: 3, code: 3)
        let frames = [Self.frame(Self.udp(), 0), Self.frame(error.payload(quoted).bytes, 0.1)]
        let flows = FlowRun(frames, Self.settings()).flows.sorted { $0.features.first < $1.features.first }
        #expect(flows.map(\.errors) == [1, 0])
        #expect(flows.map { Int($0.key.protocolNumber) } == [17, 1])
        #expect(FlowRun([frames[1]], Self.settings()).flows.map(\.errors) == [0], "of an unknown flow")
    }

    // MARK: Workers and rows

    /// Each worker reads all and keeps its own: merged by the place of each ending, the same for any number.
    @Test(arguments: [2, 3, 7]) func anyNumberOfWorkersSaysTheSame(workers: Int) {
        let frames = RandomTraffic.frames(seed: 11, count: 1500)
        for settings in [FlowSettings(), .cic] {
            let alone = FlowRun(frames, settings)
            let parts = (0..<workers).map { FlowRun(frames, settings, worker: $0, of: workers) }
            let merged = parts.flatMap { Array(zip($0.places, $0.records)) }.sorted { left, right in
                if left.0 != right.0 { return left.0 < right.0 }
                let (one, other) = (left.1, right.1)
                if one.features.first != other.features.first { return one.features.first < other.features.first }
                return one.key < other.key
            }
            #expect(parts.count { !$0.records.isEmpty } > 1)
            #expect(merged.map(\.0) == alone.places)
            #expect(merged.map(\.1.text) == alone.records.map(\.text))
        }
    }

    @Test(arguments: [UInt64(1), 2, 3]) func rowsOfPacketsSayTheSame(seed: UInt64) {
        let frames = RandomTraffic.frames(seed: seed, count: 1501)
        for settings in [FlowSettings(), .cic] {
            let (alone, rows) = (FlowRun(frames, settings), FlowRun(batching: frames, settings))
            #expect(alone.counters == rows.counters && alone.strays == rows.strays)
            #expect(alone.records.filter { $0.errors == 0 }.map(\.text) == rows.records.map(\.text))
        }
    }

    // MARK: Anything

    /// Random bytes behind real headers, at any time, with any setting: nothing traps, no record has a figure that is not a
    /// number, and every packet is somewhere.
    @Test(arguments: 1...4) func nothingTraps(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let seeds = RandomTraffic.frames(seed: UInt64(seed), count: 300)
        let extremes: [Int64] = [.min, .min + 1, -1, 0, 1, .max - 1, .max, 1 << 62, -1 << 62]
        var frames: [CapturedFrame] = []
        for _ in 0..<3000 {
            var frame = seeds[Int(generator.next() % 300)]
            switch generator.next() % 4 {
            case 0: frame.time = extremes[Int(generator.next() % 9)]
            case 1: frame.time = Int64(bitPattern: generator.next())
            default: break
            }
            if generator.next() % 3 == 0 {
                for _ in 0..<4 {
                    let place = 12 + Int(generator.next() % UInt64(frame.bytes.count - 12))
                    frame.bytes[place] = UInt8(truncatingIfNeeded: generator.next())
                }
            }
            if generator.next() % 20 == 0 { frame.wireLength = Int(generator.next() % (1 << 40)) }
            if generator.next() % 20 == 0 { frame.segmentSize = UInt16(truncatingIfNeeded: generator.next()) }
            frames.append(frame)
        }
        for settings in [
            FlowSettings(), .cic, Self.settings { $0.memory = 0 },
            Self.settings {
                $0.idle = nil
                $0.active = nil
                $0.close = nil
            },
            Self.settings {
                $0.idle = 0
                $0.active = 0
                $0.close = 0
                $0.interim = 1
            },
        ] {
            let run = FlowRun(frames, settings)
            let packets = frames.reduce(0) { sum, frame in
                let packet = frame.packet
                return packet.family == .other ? sum : sum + Int(packet.segments)
            }
            let counted = run.flows.reduce(0) { $0 + Int($1.features.packets) }
            let lost = Int(run.strays.packets + run.unread.packets)
            if settings.profile == .corrected { #expect(counted + lost == packets) }
            #expect(run.counters.started == run.counters.ended)
            for flow in run.flows where settings.profile == .corrected {
                let values = flow.features.values(.corrected)
                for place in 0..<76 where !values[place].isFinite || values[place] < 0 {
                    Issue.record("\(FlowFeatures.names[place]) is \(values[place])")
                }
            }
            for flow in run.flows { _ = flow.features.values(.cic) }
        }
    }
}
