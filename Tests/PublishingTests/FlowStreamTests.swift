import Glibc
import Linux
import Publishing
import Reports
import Support
import Synchronization
import Testing

/// Documents with a number each, of about `size` bytes.
func documents(_ numbers: Range<Int>, size: Int = 100) -> [[UInt8]] {
    numbers.map { number in
        var bytes = Array("{\"number\":\(number),\"text\":\"".utf8)
        bytes += [UInt8](repeating: UInt8(ascii: "x"), count: max(0, size - bytes.count - 2))
        return bytes + Array("\"}".utf8)
    }
}

/// The number in a document.
func number(in text: some StringProtocol) -> Int? {
    text.firstRange(of: "{\"number\":").flatMap { Int(text[$0.upperBound...].prefix { $0.isNumber }) }
}

extension SinkStatus {
    /// Nothing went without a count.
    var addsUp: Bool { offered == delivered + refused + lost + waiting }
}

/// Keeps the changes of state that a sink tells.
final class SinkChanges: Sendable {
    private let kept = Mutex([SinkStatus]())

    func append(_ status: SinkStatus) { kept.withLock { $0.append(status) } }

    var all: [SinkStatus] { kept.withLock { $0 } }
    var states: [SinkStatus.State] { all.map(\.state) }
}

/// Against a real redis-server.
@Suite(.serialized, .enabled(if: RedisServer.isInstalled, "needs redis-server and redis-cli"), .timeLimit(.minutes(1)))
struct FlowStreamTests {
    private func sink(
        _ server: RedisServer,
        _ url: String? = nil,
        length: Int = 100_000,
        queue: Int = 8 << 20,
        changes: SinkChanges = SinkChanges()
    ) throws -> Sink {
        let address = try RedisAddress(url ?? "unix://\(server.socket)")
        let settings = StreamSettings(address: address, key: "weir:flows", length: length, queue: queue)
        return try Sink(flows: settings) { changes.append($0) }
    }

    /// The numbers of the stream's entries, each of which must have the field `flow` alone.
    private func numbers(_ server: RedisServer) -> [Int] {
        let lines = server.cli("XRANGE", "weir:flows", "-", "+").split(separator: "\n")
        return stride(from: 0, to: lines.count, by: 3).compactMap { place in
            lines[place + 1] == "flow" ? number(in: lines[place + 2]) : nil
        }
    }

    @Test("Every document is an entry with the field flow, in order; over TCP and a unix socket")
    func arrives() throws {
        for url in ["redis://127.0.0.1", "unix://"] {
            let server = try #require(RedisServer())
            let sink = try sink(server, url == "unix://" ? nil : "\(url):\(server.port)")
            sink.offer(documents(0..<1))
            sink.offer(documents(1..<2_000))
            try #require(wait { sink.status.delivered == 2_000 } != nil, "\(sink.status)")
            #expect(numbers(server) == Array(0..<2_000))
            #expect(sink.status.state == .working && sink.status.addsUp && sink.status.errors.isEmpty)
            #expect(sink.finish())
        }
    }

    @Test("Redis keeps the stream at about its length")
    func length() throws {
        let server = try #require(RedisServer())
        let sink = try sink(server, length: 500)
        sink.offer(documents(0..<5_000))
        try #require(wait { sink.status.delivered == 5_000 } != nil, "\(sink.status)")
        let length = Int(server.cli("XLEN", "weir:flows")) ?? 0
        #expect((500...700).contains(length), "\(length) entries")
        #expect(numbers(server).last == 4_999)
    }

    @Test("Without Redis the queue keeps the newest, drops are counted, and they arrive when it is back")
    func killAndRestart() throws {
        let server = try #require(RedisServer())
        let sink = try sink(server, "redis://127.0.0.1:\(server.port)", queue: 1 << 20)
        sink.offer(documents(0..<10))
        try #require(wait { sink.status.delivered == 10 } != nil)
        server.kill()
        let before = residentMemory()
        var slowest = 0.0
        for round in 0..<200 {
            let batch = documents(10 + round * 500..<510 + round * 500, size: 1_000)
            let start = Clock.monotonic.now()
            sink.offer(batch)
            slowest = max(slowest, Double(Clock.monotonic.now() - start) / 1e6)
        }
        let status = sink.status
        print("100,000 documents without Redis:", status, "slowest offer \(slowest) ms")
        #expect(status.offered == 100_010 && status.addsUp)
        #expect(status.waiting > 500 && status.waiting < 1_100, "1 MiB of 1,000 bytes each")
        #expect(residentMemory() - before < 16_384, "KiB more: \(residentMemory() - before)")
        #expect(slowest < 200)
        try #require(wait { sink.status.state == .down } != nil)
        try #require(server.start())
        let time = try #require(wait(upTo: 4) { sink.status.waiting == 0 }, "\(sink.status)")
        print("recovery after SIGKILL and restart: \((time * 1000).rounded()) ms")
        #expect(time < 2)
        let arrived = numbers(server)
        #expect(arrived.last == 100_009 && arrived == arrived.sorted())
        #expect(arrived.count == Int(sink.status.delivered) - 10)
        #expect(sink.status.addsUp)
        #expect(sink.finish())
    }

