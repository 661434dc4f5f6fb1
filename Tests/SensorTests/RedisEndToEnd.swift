import Glibc
import Support
import Testing

extension EndToEnd {
    /// What arrives at a real Redis, and what becomes of capture when Redis fails.
    @Suite("Redis", .enabled(if: RedisServer.isInstalled, "needs redis-server")) struct Redis {
        static let key = "network_analysis:latest"
        static let channel = "network_analysis:updates"

        private static func watch(_ pair: borrowing Neighbours, _ redis: RedisServer, _ more: [String] = []) throws
            -> RunningSensor
        {
            let sensor = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near, "--redis", "unix://\(redis.socket)"] + more
            )
            try sensor.waitUntilWatching(VethPair.near)
            return sensor
        }

        private static func documents(_ subscriber: BackgroundProcess) -> [[UInt8]] {
            subscriber.output.split(separator: UInt8(ascii: "\n")).filter { $0.first == UInt8(ascii: "{") }.map(
                Array.init
            )
        }

        @Test(
            "documents keep the clients' rules, every two seconds, the same in keys and message; the last says goodbye"
        )
        func documents() throws {
            let pair = try Neighbours.make("redis")
            let redis = try #require(RedisServer())
            let subscriber = try #require(redis.subscriber(Self.channel))
            let traffic = try pair.pinging()
            let sensor = try Self.watch(pair, redis, ["--resource-id", "host-1"])
            var arrivals: [Double] = []
            try #require(
                eventually(within: 60, every: 20) {
                    let count = Self.documents(subscriber).count
                    while arrivals.count < count { arrivals.append(monotonicSeconds()) }
                    return count >= 16
                }
            )
            let published = Self.documents(subscriber)
            // The first comes at once, the beat begins with it.
            let gaps = zip(arrivals.dropFirst(), arrivals).map { $0 - $1 }
            #expect(gaps.allSatisfy { abs($0 - 2) <= 0.2 }, "\(gaps)")
            for document in published { #expect(ClientRules.violations(of: document) == []) }
            #expect(
                eventually(within: 5) {
                    let latest = redis.value(of: Self.key)
                    return Self.documents(subscriber).last == latest && redis.value(of: Self.key + ":host-1") == latest
                }
            )
            let life = try #require(Int(redis.cli("TTL", Self.key)))
            #expect((57...60).contains(life) && (57...60).contains(Int(redis.cli("TTL", Self.key + ":host-1")) ?? 0))
            let report = try SensorDocument(try #require(published.last))
            #expect(report.isConnected && report.interfaces.map(\.name) == [VethPair.near])
            #expect((report.networkSpeeds.last?.download ?? 0) > 0)

            let start = monotonicSeconds()
            sensor.signal(SIGTERM)
            #expect(sensor.exitStatus(within: 5) == 0, "\(sensor.log)")
            #expect(monotonicSeconds() - start < 5)
            #expect(eventually(within: 2) { Self.documents(subscriber).last == redis.value(of: Self.key) })
            let last = redis.value(of: Self.key)
            #expect(ClientRules.violations(of: last, isConnected: false) == [])
            #expect(redis.value(of: Self.key + ":host-1") == last)
            _ = traffic.pid
        }

        @Test("a Redis that hangs or is gone does not hold up the end", arguments: [SIGSTOP, SIGKILL])
        func endWithoutRedis(_ signal: Int32) throws {
            let pair = try Neighbours.make("stop")
            let redis = try #require(RedisServer())
            let sensor = try Self.watch(pair, redis)
            try sensor.waitForStatus("a document") { $0.redis.published > 0 }
            redis.signal(signal)
            let start = monotonicSeconds()
            sensor.signal(SIGTERM)
            #expect(sensor.exitStatus(within: 5) == 0)
            #expect(monotonicSeconds() - start < 5)
            #expect(try pair.near.enter { TCXPrograms.rows(on: VethPair.near, ingress: true) } == [])
        }

        @Test("a signal that comes twice in one breath is one; a second one ends it at once")
        func twoSignals() throws {
            let pair = try Neighbours.make("signals")
            let redis = try #require(RedisServer())
            let sensor = try Self.watch(pair, redis)
            try sensor.waitForStatus("a document") { $0.redis.published > 0 }
            sensor.signal(SIGTERM)
            usleep(2_000)
            sensor.signal(SIGTERM)
            #expect(sensor.exitStatus(within: 5) == 0)
            #expect(try SensorDocument(redis.value(of: Self.key)).isConnected == false)

            let other = try Self.watch(pair, redis)
            try other.waitForStatus("a document") { $0.redis.published > 0 }
            redis.signal(SIGSTOP)
            other.signal(SIGTERM)
            try #require(
                try eventually(within: 3, every: 20) {
                    try pair.near.enter { TCXPrograms.rows(on: VethPair.near, ingress: true).isEmpty }
                }
            )
            usleep(100_000)
            let start = monotonicSeconds()
            other.signal(SIGTERM)
            #expect(other.exitStatus(within: 5) == 128 + SIGTERM)
            #expect(monotonicSeconds() - start < 0.5)
        }

        @Test("killed under traffic, Redis has a document within two seconds of its return, and no frame is dropped")
        func killed() throws {
            let pair = try Neighbours.make("kill")
            let redis = try #require(RedisServer())
            let traffic = try pair.pinging()
            let sensor = try Self.watch(pair, redis)
            try sensor.waitForStatus("a document") { $0.redis.published > 0 }
            for _ in 0..<2 {
                redis.kill()
                try sensor.waitForStatus("Redis is down") { $0.redis.state == "down" }
                try #require(redis.start())
                let start = monotonicSeconds()
                #expect(eventually(within: 5, every: 20) { !redis.value(of: Self.key).isEmpty })
                #expect(monotonicSeconds() - start <= 2.2, "two seconds, and the time to ask")
            }
            let status = try sensor.waitForStatus("connected") { $0.redis.state == "connected" }
            #expect(status.ledger.dropped == 0 && status.ledger.shed == 0)
            _ = traffic.pid
        }

        @Test("stopped for 30 seconds under traffic, Redis takes nothing else with it", .timeLimit(.minutes(2)))
        func hung() throws {
            let pair = try Neighbours.make("hang")
            let redis = try #require(RedisServer())
            let traffic = try pair.pinging()
            let sensor = try Self.watch(pair, redis)
            let before = try sensor.waitForStatus("a document") { $0.redis.published > 0 }
            redis.signal(SIGSTOP)
            let start = monotonicSeconds()
            try sensor.waitForStatus("it says that Redis is down") { $0.redis.state == "down" }
            var slowest = 0.0
            while monotonicSeconds() - start < 30 {
                let asked = monotonicSeconds()
                try #require(sensor.status() != nil)
                slowest = max(slowest, monotonicSeconds() - asked)
                usleep(200_000)
            }
            #expect(slowest < 1, "answers come all the while")
            redis.signal(SIGCONT)
            let back = monotonicSeconds()
            let published = try sensor.waitForStatus("published again") {
                $0.redis.state == "connected" && $0.redis.published > before.redis.published
            }
            #expect(monotonicSeconds() - back <= 2.5)
            #expect(published.ledger.dropped == 0 && published.ledger.shed == 0, "\(published.ledger)")
            let frames = try #require(published.interface(VethPair.near)?.rx.frames)
            #expect(frames > 2_000, "it counted all the while")
            _ = traffic.pid
        }

        @Test("a wrong password is said, never shown; a full Redis is said, and forgiven")
        func refusals() throws {
            let pair = try Neighbours.make("auth")
            let redis = try #require(RedisServer(["--requirepass", "right"]))
            let secret = "S3cr3t-of-mine"
            let (wrong, right) = (try SecretFile(secret), try SecretFile("right"))
            let sensor = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near, "--redis", "redis://:\(secret)@127.0.0.1:\(redis.port)"]
            )
            // Its namespace has a loopback of its own: nobody answers there.
            try sensor.waitForStatus("down") { $0.redis.state == "down" }
            let other = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near, "--redis", "unix://\(redis.socket)"],
                environment: ["WEIR_REDIS_PASSWORD_FILE": wrong.path]
            )
            let refused = try other.waitForStatus("refused") { $0.redis.state == "auth_failed" }
            #expect(refused.redis.cause.contains("WRONGPASS"))
            for one in [sensor, other] {
                let shown = one.log + String(decoding: one.request("GET", "/api/status")?.body ?? [], as: UTF8.self)
                #expect(!shown.contains(secret))
                let kept = ChildProcess.run(["/bin/grep", "-r", secret, one.dataDirectory])
                #expect(kept.status == 1, "\(kept.text)")
            }

            let third = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near, "--redis", "unix://\(redis.socket)"],
                environment: ["WEIR_REDIS_PASSWORD_FILE": right.path]
            )
            try third.waitForStatus("connected") { $0.redis.state == "connected" }
            #expect(redis.cli("CONFIG", "SET", "maxmemory", "1", password: "right") == "OK")
            let full = try third.waitForStatus("degraded") { $0.redis.state == "degraded" }
            #expect(full.redis.cause.contains("OOM") || full.redis.cause.contains("memory"), "\(full.redis.cause)")
            #expect(redis.cli("CONFIG", "SET", "maxmemory", "0", password: "right") == "OK")
            try third.waitForStatus("connected again", within: 3) { $0.redis.state == "connected" }
        }

        /// A file that only root reads, gone with this value.
        private final class SecretFile {
            let path: String

            init(_ text: String) throws {
                var template = Array("/tmp/weir-e2e-secret-XXXXXX".utf8CString)
                let file = unsafe mkstemp(&template)
                try #require(file >= 0)
                path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
                let bytes = Array(text.utf8)
                _ = unsafe write(file, bytes, bytes.count)
                close(file)
            }

            deinit { _ = unsafe unlink(path) }
        }
    }
}
