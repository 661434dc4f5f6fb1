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
                let own = try pair.interfaceCounters()
                #expect(own.rx.packets == frames, "the interface counts frames, not packets")
            }
        }

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
