import Detection
import Flows
import Glibc
import Linux
import Logging
import Packets
import Publishing
import Reports
import Support
import Testing

@testable import Sensor

private let noon: Int64 = 1_765_189_800_000_000_000
private let second: Int64 = 1_000_000_000

/// A flood at 192.0.2.x from so many sources.
private func flood(_ host: UInt32, sources: Int = 1, ratio: Double = 2) -> Finding {
    var evidence = Evidence()
    evidence.sources = (0..<UInt32(sources)).map {
        Evidence.Source(Address(ipv4: 0xCB00_7100 + $0), .ipv4, count: Double(1_000 - min($0, 999)))
    }
    evidence.summary = "Too many SYNs."
    let subject = Subject(Address(ipv4: 0xC000_0200 + host), .ipv4, port: 80)
    return Finding(.flood(.syn), subject, ratio: ratio, severity: .high, confidence: 0.9, evidence: evidence)
}

/// Events of incidents, through the sinks that a configuration switches on, to a real Redis and a file.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct ThreatPublisherTests {
    /// Opened, escalated since ten times as many sources have part in it, gone on, closed.
    private static func events() -> [IncidentEvent] {
        var table = IncidentTable(IncidentSettings(), sensor: "test")
        var events = table.take([flood(1)], at: noon)
        events += table.take([flood(1, sources: 100)], at: noon + second)
        events += table.take([flood(1)], at: noon + 61 * second)
        events += table.finish(at: noon + 62 * second)
        return events
    }

    private func publish(_ configuration: Configuration, _ events: [IncidentEvent], to redis: RedisServer?) throws
        -> [SinkStatus]
    {
        let address = try RedisAddress("unix://\(redis?.socket ?? "/nowhere")")
        let publisher = try ThreatPublisher(configuration, redis: address, logger: Logger(label: "test"))
        publisher.publish(events, ThreatContext())
        publisher.publish([], ThreatContext())
        publisher.stop()
        publisher.finish()
        return publisher.statuses
    }

    @Test func `By default only the stream is there, and nothing is sent before there is an event`() throws {
        let statuses = try publish(Configuration(), [], to: nil)
        #expect(statuses.map(\.name) == ["publish.threats.stream"])
        #expect(statuses.map(\.state) == [.starting] && statuses.map(\.offered) == [0])
        var none = Configuration()
        none.publish.threats.stream = ""
        #expect(try publish(none, Self.events(), to: nil).isEmpty)
    }

    @Test(.enabled(if: RedisServer.isInstalled, "needs redis-server"))
    func `The same JSON in the stream and the file; the map gets the source of what is new or worse`() throws {
        let redis = try #require(RedisServer())
        let folder = try ScratchFolder()
        var configuration = Configuration()
        configuration.dataDirectory = folder.path
        configuration.resourceID = "res_001"
        configuration.publish.threats.file = "threats.jsonl"
        configuration.publish.events.stream = "ml:network_events"
        let events = Self.events()
        try #require(events.map(\.incident.state) == [.opened, .escalated, .ongoing, .closed])
        let statuses = try publish(configuration, events, to: redis)
        #expect(
            statuses.map(\.name) == ["publish.threats.stream", "publish.threats.file", "publish.events.stream"]
        )
        #expect(statuses.map(\.delivered) == [4, 4, 2], "\(statuses)")

        let expected = events.map { String(decoding: Threat(event: $0).json(), as: UTF8.self) }
        let lines = ChildProcess.run(["/bin/cat", folder.path + "/threats.jsonl"]).text.split(separator: "\n")
        #expect(lines.map(String.init) == expected)
        let entries = redis.cli("XRANGE", "weir:threats", "-", "+").split(separator: "\n")
        #expect(stride(from: 1, to: entries.count, by: 3).map { entries[$0] } == ["event", "event", "event", "event"])
        #expect(stride(from: 2, to: entries.count, by: 3).map { String(entries[$0]) } == expected)
        let sources = redis.cli("XRANGE", "ml:network_events", "-", "+")
        #expect(sources.ranges(of: "\n203.0.113.0\nis_attack\ntrue\nconfidence\n0.9\n").count == 2, "\(sources)")
        #expect(sources.contains(#""resource_id":"res_001""#))
    }

    @Test func `Two kinds of lines in one file are refused`() throws {
        var configuration = Configuration()
        configuration.publish.threats.file = "all.jsonl"
        configuration.publish.flows.file = "/var/lib/weir/all.jsonl"
        let error = #expect(throws: SensorError.self) { try publish(configuration, [], to: nil) }
        #expect(error?.description.contains("are one file, /var/lib/weir/all.jsonl") == true)
    }

    @Test func `A storm without Redis costs bounded memory, never waits, and is counted`() throws {
        var table = IncidentTable(IncidentSettings(), sensor: "test")
        var events: [IncidentEvent] = []
        for host in 0..<256 { events += table.take([flood(UInt32(host), sources: 1_000)], at: noon) }
        let publisher = try ThreatPublisher(
            Configuration(),
            redis: RedisAddress("unix:///nowhere"),
            logger: Logger(label: "test")
        )
        var slowest: Int64 = 0
        for _ in 0..<40 {
            let start = Clock.monotonic.now()
            publisher.publish(events, ThreatContext())
            slowest = max(slowest, Clock.monotonic.now() - start)
        }
        let status = try #require(publisher.statuses.first)
        print("10,240 events without Redis:", status, "slowest call \(Double(slowest) / 1e6) ms for 256")
        #expect(status.offered == 10_240 && status.offered == status.waiting + status.lost)
        #expect(status.lost > 0, "8 MiB hold fewer")
        publisher.stop()
        publisher.finish()
    }
}

