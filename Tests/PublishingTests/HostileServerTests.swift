import Glibc
import Linux
import Publishing
import Reports
import Synchronization
import Testing

private let document = Array("{}".utf8)

@Suite(.serialized, .timeLimit(.minutes(1)))
struct HostileServerTests {
    private func publisher(_ server: FakeRedis, _ changes: Changes = Changes()) throws -> RedisPublisher {
        let settings = RedisSettings(address: try RedisAddress("unix://:hunter2@\(server.path)"))
        return try RedisPublisher(settings) { changes.append($0) }
    }

    private static let greeting: [String: String] = ["AUTH": "+OK\r\n", "PING": "+PONG\r\n"]

    @Test(
        "Answers that no Redis gives end the connection, and memory stays as it was",
        arguments: [
            "bulk of 2 GiB": "$2147483647\r\n" + String(repeating: "x", count: 1 << 20),
            "array of 10^9": "*1000000000\r\n", "nested 9 deep": String(repeating: "*1\r\n", count: 9) + ":1\r\n",
            "RESP3 push": ">2\r\n$3\r\nfoo\r\n:1\r\n", "RESP3 map": "%1\r\n", "garbage": "garbage\r\n",
            "status without end": "+" + String(repeating: "x", count: 4 << 20),
            "error of 1 MiB": "-" + String(repeating: "E", count: 1 << 20) + "\r\n",
            "integer too large": ":12345678901234567890123\r\n", "too many": "+OK\r\n+OK\r\n+OK\r\n+OK\r\n",
            "nil": "$-1\r\n", "zeros": "\0\0\0\0",
        ].map { Answer(name: $0.key, bytes: Array($0.value.utf8)) }
    )
    func violations(reply: Answer) throws {
        let server = try FakeRedis { words in Self.greeting[words[0]].map { Array($0.utf8) } ?? reply.bytes }
        let publisher = try publisher(server)
        let before = residentMemory()
        publisher.offer(document)
        #expect(wait { publisher.status.state == .down } != nil, "\(publisher.status)")
        #expect(wait(upTo: 4) { server.accepted.count >= 2 } != nil, "it tries again")
        #expect(publisher.status.errors.keys.allSatisfy { ["protocol", "closed"].contains($0) })
        #expect(residentMemory() - before < 16_384, "KiB more: \(residentMemory() - before)")
        #expect(publisher.status.published == 0)
    }

    @Test("Half an answer, and one that drips, end at the deadline", arguments: ["+O", ""])
    func half(reply: String) throws {
        let server = try FakeRedis { words in Array((Self.greeting[words[0]] ?? reply).utf8) }
        let publisher = try publisher(server)
        publisher.offer(document)
        let time = try #require(wait { publisher.status.state == .down })
        #expect(time < 1)
        #expect(publisher.status.errors["timeout"] == 1)
    }

    @Test("Words nobody asked for, while idle, end the connection")
    func unasked() throws {
        let server = try FakeRedis { words in
            Array((words[0] == "PUBLISH" ? ":0\r\n" : Self.greeting[words[0]] ?? "+OK\r\n").utf8)
                + (words[0] == "PUBLISH" ? Array("+more\r\n".utf8) : [])
        }
        let publisher = try publisher(server)
        publisher.offer(document)
        #expect(wait { publisher.status.errors["protocol"] != nil } != nil)
    }

    @Test("Attempts are at most 1.5 s apart")
    func attempts() throws {
        let server = try FakeRedis { _ in Array("garbage\r\n".utf8) }
        let publisher = try publisher(server)
        #expect(wait(upTo: 10) { server.accepted.count >= 6 } != nil)
        let times = server.accepted
        let gaps = zip(times, times.dropFirst()).map { Double($1 - $0) / 1e9 }
        print("gaps between attempts:", gaps)
        #expect(gaps.allSatisfy { $0 > 0.9 && $0 <= 1.5 })
        #expect(publisher.status.state == .down)
    }

    @Test(
        "Every error has its action",
        arguments: [
            ("LOADING Redis is loading the dataset in memory", RedisStatus.State.degraded),
            ("BUSY Redis is busy running a script", .degraded), ("MISCONF cannot persist", .degraded),
            ("READONLY You can't write against a read only replica", .degraded), ("OOM command not allowed", .degraded),
            ("MOVED 3999 127.0.0.1:6381", .degraded), ("CLUSTERDOWN Hash slot not served", .degraded),
            ("NOPERM this user has no permissions", .authFailed), ("NOAUTH Authentication required.", .authFailed),
            ("DENIED Redis is running in protected mode", .authFailed), ("ERR whatever", .degraded),
            ("X\u{1B}[31m<script>", .degraded), ("", .degraded),
        ]
    )
    func errors(text: String, state: RedisStatus.State) throws {
        let box = Refusing()
        let server = try FakeRedis { words in
            if let greeting = Self.greeting[words[0]] { return Array(greeting.utf8) }
            if box.refuses.load(ordering: .relaxed) { return Array("-\(text)\r\n".utf8) }
            return Array((words[0] == "SET" ? "+OK\r\n" : ":0\r\n").utf8)
        }
        let publisher = try publisher(server)
        publisher.offer(document)
        try #require(wait { publisher.status.state == state } != nil, "\(publisher.status)")
        #expect(!publisher.status.cause.unicodeScalars.contains("\u{1B}"))
        #expect(publisher.status.published == 0)
        let label = String(text.prefix { $0 != " " })
        let known = [
            "LOADING", "BUSY", "MISCONF", "READONLY", "OOM", "MOVED", "CLUSTERDOWN", "NOPERM", "NOAUTH", "DENIED",
        ]
        #expect(publisher.status.errors.keys.contains(known.contains(label) ? label : "ERR"))
        box.refuses.store(false, ordering: .relaxed)
        publisher.offer(document)
        let time = wait(upTo: 3) { publisher.status.state == .connected }
        #expect(time != nil)
        #expect(publisher.finish(with: document))
    }

    @Test("A server that repeats the password does not get it into the status")
    func echo() throws {
        for command in ["AUTH", "PING", "SET"] {
            let server = try FakeRedis { words in
                let echo = "-ERR unknown command 'AUTH', with args beginning with: 'hunter2' 'hun'\r\n"
                return Array((words[0] == command ? echo : Self.greeting[words[0]] ?? ":1\r\n").utf8)
            }
            let changes = Changes()
            let publisher = try publisher(server, changes)
            publisher.offer(document)
            _ = wait(upTo: 2) { publisher.status.state != .starting }
            #expect(!"\(publisher.status) \(changes.all)".contains("hunter2"))
        }
    }
}

/// What a fake server sends, under a short name.
struct Answer: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]

    var testDescription: String { name }
}

/// Whether a fake server refuses.
private final class Refusing: Sendable {
    let refuses = Atomic(true)
}