    @Test("Beside a server that hangs no offer waits, and the end takes at most a second")
    func hangs() throws {
        let server = try #require(RedisServer())
        let sink = try sink(server, "redis://127.0.0.1:\(server.port)")
        sink.offer(documents(0..<10))
        try #require(wait { sink.status.delivered == 10 } != nil)
        server.signal(SIGSTOP)
        sink.offer(documents(10..<20))
        try #require(wait { sink.status.state == .down } != nil)
        #expect(sink.status.cause == "no answer in time")
        let start = Clock.monotonic.now()
        #expect(!sink.finish())
        let seconds = Double(Clock.monotonic.now() - start) / 1e9
        print("end beside a server that hangs: \(seconds) s")
        #expect(seconds < 1.1)
        #expect(wait { sink.status.lost == 10 } != nil && sink.status.addsUp)
        // The pipeline that got no answer was acted upon once Redis went on: it arrived, though it counts as lost.
        server.signal(SIGCONT)
        #expect(wait { numbers(server) == Array(0..<20) } != nil)
        sink.offer(documents(20..<21))
        #expect(sink.status.lost == 11)
    }

    @Test("What waits at the end is still brought")
    func finish() throws {
        let server = try #require(RedisServer())
        let sink = try sink(server)
        sink.offer(documents(0..<3_000))
        #expect(sink.finish())
        #expect(numbers(server) == Array(0..<3_000))
    }

    @Test("Memory full, another type under the key, a missing right: nothing is lost, and all arrives once it is right")
    func refusals() throws {
        let server = try #require(RedisServer(["--maxmemory-policy", "noeviction"]))
        _ = server.cli("ACL", "SETUSER", "weir", "on", ">hunter2", "~weir:*", "+ping", "+set")
        let sink = try sink(server, "redis://weir:hunter2@127.0.0.1:\(server.port)")
        sink.offer(documents(0..<100))
        try #require(wait { sink.status.errors["NOPERM"] != nil } != nil, "\(sink.status)")
        #expect(sink.status.state == .degraded && sink.status.cause.contains("needs XADD on weir:flows"))
        _ = server.cli("ACL", "SETUSER", "weir", "+xadd")
        try #require(wait { sink.status.delivered == 100 } != nil, "\(sink.status)")
        _ = server.cli("CONFIG", "SET", "maxmemory", "100kb")
        sink.offer(documents(100..<200))
        try #require(wait { sink.status.errors["OOM"] != nil } != nil)
        #expect(sink.status.state == .degraded && sink.status.waiting == 100)
        _ = server.cli("CONFIG", "SET", "maxmemory", "0")
        try #require(wait { sink.status.delivered == 200 } != nil)
        #expect(numbers(server) == Array(0..<200))
        _ = server.cli("SET", "weir:flows", "text")
        sink.offer(documents(200..<210))
        try #require(wait { sink.status.errors["ERR"] != nil } != nil, "\(sink.status)")
        #expect(sink.status.cause.contains("WRONGTYPE"))
        _ = server.cli("DEL", "weir:flows")
        try #require(wait { sink.status.delivered == 210 } != nil)
        #expect(sink.status.addsUp && sink.status.lost == 0)
        #expect(!"\(sink.status)".contains("hunter2"))
    }

    @Test("Wrong credentials are tried ever less often, and never shown")
    func wrongPassword() throws {
        let server = try #require(RedisServer(["--requirepass", "first-pass"]))
        let changes = SinkChanges()
        let sink = try sink(server, "redis://:hunter2@127.0.0.1:\(server.port)", changes: changes)
        sink.offer(documents(0..<5))
        usleep(3_900_000)
        let tries = sink.status.errors["WRONGPASS"] ?? 0
        #expect((2...3).contains(tries), "\(tries) attempts in 3.9 s")
        #expect(changes.states == [.degraded], "one call per change")
        #expect(!"\(sink.status) \(changes.all)".contains("hunter2"))
        #expect(sink.status.waiting == 5)
    }

