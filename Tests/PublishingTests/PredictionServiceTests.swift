import Glibc
import Linux
import Publishing
import Reports
import Support
import Testing

/// What the service takes as a flow.
private func flows(_ numbers: Range<Int>, leavingOut missing: String = "", padding: Int = 0) -> [[UInt8]] {
    let names = PredictionService.features.subtracting([missing]).sorted()
    let padding = String(repeating: "x", count: padding)
    return numbers.map { number in
        let features = names.map { "\"\($0)\":\(number)" }.joined(separator: ",")
        return Array("{\"src_ip\":\"192.0.2.1\",\"timestamp\":\"\(padding)\",\(features)}".utf8)
    }
}

/// Against a receiver that checks what the original's service checks.
@Suite(.timeLimit(.minutes(1)))
struct PredictionServiceTests {
    private func sink(
        port: UInt16,
        _ path: String = "/predict/batch",
        patience: Duration = .seconds(10),
        queue: Int = 8 << 20,
        changes: SinkChanges = SinkChanges()
    ) throws -> Sink {
        let address = try HTTPAddress("http://127.0.0.1:\(port)\(path)")
        var settings = try PredictionSettings(
            address: address,
            clientID: "client_1",
            resourceID: "res_001",
            queue: queue
        )
        settings.patience = patience
        return try Sink(flows: settings) { changes.append($0) }
    }

    /// The ports of the flows in batches that were accepted.
    private func accepted(_ service: PredictionService) throws -> [Int] {
        try service.requests.filter { $0.status == 200 }.flatMap { request in
            try PredictionBatch(request.body).flows.compactMap { flow in
                if case .number(let port) = flow["dst_port"] { Int(port) } else { nil }
            }
        }
    }

    @Test("500 in a request; fewer wait for 5 s, or for the end")
    func batches() throws {
        let service = try PredictionService()
        let sink = try sink(port: service.port)
        sink.offer(flows(0..<1_200))
        try #require(wait { sink.status.delivered == 1_000 } != nil, "\(sink.status)")
        #expect(sink.status.waiting == 200)
        let time = try #require(wait(upTo: 7) { sink.status.delivered == 1_200 })
        #expect(time >= 4, "the rest went after \(time) s")
        sink.offer(flows(1_200..<1_210))
        usleep(200_000)
        #expect(sink.status.waiting == 10)
        #expect(sink.finish())
        let requests = service.requests
        let batches = try requests.map { try PredictionBatch($0.body) }
        #expect(batches.map(\.flows.count) == [500, 500, 200, 10])
        #expect(batches.allSatisfy { $0.includeConfidence && $0.clientID == "client_1" && $0.resourceID == "res_001" })
        #expect(requests.allSatisfy { $0.path == "/predict/batch" && $0.status == 200 })
        #expect(try accepted(service) == Array(0..<1_210))
        #expect(sink.status.state == .working && sink.status.addsUp && sink.status.errors.isEmpty)
    }

    @Test("To /predict/buffered a flow goes at once, each in a request of its own, over one connection")
    func buffered() throws {
        let service = try PredictionService()
        let sink = try sink(port: service.port, "/predict/buffered")
        sink.offer(flows(0..<50))
        try #require(wait { sink.status.delivered == 50 } != nil, "\(sink.status)")
        #expect(service.requests.map(\.body) == flows(0..<50))
        #expect(Set(service.requests.map(\.connection)).count == 1)
        #expect(sink.finish())
    }

    @Test("A flow without a field is refused with its batch, once, and the cause names it")
    func missingField() throws {
        let service = try PredictionService()
        let changes = SinkChanges()
        let sink = try sink(port: service.port, changes: changes)
        sink.offer(flows(0..<500, leavingOut: "psh_flag_cnt"))
        try #require(wait { sink.status.refused == 500 } != nil, "\(sink.status)")
        #expect(sink.status.cause.contains("422") && sink.status.cause.contains("psh_flag_cnt"))
        #expect(sink.status.state == .degraded && sink.status.errors == ["http_4xx": 1])
        sink.offer(flows(0..<500))
        try #require(wait { sink.status.delivered == 500 } != nil)
        #expect(service.requests.map(\.status) == [422, 200])
        #expect(changes.states == [.degraded, .working])
        #expect(sink.status.addsUp)
    }

    @Test("What only the configuration can mend is not tried again", arguments: [302, 400, 401, 404, 413])
    func refused(status: Int) throws {
        let service = try PredictionService(.failing(status))
        let sink = try sink(port: service.port)
        sink.offer(flows(0..<1_000))
        try #require(wait { sink.status.refused == 1_000 } != nil, "\(sink.status)")
        #expect(service.requests.count == 2 && sink.status.cause.contains("\(status)"))
    }

    @Test("A service that fails is asked ever less often, and gets all once it works", arguments: [500, 503, 429])
    func failing(status: Int) throws {
        let service = try PredictionService(.failing(status))
        let sink = try sink(port: service.port)
        sink.offer(flows(0..<500))
        try #require(wait(upTo: 20) { service.requests.count == 3 } != nil)
        let times = service.requests.map(\.time)
        let gaps = zip(times, times.dropFirst()).map { $1 - $0 }
        // Never sooner; how much later depends on what else the machine does.
        #expect(gaps[0] >= 1 && gaps[1] >= 2, "\(gaps)")
        #expect(sink.status.state == .degraded && sink.status.waiting == 500)
        service.behave(.well)
        try #require(wait(upTo: 20) { sink.status.delivered == 500 } != nil)
        #expect(sink.status.addsUp && sink.status.refused == 0)
    }

