import Flows
import FoundationEssentials
import Glibc
import Linux
import Logging
import Packets
import Publishing
import Reports
import Support
import Testing

@testable import Sensor

/// A folder that is gone when the value is.
private final class PublisherFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/weir-publisher-XXXXXX".utf8CString)
        try #require(unsafe mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { _ = ChildProcess.run(["/bin/rm", "-rf", path]) }
}

/// Flow records of real tables, through the sinks that a configuration switches on, to a real Redis, a file and a
/// receiver that checks what the original's service checks.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct FlowPublisherTests {
    /// Three ended flows, one of a single packet, and interim records.
    private static func records(_ settings: FlowSettings = FlowSettings()) -> [FlowRecord] {
        var tables = FlowTables(settings, map: ShardMap(seed: 0, workers: 1), worker: 0)
        var records: [FlowRecord] = []
        func frame(_ client: Int, back: Bool, _ flags: PacketBuilder.Flags) -> [UInt8] {
            let (near, far) = ("10.0.0.\(client)", "192.0.2.1")
            return PacketBuilder().ethernet().ipv4(from: back ? far : near, to: back ? near : far)
                .tcp(from: back ? 443 : 40_000, to: back ? 40_000 : 443, flags: flags).payload(count: 10 * client).bytes
        }
        // Client 3 goes on for longer than the 10 s between two interim records.
        let packets: [(Double, Int, Bool, PacketBuilder.Flags)] = [
            (1, 1, false, .syn), (1.25, 1, true, [.syn, .ack]), (1.5, 2, false, .syn), (2, 3, false, .syn),
            (11, 3, true, [.syn, .ack]), (14, 3, false, .ack), (15, 3, false, .ack),
        ]
        for (seconds, client, back, flags) in packets {
            let time = Int64(seconds * 1e9)
            if tables.advance(to: time) { tables.drain { records.append(copy $0) } }
            let frame = frame(client, back: back, flags)
            let bytes = unsafe frame.span.bytes
            var packet = Packet(decoding: bytes, wireLength: frame.count)
            if tables.add(&packet, bytes, time: time, interface: 2) { tables.drain { records.append(copy $0) } }
        }
        tables.stop()
        tables.drain { records.append(copy $0) }
        return records
    }

    private func publish(_ configuration: Configuration, _ records: [FlowRecord], to redis: RedisServer?) throws
        -> [SinkStatus]
    {
        let address = try RedisAddress("unix://\(redis?.socket ?? "/nowhere")")
        let publisher = try FlowPublisher(configuration, redis: address, logger: Logger(label: "test"))
        publisher.publish(records)
        publisher.publish([])
        publisher.stop()
        publisher.finish()
        return publisher.statuses
    }

    private func contents(_ path: String) -> String { ChildProcess.run(["/bin/cat", path]).text }

    @Test func nothingIsStartedByDefault() throws {
        #expect(try publish(Configuration(), Self.records(), to: nil).isEmpty)
    }

    @Test(
        "The same JSON in the stream and the file, interim records as well; whole flows alone to the service",
        .enabled(if: RedisServer.isInstalled, "needs redis-server")
    )
    func all() throws {
        let redis = try #require(RedisServer())
        let service = try PredictionService()
        let folder = try PublisherFolder()
        var configuration = Configuration()
        configuration.dataDirectory = folder.path
        configuration.resourceID = "res_001"
        configuration.publish.clientID = "client_1"
        configuration.publish.flows.stream = "weir:flows"
        configuration.publish.flows.file = "flows.jsonl"
        configuration.publish.flows.service = try HTTPAddress("http://127.0.0.1:\(service.port)/predict/batch")
        let records = Self.records()
        let interims = records.count { $0.end == .interim }
        try #require(interims > 0 && records.count == interims + 3)

        let statuses = try publish(configuration, records, to: redis)
        #expect(statuses.map(\.name) == ["publish.flows.stream", "publish.flows.file", "publish.flows.http"])
        let all = UInt64(records.count)
        #expect(statuses.map(\.delivered) == [all, all, 3], "\(statuses)")
        #expect(statuses.allSatisfy { $0.state == .working && $0.offered == $0.delivered && $0.errors.isEmpty })

        let lines = contents(folder.path + "/flows.jsonl").split(separator: "\n")
        let entries = redis.cli("XRANGE", "weir:flows", "-", "+").split(separator: "\n")
        #expect(lines.count == records.count && lines == stride(from: 2, to: entries.count, by: 3).map { entries[$0] })
        #expect(lines.count(where: { $0.contains(#""end":"interim""#) }) == interims)

        let requests = service.requests
        #expect(requests.map(\.status) == [200] && requests.map(\.path) == ["/predict/batch"])
        let batch = try PredictionBatch(try #require(requests.first).body)
        #expect(batch.clientID == "client_1" && batch.resourceID == "res_001" && batch.includeConfidence)
        #expect(batch.flows.map { $0["dst_port"] } == [.number(443), .number(443), .number(443)])
        #expect(
            Set(batch.flows.compactMap { $0["src_ip"] }) == [.text("10.0.0.1"), .text("10.0.0.2"), .text("10.0.0.3")]
        )
        let first = try #require(batch.flows.first { $0["src_ip"] == .text("10.0.0.1") })
        // Microseconds, and rates per second: not the original meter's units.
        #expect(first["flow_duration"] == .number(250_000) && first["flow_pkts_s"] == .number(8))
        #expect(first["tot_fwd_pkts"] == .number(1) && first["dst_ip"] == .text("192.0.2.1"))
        for name in ["src_port", "protocol", "timestamp"] { #expect(first[name] != nil, "\(name)") }
    }

    @Test("One by one each flow names client and resource")
    func buffered() throws {
        let service = try PredictionService()
        var configuration = Configuration()
        configuration.resourceID = "res_001"
        configuration.publish.clientID = "client_1"
        configuration.publish.flows.service = try HTTPAddress("http://127.0.0.1:\(service.port)/predict/buffered")
        let statuses = try publish(configuration, Self.records(), to: nil)
        #expect(statuses.map(\.delivered) == [3], "\(statuses)")
        #expect(service.requests.map(\.status) == [200, 200, 200])
        for request in service.requests {
            let flow = try JSONDecoder().decode([String: PredictionBatch.Value].self, from: Data(request.body))
            #expect(flow["client_id"] == .text("client_1") && flow["resource_id"] == .text("res_001"))
        }
    }

    @Test("CSV has CICFlowMeter's columns, and in its profile no flow of one packet")
    func csv() throws {
        for (profile, count) in [(FlowProfile.corrected, 3), (.cic, 2)] {
            let folder = try PublisherFolder()
            var configuration = Configuration()
            configuration.dataDirectory = folder.path
            configuration.publish.flows.file = "flows.csv"
            configuration.publish.flows.format = .csv
            configuration.flows.profile = profile
            let statuses = try publish(configuration, Self.records(configuration.flows.settings), to: nil)
            let lines = contents(folder.path + "/flows.csv").split(separator: "\n")
            #expect(statuses.map(\.delivered) == [UInt64(count)], "\(statuses)")
            #expect(lines.first.map(String.init) == FlowCSV.columns.joined(separator: ","))
            #expect(lines.count == count + 1)
            #expect(lines.allSatisfy { $0.split(separator: ",", omittingEmptySubsequences: false).count == 84 })
        }
    }
}

