import Detection
import FoundationEssentials
import Glibc
import Linux
import Logging
import Reports
import Synchronization
import Testing

@testable import Dashboard

@Suite(.serialized) struct DashboardTests {
    @Test func statusPacketsAndPortsAreTheSensorsOwnDocuments() async throws {
        try await serve { (control, path) async throws in
            let status = try await exchange(path, "GET /api/status HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(status.code == 200)
            #expect(status.head.contains("application/json"))
            #expect(status.body == String(decoding: await control.status().json(), as: UTF8.self))
            let ports = try await exchange(path, "GET /api/ports HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(ports.body == String(decoding: await control.ports().json(), as: UTF8.self))
            let packets = try await exchange(path, "GET /api/packets?count=3&after=7 HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(packets.code == 200)
            #expect(control.asked == Asked(count: 3, after: 7))
        }
    }

    @Test func threatsAreListedAndShownWhole() async throws {
        try await serve { (control, path) async throws in
            let list = try await exchange(path, "GET /api/threats HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(list.code == 200)
            #expect(list.body == String(decoding: await control.threats(ThreatQuery()).json(), as: UTF8.self))
            #expect(list.body.hasSuffix(#"],"total_count":1,"timestamp":"1970-01-01T00:00:00.000Z"}"#))
            #expect(control.query == ThreatQuery())
            let id = TestControl.incident.id
            #expect(list.body.contains(#""evidence_url":"/api/threats/\#(id)""#))
            let whole = try await exchange(path, "GET /api/threats/\(id) HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(whole.code == 200)
            #expect(whole.body == String(decoding: Threat(TestControl.incident).json(), as: UTF8.self))
            #expect(whole.body.contains(#""evidence":{"measures":[]"#))
            let capture = try await exchange(path, "GET /api/threats/\(id)/packets HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(capture.code == 200 && capture.body == "capture")
            #expect(capture.head.contains("application/x-pcapng"))
        }
    }

    @Test(
        arguments: [
            (
                "?since=2025-12-08T10:30:00Z&state=open&class=scan.vertical",
                ThreatQuery(
                    since: WallTime(nanoseconds: 1_765_189_800_000_000_000),
                    states: [.opened, .escalated, .ongoing],
                    threatClass: "scan.vertical"
                )
            ),
            ("?since=2025-12-08T10%3A30%3A00.5Z", ThreatQuery(since: WallTime(nanoseconds: 1_765_189_800_500_000_000))),
            ("?state=closed", ThreatQuery(states: [.closed])), ("?class=edos", ThreatQuery(threatClass: "edos")),
        ]
    )
    func threatsAreAskedForByTimeStateAndClass(query: String, expected: ThreatQuery) async throws {
        try await serve { (control, path) async throws in
            #expect(try await exchange(path, "GET /api/threats\(query) HTTP/1.1\r\nHost: x\r\n\r\n").code == 200)
            #expect(control.query == expected)
        }
    }

    @Test(arguments: [("", 50), ("?count=0", 0), ("?count=-5", 0), ("?count=9000000000", 9_000_000_000)])
    func countIsClampedAndDefaultsTo50(query: String, count: Int) async throws {
        try await serve { (control, path) async throws in
            #expect(try await exchange(path, "GET /api/packets\(query) HTTP/1.1\r\nHost: x\r\n\r\n").code == 200)
            #expect(control.asked == Asked(count: count, after: nil))
        }
    }

    @Test func startAndStopReachTheSensor() async throws {
        try await serve { (control, path) async throws in
            let twice = try await exchange(path, post("start"))
            #expect(twice.code == 409)
            #expect(twice.body == #"{"error":{"code":"already_monitoring","message":"monitoring is already running"}}"#)
            #expect(
                try await exchange(path, post("stop")).body == #"{"status":"success","message":"Monitoring stopped"}"#
            )
            #expect(await control.status().monitoringActive == false)
            #expect(try await exchange(path, post("stop")).code == 200)
            #expect(
                try await exchange(path, post("start", type: "application/json; charset=utf-8", body: "{}")).code == 200
            )
            #expect(await control.status().monitoringActive)
        }
    }

    @Test func aSensorThatFailsMakesA500WithItsReason() async throws {
        try await serve { (control, path) async throws in
            control.failure = "eth0: no such device"
            let answer = try await exchange(path, post("stop"))
            #expect(answer.code == 500)
            #expect(answer.body == #"{"error":{"code":"failed","message":"eth0: no such device"}}"#)
        }
    }

    @Test(arguments: [
        ("GET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found"),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found"),
        ("GET /api/../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found"),
        ("GET /api/threats/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found"),
        ("GET /api/threats/0123456789abcdef HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found"),
        ("GET /api/threats/0123456789abcdef/packets HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found"),
        ("GET /api/threats//packets HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found"),
        ("GET /api/threats/../status HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found"),
        ("DELETE /api/threats/0123456789abcdef HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"),
        ("GET /api/threats?since=yesterday HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        ("GET /api/threats?since=2262-04-11T23:47:16.9Z HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        ("GET /api/threats?state=new HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        ("POST /api/status HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405, "method_not_allowed"),
        ("GET /api/monitoring/stop HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"),
        ("DELETE /api/packets HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"),
        ("GET /api/packets?count=ten HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        ("GET /api/packets?count=99999999999999999999 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        ("GET /api/packets?after=-1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        (
            "POST /api/monitoring/stop HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
            415, "unsupported_media_type"
        ),
        (
            "POST /api/monitoring/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n"
                + String(repeating: "x", count: 70_000),
            413, "too_large"
        ),
    ])
    func whatCannotBeDoneIsToldInJSON(request: String, code: Int, name: String) async throws {
        try await serve { (control, path) async throws in
            let answer = try await exchange(path, request)
            #expect(answer.code == code)
            #expect(answer.body.hasPrefix(#"{"error":{"code":"\#(name)","message":""#))
            #expect(answer.head.lowercased().contains("allow: ") == (code == 405))
            #expect(await control.status().monitoringActive, "nothing was stopped")
        }
    }

    @Test(arguments: [
        "nonsense\r\n\r\n",
        "GET /api/status HTTP/1.1\r\nHost: x\r\nX: " + String(repeating: "x", count: 20_000) + "\r\n\r\n",
        "GET /api/status HTTP/1.1\r\n" + (0..<100).map { "X\($0): y\r\n" }.joined() + "\r\n",
        "GET /api/status HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST /api/monitoring/stop HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ])
    func brokenOrOversizedHeadsAreRefused(request: String) async throws {
        try await serve { (control, path) async throws in
            let answer = try await exchange(path, request)
            #expect(answer.code == 400 || answer.code == 431, "\(answer.head)")
            #expect(await control.status().monitoringActive)
            #expect(try await exchange(path, "GET /api/status HTTP/1.1\r\nHost: x\r\n\r\n").code == 200, "it serves on")
        }
    }

    @Test func theSocketIsForRootAloneAndGoneAfterwards() async throws {
        let folder = try Folder()
        let path = folder.path + "/weir.sock"
        try await serve(at: path) { (_, path) async throws in
            var status = stat()
            try #require(unsafe lstat(path, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600)
            #expect(status.st_mode & S_IFMT == S_IFSOCK)
        }
        #expect(unsafe access(path, F_OK) != 0)
    }

    @Test func aSocketLeftBehindIsReplaced() async throws {
        let folder = try Folder()
        let path = folder.path + "/weir.sock"
        try leaveSocket(at: path)
        try await serve(at: path) { (_, path) async throws in
            #expect(try await exchange(path, "GET /api/status HTTP/1.1\r\nHost: x\r\n\r\n").code == 200)
        }
    }

    @Test func aSocketThatAnswersIsRefusedByItsOwner() async throws {
        try await serve { (_, path) async throws in
            let second = Dashboard(control: TestControl(), path: path, logger: Logger(label: "second"))
            let error = await #expect(throws: DashboardError.self) { try await second.run() }
            #expect(error?.description.contains("process \(getpid())") == true)
            #expect(
                try await exchange(path, "GET /api/status HTTP/1.1\r\nHost: x\r\n\r\n").code == 200,
                "the first serves on"
            )
        }
    }

    @Test func whatIsNoSocketIsLeftAlone() async throws {
        let folder = try Folder()
        let path = folder.path + "/weir.sock"
        try "precious".write(toFile: path, atomically: false, encoding: .utf8)
        let dashboard = Dashboard(control: TestControl(), path: path, logger: Logger(label: "test"))
        let error = await #expect(throws: DashboardError.self) { try await dashboard.run() }
        #expect(error?.description.contains("not a socket") == true)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
    }

    @Test func aPathThatCannotBeIsAnError() async throws {
        let dashboard = Dashboard(control: TestControl(), path: "/nonexistent/weir.sock", logger: Logger(label: "test"))
        await #expect(throws: DashboardError.self) { try await dashboard.run() }
    }

    @Test func connectionsBeyondTheCapWaitAndAreServedLater() async throws {
        try await serve { (_, path) async throws in
            var held: [Int32] = []
            // The kernel hands over up to four connections at once, so that the cap may be passed by three.
            for _ in 0..<Dashboard.Limit.connections + 4 { held.append(try hold(path)) }
            // All places are taken by idle clients: the next one is not read.
            let taken = held
            let late = try await elsewhere {
                let extra = try UnixStream(path: path, timeout: 1)
                try extra.write(Array("GET /api/status HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
                #expect(throws: SystemError.self) { _ = try extra.read(atMost: 1) }
                taken.forEach { _ = close($0) }
                return try extra.read(atMost: 12)
            }
            #expect(String(decoding: late, as: UTF8.self) == "HTTP/1.1 200")
        }
    }

    @Test func stoppingDoesNotWaitForIdleClients() async throws {
        let clock = ContinuousClock()
        var held: Int32 = -1
        let start = Mutex(clock.now)
        try await serve { (_, path) async throws in
            held = try hold(path)
            start.withLock { $0 = clock.now }
        }
        close(held)
        #expect(start.withLock { clock.now - $0 } < .seconds(2))
    }
}
