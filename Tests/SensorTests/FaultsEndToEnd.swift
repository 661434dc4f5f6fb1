import Glibc
import Support
import Testing

extension EndToEnd {
    /// What happens to the interface, to the programs, and to the sensor itself.
    @Suite("Faults") struct Faults {
        private static func watch(_ pair: borrowing Neighbours, launcher: [String] = []) throws -> RunningSensor {
            let sensor = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near] + EndToEnd.noRedis,
                launcher: launcher
            )
            try sensor.waitUntilWatching(VethPair.near)
            return sensor
        }

        @Test("an interface that is deleted and made again is watched again within two seconds, in a new epoch")
        func recreated() throws {
            let pair = try Neighbours.make("again")
            let redis = try #require(RedisServer())
            let sensor = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near, "--redis", "unix://\(redis.socket)"],
                environment: ["WEIR_PUBLISH_INTERVAL": "0.5"]
            )
            try sensor.waitUntilWatching(VethPair.near)
            try pair.run(onNear: false, ["/usr/bin/ping", "-q", "-f", "-c", "500", Neighbours.nearAddress])
            try sensor.waitForStatus("traffic") { ($0.interface(VethPair.near)?.rx.packets ?? 0) >= 500 }
            let descriptors = sensor.descriptorCount
            for epoch in UInt32(2)...6 {
                try pair.cut()
                try sensor.waitForStatus("gone") { $0.interface(VethPair.near) == nil }
                try pair.wire()
                try pair.raise()
                let back = monotonicSeconds()
                let status = try sensor.waitForStatus("epoch \(epoch)") { $0.interface(VethPair.near)?.epoch == epoch }
                #expect(monotonicSeconds() - back <= 2)
                #expect((status.interface(VethPair.near)?.rx.packets ?? 1_000) < 100, "totals begin anew")
            }
            try pair.run(onNear: false, ["/usr/bin/ping", "-q", "-f", "-c", "300", Neighbours.nearAddress])
            try sensor.waitForStatus("it counts again") { ($0.interface(VethPair.near)?.rx.packets ?? 0) >= 300 }
            #expect(sensor.descriptorCount <= descriptors, "nothing is left open")
            #expect(sensor.logs("interface \(VethPair.near) is gone"))
            try #require(eventually(within: 5) { !redis.value(of: Redis.key).isEmpty })
            let document = redis.value(of: Redis.key)
            #expect(ClientRules.violations(of: document) == [])
            #expect(try SensorDocument(document).networkSpeeds.allSatisfy { $0.download >= 0 && $0.upload >= 0 })
            let status = try #require(sensor.status())
            #expect(status.ledger.dropped == 0 && status.ledger.shed == 0, "\(status.ledger)")
        }

        @Test("renamed, an interface goes on under its new name; down and up, it goes on counting")
        func renamed() throws {
            let pair = try Neighbours.make("name")
            let sensor = try Self.watch(pair)
            let ping = ["/usr/bin/ping", "-q", "-f", "-c", "200", Neighbours.nearAddress]
            try pair.run(onNear: false, ping)
            try sensor.waitForStatus("traffic") { ($0.interface(VethPair.near)?.rx.packets ?? 0) >= 200 }
            try pair.near.ip(["link", "set", VethPair.near, "down"])
            try sensor.waitForStatus("it is down") { $0.interface(VethPair.near)?.up == false }
            try pair.near.ip(["link", "set", VethPair.near, "name", "other"])
            try pair.near.ip(["link", "set", "other", "up"])
            try sensor.waitForStatus("the new name", within: 3) { $0.interface("other")?.up == true }
            try pair.run(onNear: false, ping)
            let status = try sensor.waitForStatus("traffic under the new name") {
                ($0.interface("other")?.rx.packets ?? 0) >= 400
            }
            #expect(status.interface("other")?.epoch == 1)
        }

        @Test(
            "killed ten times, it leaves nothing; the next start has one program in each direction, foreign ones stay"
        )
        func killed() throws {
            let pair = try Neighbours.make("sigkill")
            let before = try pair.near.enter {
                try ForeignProgram(on: VethPair.near, ingress: true, isFirst: true, .accept)
            }
            let first = try Self.watch(pair)
            let after = try pair.near.enter {
                try ForeignProgram(on: VethPair.near, ingress: true, isFirst: false, .accept)
            }
            let (beforeID, afterID) = (before.id, after.id)
            first.signal(SIGKILL)
            #expect(first.exitStatus(within: 5) == 128 + SIGKILL)
            for _ in 0..<9 {
                let next = try RunningSensor(
                    in: pair.near,
                    ["--interface", VethPair.near] + EndToEnd.noRedis,
                    directory: first.dataDirectory
                )
                try next.waitUntilWatching(VethPair.near, source: "tcx")
                next.signal(SIGKILL)
                #expect(next.exitStatus(within: 5) == 128 + SIGKILL)
            }
            let last = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near] + EndToEnd.noRedis,
                directory: first.dataDirectory
            )
            try last.waitUntilWatching(VethPair.near, source: "tcx")
            func names(ingress: Bool) throws -> [String] {
                try pair.near.enter { TCXPrograms.rows(on: VethPair.near, ingress: ingress).map(\.name) }
            }
            #expect(try names(ingress: true) == ["weir_ingress", "foreign", "foreign"])
            #expect(try names(ingress: false) == ["weir_egress"])
            let runs = before.runs
            try pair.run(onNear: false, ["/usr/bin/ping", "-q", "-f", "-c", "200", Neighbours.nearAddress])
            #expect(before.runs - runs >= 200, "the foreign program goes on working")
            #expect(before.id == beforeID && after.id == afterID)
            try last.waitForStatus("it counts before them") { ($0.interface(VethPair.near)?.rx.packets ?? 0) >= 200 }

            last.signal(SIGTERM)
            #expect(last.exitStatus(within: 5) == 0)
            #expect(try names(ingress: true) == ["foreign", "foreign"])
            #expect(try names(ingress: false) == [])
        }

        @Test("programs that another tool takes off are attached again, and the totals go on")
        func takenOff() throws {
            let pair = try Neighbours.make("off")
            let sensor = try Self.watch(pair)
            let ping = ["/usr/bin/ping", "-q", "-f", "-c", "200", Neighbours.nearAddress]
            try pair.run(onNear: false, ping)
            try sensor.waitForStatus("traffic") { ($0.interface(VethPair.near)?.rx.packets ?? 0) >= 200 }
            let program = try #require(try pair.near.enter { TCXPrograms.rows(on: VethPair.near, ingress: true).first })
            try #require(TCXPrograms.detach(program: program.id))
            let start = monotonicSeconds()
            #expect(sensor.logs("taken off", within: 5))
            #expect(
                try eventually(within: 5) {
                    try pair.near.enter {
                        TCXPrograms.rows(on: VethPair.near, ingress: true).map(\.name) == ["weir_ingress"]
                            && TCXPrograms.rows(on: VethPair.near, ingress: false).map(\.name) == ["weir_egress"]
                    }
                }
            )
            #expect(monotonicSeconds() - start < 5)
            try pair.run(onNear: false, ping)
            let status = try sensor.waitForStatus("totals go on") {
                ($0.interface(VethPair.near)?.rx.packets ?? 0) >= 400
            }
            #expect(status.interface(VethPair.near)?.epoch == 1)
        }

        /// Root without some capabilities, which no program that it starts can have either.
        private static func without(_ capabilities: String) -> [String] {
            ["/usr/bin/setpriv", "--inh-caps=-all", "--bounding-set=\(capabilities)"]
        }

        @Test("without the right to load BPF it says so, and counts what its ring shows", arguments: [1, 2])
        func withoutBPF(_ workers: Int) throws {
            let offloads = Counting.Offloads.both.words
            let pair = try Neighbours.make("nobpf", offloads: offloads, isUp: false)
            let sensor = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near] + EndToEnd.noRedis,
                environment: ["WEIR_CAPTURE_WORKERS": String(workers)],
                launcher: Self.without("-bpf,-sys_admin,-perfmon")
            )
            try sensor.waitUntilWatching(VethPair.near, source: "af_packet")
            #expect(sensor.logs("CAP_BPF"), "\(sensor.log)")
            try pair.raise()
            let exchange = try TCPExchange.run(pair, isIPv6: false, up: 1_000_000, down: 500_000)
            let (received, sent) = exchange.volumes(isIPv6: false)
            let status = try sensor.waitForStatus("rx \(received), tx \(sent)") { status in
                guard let seen = status.interface(VethPair.near) else { return false }
                return seen.rx.tcp == received && seen.tx.tcp == sent && status.ledger.residue == 0
            }
            #expect(status.ledger.dropped == 0 && status.ledger.shed == 0, "\(status.ledger)")
        }

        @Test("without packet sockets too, it reads the interface's own counters")
        func withoutPackets() throws {
            let pair = try Neighbours.make("noraw", offloads: Counting.Offloads.none.words, isUp: false)
            let sensor = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near] + EndToEnd.noRedis,
                launcher: Self.without("-bpf,-sys_admin,-perfmon,-net_raw")
            )
            try sensor.waitUntilWatching(VethPair.near, source: "proc")
            #expect(sensor.logs("CAP_NET_RAW"), "\(sensor.log)")
            try pair.raise()
            try pair.run(onNear: false, ["/usr/bin/ping", "-q", "-f", "-c", "300", Neighbours.nearAddress])
            try sensor.waitForStatus("the interface's counters") { status in
                guard let seen = status.interface(VethPair.near) else { return false }
                let own = try pair.interfaceCounters()
                return own.rx.packets >= 300 && seen.rx.volume == own.rx && seen.tx.volume == own.tx
            }
        }
    }
}