extension EndToEnd {
    /// Flows of the running sensor, seen by others.
    @Suite("Flows", .enabled(if: RedisServer.isInstalled, "needs redis-server")) struct Flows {
        @Test("what a ping makes stands in the stream, in the file and in the status")
        func published() throws {
            let pair = try Neighbours.make("flows")
            let redis = try #require(RedisServer())
            let sensor = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near, "--redis", "unix://\(redis.socket)"],
                environment: [
                    "WEIR_PUBLISH_FLOWS_STREAM": "weir:flows", "WEIR_PUBLISH_FLOWS_FILE": "flows.jsonl",
                    "WEIR_PUBLISH_FLOWS_HTTP": "http://127.0.0.1:1/predict/batch", "WEIR_FLOWS_IDLE": "1",
                ]
            )
            try sensor.waitUntilWatching(VethPair.near)
            let ping = pair.near.command(["/bin/ping", "-n", "-c", "3", "-i", "0.2", Neighbours.farAddress])
            #expect(ChildProcess.run(ping).status == 0)
            let found = eventually(within: 10) { redis.cli("XRANGE", "weir:flows", "-", "+").contains(Self.echo) }
            #expect(found, "\(sensor.log)")
            let body = try #require(sensor.request("GET", "/api/status")?.body)
            let status = String(decoding: body, as: UTF8.self)
            for name in ["publish.flows.stream", "publish.flows.file", "publish.flows.http"] {
                #expect(status.contains("{\"name\":\"\(name)\",\"state\":"), "\(status)")
            }
            let start = monotonicSeconds()
            sensor.signal(SIGTERM)
            #expect(sensor.exitStatus(within: 5) == 0, "\(sensor.log)")
            print("stopped after", monotonicSeconds() - start, "s, the service not being there")
            let file = ChildProcess.run(["/bin/cat", sensor.dataDirectory + "/flows.jsonl"]).text
            #expect(file.contains(Self.echo))
            let entries = redis.cli("XRANGE", "weir:flows", "-", "+").split(separator: "\n").filter {
                $0.hasPrefix("{")
            }
            #expect(file.split(separator: "\n").elementsEqual(entries), "the same flows in the same order")
            #expect(sensor.logs("publish.flows.file (\(sensor.dataDirectory)/flows.jsonl) is working"))
            #expect(sensor.logs("publish.flows.http (http://127.0.0.1:1/predict/batch) is down: cannot connect"))
        }

        private static let echo = #""src_ip":"198.18.0.1","src_port":"#
    }
}