/// What those who ask are shown of incidents.
struct ThreatStateTests {
    private func state() throws -> SensorState { try SensorState(version: "test", workers: 1, seed: 1) }

    /// One that is closed, and `count` open ones, each a second newer.
    private func table(open count: Int) -> IncidentTable {
        var table = IncidentTable(IncidentSettings(), sensor: "test")
        let start = WallTime.now.nanoseconds - 200 * second
        _ = table.take([flood(200)], at: start)
        for number in 0..<count {
            _ = table.take([flood(UInt32(number))], at: start + Int64(100 + number) * second)
        }
        return table
    }

    @Test func `Open and lately closed ones are listed, newest first, and each is shown whole`() throws {
        let state = try state()
        #expect(state.threats(ThreatQuery()).threats.isEmpty && state.threat(id: "x") == nil)
        state.update(table(open: 3), turnedAway: 7, home: [])
        let threats = state.threats(ThreatQuery()).threats
        #expect(threats.map(\.destination) == ["192.0.2.2", "192.0.2.1", "192.0.2.0", "192.0.2.200"])
        #expect(threats.map(\.state) == [.opened, .opened, .opened, .closed])
        #expect(threats.allSatisfy { $0.evidence == nil })
        let whole = try #require(state.threat(id: threats[3].id))
        #expect(whole.evidence != nil && whole.state == .closed)
        #expect(state.threats(ThreatQuery(states: [.closed])).threats.map(\.id) == [whole.id])
        let newest = state.openThreats(2)
        #expect(newest.total == 3 && newest.newest.map(\.id) == threats.prefix(2).map(\.id))
    }

    @Test func `The status counts them, and nothing when nothing is judged`() async throws {
        let state = try state()
        let status = SensorStatus(
            time: .now,
            version: "test",
            monitoringActive: true,
            modelsTrained: false,
            uptime: 1,
            interfaces: [],
            unwatched: [],
            ledger: LedgerCounts(),
            sampling: SamplingStatus(oneIn: 1, state: .normal),
            samplingHistory: [],
            redis: nil,
            kernelMemory: .init(maps: 0, rings: 0)
        )
        let rows = [(UInt32(2), "eth0")]
        state.update(status, PortList(time: .now, tcp: [], udp: []), names: rows)
        #expect(await state.status().threats == nil)
        state.update(table(open: 3), turnedAway: 7, home: [])
        let counts = await state.status().threats
        #expect(counts?.open == 3 && counts?.closed == 1 && counts?.turnedAway == 7 && counts?.highest == .high)
        #expect(state.threatContext.interfaces == [2: "eth0"])
    }
}

/// A folder that is gone when the value is.
private final class ScratchFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/weir-threats-XXXXXX".utf8CString)
        try #require(unsafe mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { _ = ChildProcess.run(["/bin/rm", "-rf", path]) }
}