    @Test("A batch that the service fails at again and again is given up, and the next gets its turn")
    func poison() throws {
        let service = try PredictionService(.failing(500))
        let sink = try sink(port: service.port)
        sink.offer(flows(0..<500))
        try #require(wait(upTo: 12) { sink.status.refused == 500 } != nil, "\(sink.status)")
        // On a busy machine an answer may come too late and count as a time-out.
        #expect(service.requests.count == 4 && sink.status.errors.values.reduce(0, +) == 4, "\(sink.status)")
    }

    @Test("A service that closes early, says nothing that is HTTP, or nothing in time: all arrives once it behaves")
    func broken() throws {
        let cases: [(PredictionService.Manner, String)] = [
            (.closing, "closed"), (.babbling, "protocol"), (.mute, "timeout"), (.deaf, "timeout"),
        ]
        for (manner, label) in cases {
            let service = try PredictionService(manner)
            let sink = try sink(port: service.port, patience: .milliseconds(300))
            // More than the sockets' buffers hold.
            sink.offer(flows(0..<500, padding: 1_500))
            try #require(wait { sink.status.state == .down } != nil, "\(manner): \(sink.status)")
            #expect(sink.status.errors == [label: 1], "\(manner): \(sink.status)")
            service.behave(.well)
            try #require(wait { sink.status.delivered == 500 } != nil, "\(manner): \(sink.status)")
            // What lay in the sockets' buffers may be read late: once at least, not once.
            #expect(Set(try accepted(service)) == Set(0..<500))
            #expect(sink.status.addsUp && sink.status.lost == 0)
        }
    }

    @Test("A service that takes its time gets all")
    func slow() throws {
        let service = try PredictionService(.slow(400))
        let sink = try sink(port: service.port)
        sink.offer(flows(0..<1_000))
        try #require(wait { sink.status.delivered == 1_000 } != nil)
        #expect(sink.status.errors.isEmpty)
    }

    @Test("While the service hangs 2,000 flows wait, drops are counted, no offer waits, and the end takes a second")
    func hangs() throws {
        for manner in [PredictionService.Manner.mute, .deaf] {
            let service = try PredictionService(manner)
            let sink = try sink(port: service.port)
            sink.offer(flows(0..<500))
            usleep(100_000)
            let before = residentMemory()
            var slowest = 0.0
            for round in 0..<100 {
                let batch = flows(500 + round * 200..<700 + round * 200)
                let start = Clock.monotonic.now()
                sink.offer(batch)
                slowest = max(slowest, Double(Clock.monotonic.now() - start) / 1e6)
            }
            let status = sink.status
            print("20,500 flows while the service is \(manner):", status, "slowest offer \(slowest) ms")
            #expect(status.waiting == 2_000 && status.lost == 18_500 && status.addsUp)
            // Other tests run beside this one; 20,500 flows would be 20 MiB more each time.
            #expect(residentMemory() - before < 65_536, "KiB more: \(residentMemory() - before)")
            #expect(slowest < 200)
            let start = Clock.monotonic.now()
            #expect(!sink.finish())
            let seconds = Double(Clock.monotonic.now() - start) / 1e9
            print("end beside a service that is \(manner): \(seconds) s")
            #expect(seconds < 1.2)
            #expect(wait { sink.status.lost == 20_500 } != nil && sink.status.addsUp)
        }
    }

    @Test("An answer's body is not kept, and one beyond 1 MiB ends the connection; the flows count as taken")
    func verbose() throws {
        let service = try PredictionService(.verbose(32))
        let sink = try sink(port: service.port)
        sink.offer(flows(0..<1_000))
        try #require(wait { sink.status.delivered == 1_000 } != nil, "\(sink.status)")
        #expect(sink.finish())
        #expect(Set(service.requests.map(\.connection)).count == 2)
        print("taken of 64 MiB of answers:", service.sent)
        #expect(service.sent < 24 << 20, "what the sockets' buffers hold, twice")
    }

    @Test("While nobody listens flows wait; they arrive once somebody does")
    func absent() throws {
        let port = RedisServer.freePort()
        let sink = try sink(port: port)
        sink.offer(flows(0..<500))
        try #require(wait { sink.status.state == .down } != nil)
        #expect(sink.status.errors == ["unreachable": 1] && sink.status.cause.hasPrefix("cannot connect"))
        print("nobody listens:", sink.status.cause)
        let service = try PredictionService(port: port)
        try #require(wait { sink.status.delivered == 500 } != nil, "\(sink.status)")
        #expect(service.requests.count == 1)
    }

    @Test("A name that leads nowhere, and an end while connecting")
    func unresolvable() throws {
        let address = try HTTPAddress("http://weir.invalid:1/predict/batch")
        let settings = try PredictionSettings(address: address, clientID: "", resourceID: "")
        let sink = try Sink(flows: settings) { _ in }
        sink.offer(flows(0..<500))
        usleep(20_000)
        let start = Clock.monotonic.now()
        #expect(!sink.finish())
        #expect(Double(Clock.monotonic.now() - start) / 1e9 < 1.2)
    }
}
