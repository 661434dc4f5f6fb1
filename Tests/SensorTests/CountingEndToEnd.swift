import Glibc
import Support
import Testing

extension EndToEnd {
    /// Numbers of the sensor against those of the senders and of the interface.
    @Suite("Counting") struct Counting {
        typealias Volume = SensorDocument.Volume

        /// How an interface is set up, and what its own counters then count.
        enum Offloads: String, CaseIterable, CustomTestStringConvertible {
            case none, receive, send, both

            var words: [String] {
                let segments = self == .send || self == .both ? "on" : "off"
                return ["tso", segments, "gso", segments, "gro", self == .receive || self == .both ? "on" : "off"]
            }

            var testDescription: String { words.joined(separator: " ") }
        }

        /// A sensor on the near end, from before its first packet.
        private static func watch(_ pair: borrowing Neighbours, workers: Int = 1) throws -> RunningSensor {
            let sensor = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near] + EndToEnd.noRedis,
                environment: ["WEIR_CAPTURE_WORKERS": String(workers)]
            )
            try sensor.waitUntilWatching(VethPair.near, source: "tcx")
            try pair.raise()
            return sensor
        }

        @Test(
            "without segmentation it equals the interface's own counters, all kinds of traffic",
            .timeLimit(.minutes(1))
        )
        func interfaceCounters() throws {
            let pair = try Neighbours.make("count", offloads: Offloads.none.words, isUp: false)
            let sensor = try Self.watch(pair)
            try Self.mixedTraffic(pair)
            try sensor.waitForStatus("the interface's counters") { status in
                guard let seen = status.interface(VethPair.near) else { return false }
                let own = try pair.interfaceCounters()
                return seen.rx.volume == own.rx && seen.tx.volume == own.tx && own.rx.packets > 1_000
            }
        }

        @Test("with receive offload the interface's own counters lack 14 bytes a packet, and nothing else")
        func receiveOffload() throws {
            let pair = try Neighbours.make("gro", offloads: Offloads.receive.words, isUp: false)
            let sensor = try Self.watch(pair)
            try Self.mixedTraffic(pair)
            try sensor.waitForStatus("the interface's counters and its link headers") { status in
                guard let seen = status.interface(VethPair.near) else { return false }
                let own = try pair.interfaceCounters()
                return seen.rx.packets == own.rx.packets && seen.rx.bytes == own.rx.bytes + 14 * own.rx.packets
                    && seen.tx.packets == own.tx.packets && seen.tx.bytes == own.tx.bytes + 14 * own.tx.packets
            }
        }

        @Test(
            "TCP segments and bytes are those that the two kernels sent",
            arguments: Offloads.allCases,
            [false, true]
        )
        func segments(_ offloads: Offloads, isIPv6: Bool) throws {
            let pair = try Neighbours.make("tcp", offloads: offloads.words, isUp: false)
            let sensor = try Self.watch(pair)
            let exchange = try TCPExchange.run(pair, isIPv6: isIPv6, up: 3_000_000, down: 2_000_000)
            let (received, sent) = exchange.volumes(isIPv6: isIPv6)
            let status = try sensor.waitForStatus("rx \(received), tx \(sent) of \(exchange)") { status in
                guard let seen = status.interface(VethPair.near) else { return false }
                return seen.rx.tcp == received && seen.tx.tcp == sent
            }
            let seen = try #require(status.interface(VethPair.near))
            // One frame holds many packets where the sender segments late, or the receiver joins them.
            let frames = try #require(seen.rx.frames)
            if offloads == .none { #expect(frames == seen.rx.packets) } else { #expect(frames < seen.rx.packets) }
            if offloads == .send {
                try sensor.waitForStatus("the interface counts frames, not packets") { status in
                    try pair.interfaceCounters().rx.packets == status.interface(VethPair.near)?.rx.frames
                }
            }
        }

        /// Frames with tags as they stand on the wire.
        private static let tagged = [
            PacketBuilder().ethernet().vlan(7).ipv4().tcp(to: 443).payload(count: 100),
            PacketBuilder().ethernet().vlan(100, tpid: 0x88A8).vlan(200).ipv6().udp(to: 53).payload(count: 33),
            PacketBuilder().ethernet().vlan(0, priority: 5).arp(),
            PacketBuilder().ethernet().vlan(5).ipv6().icmpv6().payload(count: 1_400),
        ]

        @Test("tagged frames, one tag and two, are the bytes that were sent", arguments: [Offloads.none, .receive])
        func tags(_ offloads: Offloads) throws {
            let pair = try Neighbours.make("tags", offloads: offloads.words, isSilent: true, isUp: false)
            let sensor = try Self.watch(pair)
            let frames = Self.tagged.map(\.bytes)
            let rounds = 500
            try pair.far.enter { _ = try FrameSender(interface: VethPair.far, frames: frames).send(4 * rounds) }
            try pair.near.enter { _ = try FrameSender(interface: VethPair.near, frames: frames).send(2 * rounds) }
            let size = frames.reduce(0) { $0 + $1.count }
            let received = Volume(packets: UInt64(4 * rounds), bytes: UInt64(size * rounds))
            let sent = Volume(packets: UInt64(2 * rounds), bytes: UInt64(size * rounds / 2))
            let status = try sensor.waitForStatus("rx \(received), tx \(sent)") { status in
                let seen = status.interface(VethPair.near)
                return seen?.rx.volume == received && seen?.tx.volume == sent
            }
            let seen = try #require(status.interface(VethPair.near))
            #expect(seen.rx.tcp?.packets == UInt64(rounds) && seen.rx.udp?.packets == UInt64(rounds))
            #expect(seen.rx.icmp?.packets == UInt64(rounds) && seen.rx.otherFamily?.packets == UInt64(rounds))
            #expect(seen.rx.malformed == 0)
            let own = try pair.interfaceCounters()
            #expect(own.rx.packets == received.packets && own.tx.packets == sent.packets)
            let header = offloads == .none ? UInt64(0) : 14
            #expect(own.rx.bytes == received.bytes - header * received.packets)
        }

        @Test("a tag that travels beside the frame is 4 bytes that the interface does not count")
        func strippedTag() throws {
            let pair = try Neighbours.make("strip", offloads: Offloads.none.words, isSilent: true, isUp: false)
            let sensor = try Self.watch(pair)
            let tagger = try pair.far.enter {
                try ForeignProgram(on: VethPair.far, ingress: false, isFirst: true, .pushTag(7))
            }
            let frame = PacketBuilder().ethernet().ipv4().udp(to: 443).payload(count: 200).bytes
            try pair.far.enter { _ = try FrameSender(interface: VethPair.far, frames: [frame]).send(1_000) }
            #expect(tagger.runs == 1_000)
            let expected = Volume(packets: 1_000, bytes: UInt64(1_000 * (frame.count + 4)))
            try sensor.waitForStatus("rx \(expected)") { $0.interface(VethPair.near)?.rx.volume == expected }
            #expect(try pair.interfaceCounters().rx.bytes == expected.bytes - 4_000)
        }

        @Test("what a queueing discipline drops was counted before")
        func droppingQueue() throws {
            let pair = try Neighbours.make("drop", offloads: Offloads.none.words, isSilent: true, isUp: false)
            let sensor = try Self.watch(pair)
            let shape = "qdisc add dev \(VethPair.near) root tbf rate 2mbit burst 5k limit 5k"
            try pair.run(onNear: true, ["/usr/sbin/tc"] + shape.split(separator: " ").map(String.init))
            try pair.run(onNear: true, ["/usr/bin/ping", "-q", "-c", "1", Neighbours.farAddress])
            let script = """
                import socket
                sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                for _ in range(500): sender.sendto(bytes(958), ("\(Neighbours.farAddress)", 9))
                """
            try pair.run(onNear: true, [ClientRules.python, "-c", script])
            try sensor.waitForStatus("500 datagrams") {
                $0.interface(VethPair.near)?.tx.udp == Volume(packets: 500, bytes: 500_000)
            }
            var dropped: UInt64 = 0
            try sensor.waitForStatus("the interface's counters and what was dropped") { status in
                guard let seen = status.interface(VethPair.near)?.tx.volume else { return false }
                let text = try pair.run(onNear: true, ["/usr/sbin/tc", "-s", "qdisc", "show", "dev", VethPair.near])
                let words = text.split { " (),".contains($0) }
                dropped = try #require(words.firstIndex(of: "dropped").flatMap { UInt64(words[$0 + 1]) })
                let sent = try pair.interfaceCounters().tx
                return sent.packets + dropped == seen.packets && sent.bytes + dropped * 1_000 == seen.bytes
            }
            #expect(dropped > 100)
        }

        @Test("download and upload are within 1 % of the offered rate")
        func speeds() throws {
            let pair = try Neighbours.make("speed", offloads: Offloads.both.words, isUp: false)
            let redis = try #require(RedisServer())
            let sensor = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near, "--redis", "unix://\(redis.socket)"]
            )
            try sensor.waitUntilWatching(VethPair.near)
            try pair.raise()
            let frame = PacketBuilder().ethernet().ipv4().udp(to: 443).payload(count: 958).bytes
            try #require(frame.count == 1_000)
            let down = try pair.far.enter { try FrameSender(interface: VethPair.far, frames: [frame]) }
            let up = try pair.near.enter { try FrameSender(interface: VethPair.near, frames: [frame]) }
            // 20 and 5 frames every 4 ms, by a clock that does not drift: 40 and 10 Mbit/s.
            let start = monotonicSeconds()
            for beat in 0..<2_600 {
                let early = start + Double(beat) * 0.004 - monotonicSeconds()
                if early > 0 { usleep(UInt32(early * 1e6)) }
                try down.send(20)
                try up.send(5)
            }
            usleep(2_500_000)
            let document = try SensorDocument(redis.value(of: "network_analysis:latest"))
            // The first and the last point hold only a part of it.
            let points = document.networkSpeeds.filter { $0.download > 0 }.dropFirst().dropLast()
            try #require(points.count >= 3, "\(document.networkSpeeds)")
            let download = points.reduce(0) { $0 + $1.download } / Double(points.count)
            let upload = points.reduce(0) { $0 + $1.upload } / Double(points.count)
            #expect(abs(download - 40) < 0.4 && abs(upload - 10) < 0.1, "\(download), \(upload)")
        }

        @Test("every sampled frame is accounted for, on one worker and on two", arguments: [1, 2])
        func ledger(_ workers: Int) throws {
            let pair = try Neighbours.make("ledger", offloads: Offloads.none.words, isUp: false)
            let sensor = try Self.watch(pair, workers: workers)
            let frames = Self.everyKind.map(\.bytes)
            let sender = try pair.far.enter { try FrameSender(interface: VethPair.far, frames: frames) }
            for _ in 0..<100 {
                try sender.send(frames.count)
                usleep(5_000)
            }
            try pair.run(onNear: false, ["/usr/bin/ping", "-q", "-i", "0.002", "-c", "300", Neighbours.nearAddress])
            try pair.run(
                onNear: false,
                ["/usr/bin/ping", "-q", "-i", "0.01", "-c", "50", "-s", "4000", Neighbours.nearAddress]
            )
            let status = try sensor.waitForStatus("all frames in the ledger") { status in
                guard let seen = status.interface(VethPair.near), let rx = seen.rx.frames, let tx = seen.tx.frames
                else {
                    return false
                }
                let own = try pair.interfaceCounters()
                return rx == own.rx.packets && tx == own.tx.packets && status.ledger.offered == rx + tx
                    && status.ledger.residue == 0
            }
            let ledger = status.ledger
            #expect(status.sampling.n == 1)
            #expect(ledger.skipped == 0 && ledger.dropped == 0 && ledger.shed == 0, "\(ledger)")
            #expect(ledger.read == ledger.offered && ledger.decoded == ledger.read - ledger.malformed)
            #expect(ledger.malformed == 200, "the two broken frames, 100 times")
        }

        /// Frames that the kernel shares among rings in different ways, with errors that quote a flow, and two broken ones.
        private static let everyKind: [PacketBuilder] = {
            let ethernet = PacketBuilder().ethernet()
            let flows = (UInt16(0)..<16).map { ethernet.ipv4().tcp(from: 40_000 + $0, to: 443).payload(count: 10) }
            let quotes = (UInt16(0)..<16).map {
                let quoted = PacketBuilder().ipv4(from: "10.0.0.2", to: "10.0.0.1").tcp(from: 443, to: 40_000 + $0)
                return ethernet.ipv4(from: "10.9.9.9").icmp(type: 3, code: 1).payload(Array(quoted.bytes.prefix(28)))
            }
            return flows + quotes + [
                ethernet.ipv4().udp(to: 53).payload(count: 40),
                ethernet.ipv6().udp(to: 53).payload(count: 40),
                ethernet.ipv4(moreFragments: true).udp(to: 53).payload(count: 1_400),
                ethernet.ipv4(fragmentOffset: 176).payload(count: 100, ipProtocol: 17),
                ethernet.ipv6().ipv6Fragment(moreFragments: true).udp(to: 53).payload(count: 1_200),
                ethernet.ipv6().ipv6Fragment(offset: 151).payload(count: 100, ipProtocol: 17),
                ethernet.ipv4().gre().ipv4(from: "192.168.1.1").udp(to: 80).payload(count: 20),
                ethernet.ipv4().ipv4(from: "192.168.1.1").udp(to: 80).payload(count: 20),
                ethernet.ipv4().sctp(),
                ethernet.ipv6().ipv6Extension(0).ipv6Extension(60).tcp(to: 22),
                ethernet.vlan(7).vlan(8).ipv4().tcp(to: 443),
                ethernet.arp(),
                ethernet.payload(count: 60),
                ethernet.ipv4(headerWords: 15).tcp(to: 443),
                ethernet.ipv6(payloadLength: 900).tcp(to: 443),
            ]
        }()

        /// Several programs' traffic both ways, over IPv4 and IPv6; returns when the last answer has arrived.
        private static func mixedTraffic(_ pair: borrowing Neighbours) throws {
            let server = try #require(
                BackgroundProcess(pair.near.command(["/usr/bin/iperf3", "-s", "-B", Neighbours.nearAddress]))
            )
            let web = try #require(
                BackgroundProcess(
                    pair.near.command([
                        ClientRules.python, "-m", "http.server", "8080", "--bind", Neighbours.nearAddress6,
                        "--directory", "/usr/share/common-licenses",
                    ])
                )
            )
            let iperf = ["/usr/bin/iperf3", "-c", Neighbours.nearAddress, "--connect-timeout", "1000"]
            try #require(
                eventually(within: 10) { (try? pair.run(onNear: false, iperf + ["-n", "2M"])) != nil }
            )
            try pair.run(onNear: false, iperf + ["-n", "1M", "-R"])
            try pair.run(onNear: false, iperf + ["-u", "-b", "40M", "-n", "1M", "-l", "1200"])
            try pair.run(onNear: false, ["/usr/bin/ping", "-q", "-f", "-c", "1000", Neighbours.nearAddress])
            try pair.run(onNear: false, ["/usr/bin/ping", "-q", "-i", "0.002", "-c", "100", Neighbours.nearAddress6])
            // Larger than a packet: fragments.
            try pair.run(
                onNear: false,
                ["/usr/bin/ping", "-q", "-i", "0.01", "-c", "20", "-s", "4000", Neighbours.nearAddress]
            )
            _ = try pair.run(
                onNear: false,
                [
                    "/usr/sbin/hping3", "-q", "-S", "-p", "81", "-i", "u500", "-c", "200", Neighbours.nearAddress,
                ]
            )
            let address = "http://[\(Neighbours.nearAddress6)]:8080/"
            try #require(
                eventually(within: 10) { (try? pair.run(onNear: false, ["/usr/bin/curl", "-sSf", address])) != nil }
            )
            _ = (server.pid, web.pid)
        }
    }
}
