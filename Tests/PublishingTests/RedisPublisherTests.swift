import Glibc
import Linux
import Publishing
import Reports
import Support
import Testing

private let document = Array(#"{"number":1,"text":"<é>"}"#.utf8)

/// Against a real redis-server; redis-cli reads what arrived.
@Suite(.serialized, .enabled(if: RedisServer.isInstalled, "needs redis-server and redis-cli"), .timeLimit(.minutes(1)))
struct RedisPublisherTests {
    private func publisher(
        _ server: RedisServer,
        _ url: String? = nil,
        resourceID: String? = nil,
        changes: Changes = Changes()
    ) throws -> RedisPublisher {
        let address = try RedisAddress(url ?? "unix://\(server.socket)")
        return try RedisPublisher(RedisSettings(address: address, resourceID: resourceID)) { changes.append($0) }
    }

    @Test("The same bytes under both keys and on the channel, for 60 s; over TCP and a unix socket")
    func sameBytes() throws {
        let server = try #require(RedisServer())
        for (index, url) in ["redis://localhost:\(server.port)", "unix://\(server.socket)"].enumerated() {
            let subscriber = try #require(server.subscriber("network_analysis:updates"))
            let changes = Changes()
            let publisher = try publisher(server, url, resourceID: "res_\(index)", changes: changes)
            publisher.offer(document)
            try #require(wait { publisher.status.published == 1 } != nil, "\(publisher.status)")
            #expect(server.value(of: "network_analysis:latest") == document)
            #expect(server.value(of: "network_analysis:latest:res_\(index)") == document)
            #expect(["59", "60"].contains(server.cli("TTL", "network_analysis:latest")))
            #expect(["59", "60"].contains(server.cli("TTL", "network_analysis:latest:res_\(index)")))
            let message = "message\nnetwork_analysis:updates\n" + String(decoding: document, as: UTF8.self) + "\n"
            #expect(wait { String(decoding: subscriber.output, as: UTF8.self).hasSuffix(message) } != nil)
            #expect(publisher.status.state == .connected)
            #expect(changes.states == [.connected])
            #expect(publisher.finish(with: nil))
        }
    }

    @Test("A document of 64 KiB goes at once, and one connection serves all")
    func large() throws {
        let server = try #require(RedisServer())
        let publisher = try publisher(server)
        for index in 0..<100 {
            let document = [UInt8](repeating: UInt8(ascii: "a") + UInt8(index % 26), count: 65_536)
            publisher.offer(document)
            try #require(wait { publisher.status.published == UInt64(index + 1) } != nil)
        }
        #expect(server.value(of: "network_analysis:latest") == [UInt8](repeating: UInt8(ascii: "v"), count: 65_536))
        #expect(publisher.status.reconnects == 0 && publisher.status.lost == 0)
        let clients = server.cli("CLIENT", "LIST").split(separator: "\n").filter { !$0.contains("cmd=client") }
        #expect(clients.count == 1)
    }

    @Test("A database by number")
    func database() throws {
        let server = try #require(RedisServer())
        let publisher = try publisher(server, "redis://127.0.0.1:\(server.port)/3")
        publisher.offer(document)
        try #require(wait { publisher.status.published == 1 } != nil)
        #expect(server.cli("-n", "3", "GET", "network_analysis:latest").utf8.elementsEqual(document))
        #expect(server.cli("DBSIZE") == "0")
        let absent = try self.publisher(server, "redis://127.0.0.1:\(server.port)/99")
        #expect(wait { absent.status.state == .down && absent.status.cause.contains("out of range") } != nil)
    }

    @Test("The last document is published before the end, and nothing after")
    func finish() throws {
        let server = try #require(RedisServer())
        let publisher = try publisher(server)
        publisher.offer(document)
        let last = Array(#"{"isConnected":false}"#.utf8)
        let start = Clock.monotonic.now()
        #expect(publisher.finish(with: last))
        #expect(Clock.monotonic.now() - start < 1_500_000_000)
        #expect(server.value(of: "network_analysis:latest") == last)
        publisher.offer(document)
        #expect(publisher.finish(with: document))
        #expect(server.value(of: "network_analysis:latest") == last)
    }

    @Test("SIGKILL and return: publishing resumes within 2 s, every document is accounted for")
    func killAndRestart() throws {
        let server = try #require(RedisServer())
        let changes = Changes()
        let publisher = try publisher(server, "redis://127.0.0.1:\(server.port)", changes: changes)
        let offering = try Offering(to: publisher)
        var recoveries: [Double] = []
        for outage in [0.2, 1.0, 2.3, 3.1] {
            try #require(wait { publisher.status.state == .connected } != nil)
            server.kill()
            try #require(wait { publisher.status.state == .down } != nil)
            usleep(UInt32(outage * 1e6))
            let published = publisher.status.published
            try #require(server.start())
            recoveries.append(try #require(wait { publisher.status.published > published }))
        }
        print("recovery after SIGKILL and restart:", recoveries.map { "\(($0 * 1000).rounded()) ms" })
        #expect(recoveries.allSatisfy { $0 < 2 })
        let (offered, longest) = offering.end()
        // An offer that waited for Redis would take its time-out, 500 ms; a loaded machine takes a few by itself.
        #expect(longest < 100, "offer took \(longest) ms")
        #expect(publisher.finish(with: nil))
        let status = publisher.status
        #expect(status.published + status.lost == UInt64(offered))
        #expect(status.reconnects == 4)
        #expect(changes.states == [.connected] + Array(repeating: [.down, .connected], count: 4).joined())
    }

    @Test("SIGSTOP for 6 s: no offer blocks, no old document comes after a new one, back within 2 s")
    func stopAndContinue() throws {
        let server = try #require(RedisServer())
        let publisher = try publisher(server, "redis://127.0.0.1:\(server.port)")
        let subscriber = try #require(server.subscriber("network_analysis:updates"))
        let offering = try Offering(to: publisher)
        try #require(wait { publisher.status.published > 3 } != nil)
        server.signal(SIGSTOP)
        try #require(wait { publisher.status.state == .down } != nil)
        #expect(publisher.status.cause.contains("in time"))
        usleep(6_000_000)
        let published = publisher.status.published
        server.signal(SIGCONT)
        let recovery = try #require(wait { publisher.status.published > published })
        let (_, longest) = offering.end()
        print("recovery after SIGSTOP: \((recovery * 1000).rounded()) ms; longest offer: \(longest) ms")
        #expect(recovery < 2)
        // An offer that waited for Redis would take its time-out, 500 ms; a loaded machine takes a few by itself.
        #expect(longest < 100, "offer took \(longest) ms")
        #expect(publisher.finish(with: nil))
        usleep(100_000)
        let numbers = String(decoding: subscriber.output, as: UTF8.self).split(separator: "\n")
            .filter { $0.hasPrefix("{") }.compactMap { Int($0.filter(\.isNumber)) }
        #expect(numbers == numbers.sorted() && numbers.count > 5)
    }

    @Test("Finishing beside a server that hangs, or is not there, takes at most 1.5 s")
    func finishWithoutRedis() throws {
        let server = try #require(RedisServer())
        let hanging = try publisher(server, "redis://127.0.0.1:\(server.port)")
        try #require(wait { server.cli("CLIENT", "LIST").split(separator: "\n").count == 2 } != nil)
        server.signal(SIGSTOP)
        var start = Clock.monotonic.now()
        #expect(!hanging.finish(with: document))
        print("finish beside a hanging server:", Double(Clock.monotonic.now() - start) / 1e9, "s")
        #expect(Clock.monotonic.now() - start < 1_600_000_000)

        let absent = try publisher(server, "unix:///nowhere/redis.sock")
        try #require(wait { absent.status.state == .down } != nil)
        start = Clock.monotonic.now()
        #expect(!absent.finish(with: document))
        #expect(Clock.monotonic.now() - start < 500_000_000)
    }

    @Test("A wrong password, then the right one; a password set while running")
    func passwords() throws {
        let server = try #require(RedisServer(["--requirepass", "first-pass"]))
        let changes = Changes()
        let wrong = try publisher(server, "redis://:hunter2@127.0.0.1:\(server.port)", changes: changes)
        wrong.offer(document)
        try #require(wait(upTo: 2) { wrong.status.state == .authFailed } != nil)
        #expect(wrong.status.cause.contains("WRONGPASS"))
        usleep(3_500_000)
        let tries = wrong.status.errors["WRONGPASS"] ?? 0
        #expect((2...3).contains(tries), "\(tries) attempts in 3.5 s")
        #expect(changes.states == [.authFailed], "one call per change")

        let none = try publisher(server, "redis://127.0.0.1:\(server.port)")
        none.offer(document)
        try #require(wait(upTo: 2) { none.status.state == .authFailed } != nil)
        #expect(none.status.cause.contains("NOAUTH"))

        let right = try publisher(server, "redis://:first-pass@127.0.0.1:\(server.port)")
        right.offer(document)
        try #require(wait { right.status.state == .connected } != nil)
        _ = server.cli("CONFIG", "SET", "requirepass", "second-pass", password: "first-pass")
        _ = server.cli("CLIENT", "KILL", "TYPE", "normal", password: "second-pass")
        right.offer(document)
        try #require(wait { right.status.state == .authFailed } != nil)
        _ = server.cli("CONFIG", "SET", "requirepass", "first-pass", password: "second-pass")
        let back = try #require(wait(upTo: 8) { right.status.state == .connected })
        print("recovery after the password was right again: \((back * 1000).rounded()) ms")

        for status in changes.all + [wrong.status, none.status, right.status] {
            for secret in ["hunter2", "first-pass", "second-pass"] {
                #expect(!"\(status)".contains(secret) && !String(reflecting: status).contains(secret))
            }
        }
    }

    @Test("A user without the channel: keys go on, the cause is named")
    func noChannel() throws {
        let server = try #require(RedisServer())
        _ = server.cli(
            "ACL",
            "SETUSER",
            "weir",
            "on",
            ">pw",
            "~network_analysis:*",
            "resetchannels",
            "+set",
            "+publish"
        )
        let publisher = try publisher(server, "redis://weir:pw@127.0.0.1:\(server.port)")
        publisher.offer(document)
        try #require(wait { publisher.status.state == .authFailed } != nil)
        #expect(publisher.status.cause.contains("NOPERM"))
        #expect(server.value(of: "network_analysis:latest") == document)
        #expect(publisher.status.published == 1)
        _ = server.cli("ACL", "SETUSER", "weir", "&network_analysis:*")
        publisher.offer(document)
        try #require(wait { publisher.status.state == .connected } != nil)
    }

    @Test("Memory full: the key is refused, messages go on, and storing resumes once there is room")
    func outOfMemory() throws {
        let server = try #require(RedisServer(["--maxmemory", "100kb", "--maxmemory-policy", "noeviction"]))
        let subscriber = try #require(server.subscriber("network_analysis:updates"))
        let changes = Changes()
        let publisher = try publisher(server, changes: changes)
        publisher.offer(document)
        try #require(wait { publisher.status.state == .degraded } != nil)
        #expect(publisher.status.cause.contains("OOM"))
        #expect(wait { subscriber.output.suffix(document.count + 1).dropLast().elementsEqual(document) } != nil)
        #expect(server.cli("EXISTS", "network_analysis:latest") == "0")
        publisher.offer(document)
        try #require(wait { publisher.status.published == 2 } != nil)
        #expect(publisher.status.errors == ["OOM": 2])
        _ = server.cli("CONFIG", "SET", "maxmemory", "100mb")
        publisher.offer(document)
        try #require(wait(upTo: 2) { publisher.status.state == .connected } != nil)
        #expect(server.value(of: "network_analysis:latest") == document)
        #expect(changes.states == [.degraded, .connected])
        #expect(publisher.status.reconnects == 0)
    }

    @Test("A replica refuses the key: messages go on, and it is followed when it becomes the master")
    func replica() throws {
        let server = try #require(RedisServer())
        _ = server.cli("REPLICAOF", "127.0.0.1", "1")
        let publisher = try publisher(server)
        publisher.offer(document)
        try #require(wait { publisher.status.state == .degraded } != nil)
        #expect(publisher.status.cause.contains("READONLY"))
        _ = server.cli("REPLICAOF", "NO", "ONE")
        publisher.offer(document)
        #expect(wait(upTo: 2) { publisher.status.state == .connected } != nil)
        #expect(publisher.status.reconnects >= 1, "the address is resolved anew")
    }
}
