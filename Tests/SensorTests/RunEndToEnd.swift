import Glibc
import Support
import Testing

extension EndToEnd {
    /// Commands over the socket, the choice of interfaces, and what a newcomer meets.
    @Suite("Run") struct Run {
        private static func run(_ pair: borrowing Neighbours, _ arguments: [String]) throws -> RunningSensor {
            try RunningSensor(in: pair.near, arguments + EndToEnd.noRedis)
        }

        @Test("monitoring stops and starts on command; a second start is refused")
        func commands() throws {
            let pair = try Neighbours.make("command")
            let redis = try #require(RedisServer())
            let sensor = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near, "--redis", "unix://\(redis.socket)"],
                environment: ["WEIR_PUBLISH_INTERVAL": "0.5"]
            )
            try sensor.waitUntilWatching(VethPair.near)
            func publishes(isConnected: Bool) -> Bool {
                eventually(within: 5) {
                    (try? SensorDocument(redis.value(of: Redis.key)).isConnected) == isConnected
                }
            }
            #expect(publishes(isConnected: true))
            #expect(sensor.request("POST", "/api/monitoring/start")?.status == 409)
            #expect(sensor.request("POST", "/api/monitoring/stop")?.status == 200)
            #expect(publishes(isConnected: false))
            #expect(sensor.status()?.monitoringActive == false && sensor.status()?.interfaces.isEmpty == true)
            #expect(try pair.near.enter { TCXPrograms.rows(on: VethPair.near, ingress: true) } == [])
            #expect(sensor.request("POST", "/api/monitoring/start")?.status == 200)
            #expect(sensor.request("POST", "/api/monitoring/start")?.status == 409)
            #expect(publishes(isConnected: true))
            try pair.run(onNear: false, ["/usr/bin/ping", "-q", "-f", "-c", "200", Neighbours.nearAddress])
            try sensor.waitForStatus("it counts again") { ($0.interface(VethPair.near)?.rx.packets ?? 0) >= 200 }
            let violations = ClientRules.violations(of: redis.value(of: Redis.key))
            #expect(violations == [])
        }

        @Test("who asks for threats gets a list, and for one that is not held a reason")
        func threats() throws {
            let pair = try Neighbours.make("threats")
            let sensor = try Self.run(pair, ["--interface", VethPair.near])
            try sensor.waitUntilWatching(VethPair.near)
            let body = try #require(sensor.request("GET", "/api/threats?state=open")?.body)
            #expect(String(decoding: body, as: UTF8.self).hasPrefix(#"{"threats":[],"total_count":0,"timestamp":""#))
            let one = try #require(sensor.request("GET", "/api/threats/0123456789abcdef"))
            #expect(one.status == 404 && ClientRules.parseError(one.body) == nil)
            func weir(_ arguments: String...) -> ChildProcess.Outcome {
                ChildProcess.run([RunningSensor.binary, "threats", "--data-dir", sensor.dataDirectory] + arguments)
            }
            let none = weir()
            #expect(none.status == 0 && none.text == "weir: no incident is open, and none closed lately\n")
            #expect(weir("--json", "--all").text.hasPrefix(#"{"threats":[],"#))
            let missing = weir("0123456789abcdef")
            #expect(missing.status == 66 && missing.text.contains("holds no incident 0123456789abcdef"))
            let status = sensor.request("GET", "/api/status").map { String(decoding: $0.body, as: UTF8.self) }
            #expect(status?.contains(#"{"name":"publish.threats.stream","state":"starting","#) == true)
        }

        @Test("all is every interface that is up, new ones too, without lo")
        func allInterfaces() throws {
            let pair = try Neighbours.make("all")
            let sensor = try Self.run(pair, ["--interface", "all"])
            try sensor.waitUntilWatching(VethPair.near)
            try pair.near.ip(["link", "add", "one", "type", "veth", "peer", "name", "two"])
            try pair.near.ip(["link", "set", "one", "up"])
            let status = try sensor.waitForStatus("the new one", within: 3) { $0.interface("one") != nil }
            #expect(Set(status.interfaces.map(\.name)) == [VethPair.near, "one"])
            #expect(Set(status.notWatched.map(\.name)) == ["lo", "two"])
            #expect(status.notWatched.allSatisfy { !$0.reason.isEmpty })
        }

        @Test("lo is watched by name, and is neither download nor upload")
        func loopback() throws {
            let pair = try Neighbours.make("lo")
            let redis = try #require(RedisServer())
            let sensor = try RunningSensor(in: pair.near, ["--interface", "lo", "--redis", "unix://\(redis.socket)"])
            try sensor.waitUntilWatching("lo")
            try pair.run(onNear: true, ["/usr/bin/ping", "-q", "-f", "-c", "200", "127.0.0.1"])
            let status = try sensor.waitForStatus("traffic") { ($0.interface("lo")?.rx.packets ?? 0) >= 400 }
            let seen = try #require(status.interface("lo"))
            #expect(seen.rx.volume == seen.tx.volume && seen.rx.packets == 400)
            try #require(
                eventually(within: 5) {
                    (try? SensorDocument(redis.value(of: Redis.key)).interfaces.first?.rx.packets) == 400
                }
            )
            let document = try SensorDocument(redis.value(of: Redis.key))
            #expect(document.networkSpeeds.allSatisfy { $0.download == 0 && $0.upload == 0 })
        }

        @Test("an interface that is not there is waited for")
        func missing() throws {
            let pair = try Neighbours.make("missing")
            let sensor = try Self.run(pair, ["--interface", "later"])
            #expect(sensor.logs("interface later is not there"))
            try sensor.waitForStatus("it says so") { status in
                status.notWatched.contains { $0.name == "later" && $0.reason.contains("not there") }
            }
            try pair.near.ip(["link", "add", "later", "type", "veth", "peer", "name", "peer"])
            try sensor.waitUntilWatching("later")
        }

        @Test("without a default route it says so, and takes the interface of the one that comes")
        func defaultRoute() throws {
            let pair = try Neighbours.make("route")
            let sensor = try Self.run(pair, [])
            #expect(sensor.logs("no default route"))
            #expect(sensor.logs("--interface"))
            try pair.near.ip(["route", "add", "default", "via", Neighbours.farAddress])
            try sensor.waitUntilWatching(VethPair.near)
        }

        @Test("one sensor for a data directory, which the second one says; the first goes on")
        func twice() throws {
            let pair = try Neighbours.make("twice")
            let first = try Self.run(pair, ["--interface", VethPair.near])
            try first.waitUntilWatching(VethPair.near)
            let second = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near] + EndToEnd.noRedis,
                directory: first.dataDirectory
            )
            let status = try #require(second.exitStatus(within: 10))
            #expect(status != 0 && second.log.contains(first.dataDirectory), "\(status): \(second.log)")
            #expect(first.status() != nil)
            #expect(
                try pair.near.enter { TCXPrograms.rows(on: VethPair.near, ingress: true).map(\.name) } == [
                    "weir_ingress"
                ]
            )
        }

        @Test("without root it says what it cannot do, in words, and fails")
        func withoutRoot() throws {
            let pair = try Neighbours.make("nobody")
            let user = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            let refused = try RunningSensor(in: pair.near, EndToEnd.noRedis, launcher: user)
            #expect(refused.exitStatus(within: 10) == 73)
            #expect(refused.log.contains("run as root") && !refused.log.contains("Fatal"), "\(refused.log)")
        }

        @Test(
            "flags that make no sense are refused with a reason",
            arguments: [
                (["--interfaces", "eth0"], "--interface"), (["--redis", "http://localhost"], "redis"),
                (["--redis", "redis://localhost:99999"], "port (1-65535)"),
                (["--config", "/nonexistent.yaml"], "/nonexistent.yaml"),
                (["--interface", "a/b"], "\"a/b\""), (["surplus"], "surplus"),
            ]
        )
        func flags(_ arguments: [String], _ reason: String) throws {
            let outcome = ChildProcess.run(
                ["/usr/bin/env", "-i", RunningSensor.binary, "run", "--data-dir", "/tmp/weir-e2e-never"] + arguments
            )
            #expect(
                [64, 78].contains(outcome.status) && outcome.text.contains(reason),
                "\(outcome.status): \(outcome.text)"
            )
            #expect(!ChildProcess.exists("/tmp/weir-e2e-never"), "nothing is made before the flags are right")
        }
    }
}