    @Test("What was answered before a failure is not sent again")
    func brokenPipeline() throws {
        let seen = Mutex([String: Int]())
        let answers = Atomic(0)
        let server = try FakeRedis { words in
            guard words[0] == "XADD" else { return Array("+PONG\r\n".utf8) }
            seen.withLock { $0[words.last ?? "", default: 0] += 1 }
            let count = answers.wrappingAdd(1, ordering: .relaxed).newValue
            return Array((count == 11 ? "*1000000000\r\n" : "$3\r\n1-1\r\n").utf8)
        }
        let settings = StreamSettings(address: try RedisAddress("unix://\(server.path)"), key: "s")
        let sink = try Sink(flows: settings) { _ in }
        sink.offer(documents(0..<30))
        try #require(wait { sink.status.delivered == 30 } != nil, "\(sink.status)")
        #expect(sink.status.errors == ["protocol": 1])
        let counts = seen.withLock { $0 }
        for (index, document) in documents(0..<30).enumerated() {
            // The server may be gone before it has read all of the first pipeline.
            let count = counts[String(decoding: document, as: UTF8.self)] ?? 0
            #expect(index < 10 ? count == 1 : (1...2).contains(count), "\(index) came \(count) times")
        }
    }

    @Test(
        "Answers that no Redis gives to XADD end the connection, and memory stays as it was",
        arguments: [
            "$2147483647\r\nxx", "$-1\r\n", "$100\r\n", "$\r\n", "$x\r\n", "$12", "*1\r\n", ">1\r\n", "$1x\r\n",
        ]
    )
    func hostile(answer: String) throws {
        let server = try FakeRedis { words in Array((words[0] == "XADD" ? answer : "+PONG\r\n").utf8) }
        let settings = StreamSettings(address: try RedisAddress("unix://\(server.path)"), key: "s")
        let sink = try Sink(flows: settings) { _ in }
        let before = residentMemory()
        sink.offer(documents(0..<1))
        #expect(wait { sink.status.state == .down } != nil, "\(sink.status)")
        #expect(sink.status.errors.keys.allSatisfy { ["protocol", "timeout"].contains($0) }, "\(sink.status)")
        #expect(sink.status.delivered == 0 && sink.status.waiting == 1)
        #expect(residentMemory() - before < 16_384)
    }

    @Test("Events of incidents stand in their stream as the field event")
    func threats() throws {
        let server = try #require(RedisServer())
        let settings = StreamSettings(
            address: try RedisAddress("unix://\(server.socket)"),
            key: "weir:threats",
            length: 10_000
        )
        let sink = try Sink(threats: settings) { _ in }
        sink.offer(documents(0..<2))
        #expect(sink.finish())
        #expect(sink.status.name == "publish.threats.stream" && sink.status.delivered == 2)
        let lines = server.cli("XRANGE", "weir:threats", "-", "+").split(separator: "\n")
        try #require(lines.count == 6)
        #expect([lines[1], lines[4]] == ["event", "event"])
        #expect([lines[2], lines[5]].map { number(in: $0) } == [0, 1])
    }

    @Test("Threat sources have the fields that the original's map reads, with the resource in msg")
    func networkEvents() throws {
        let server = try #require(RedisServer())
        let settings = StreamSettings(
            address: try RedisAddress("unix://\(server.socket)"),
            key: "ml:network_events",
            length: 1_000
        )
        let events = try NetworkEvents(settings, clientID: "client_1", resourceID: "res_001") { _ in }
        let time = WallTime(nanoseconds: 1_765_189_800_123_000_000)
        events.report(ip: "2001:db8::1", isAttack: true, confidence: 0.95, time: time)
        events.report(ip: "192.0.2.7", isAttack: false, confidence: .nan, time: time)
        events.report(ip: "192.0.2.8", isAttack: true, confidence: 1.5, time: time)
        #expect(events.finish())
        #expect(events.status.name == "publish.events.stream" && events.status.delivered == 3)
        let lines = server.cli("XRANGE", "ml:network_events", "-", "+").split(separator: "\n").map(String.init)
        try #require(lines.count == 33)
        #expect(
            Array(lines[1..<11]) == [
                "ip", "2001:db8::1", "is_attack", "true", "confidence", "0.95", "timestamp", "2025-12-08T10:30:00.123Z",
                "msg",
                #"{"client_id":"client_1","resource_id":"res_001","ip":"2001:db8::1","is_attack":true,"#
                    + #""confidence":0.95,"timestamp":"2025-12-08T10:30:00.123Z"}"#,
            ]
        )
        #expect(Array(lines[12..<18]) == ["ip", "192.0.2.7", "is_attack", "false", "confidence", "0"])
        #expect(Array(lines[23..<29]) == ["ip", "192.0.2.8", "is_attack", "true", "confidence", "1"])
        for place in [0, 11, 22] { #expect(lines[place].contains("-")) }
    }
}
