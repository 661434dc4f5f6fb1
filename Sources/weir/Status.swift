import ArgumentParser
import FoundationEssentials
import Sensor

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show what the running sensor is doing.")

    @OptionGroup var options: ConfigurationOptions

    @Flag(name: .long, help: "Print one JSON object.")
    var json = false

    func run() throws {
        let client = SensorClient(path: try options.load().configuration.socketPath)
        do throws(SensorClient.ClientError) {
            let body = try client.get("/api/status")
            let status = try StatusAnswer(body)
            let hasThreats = !json && status.threats.map { $0.open > 0 } ?? false
            let threats = hasThreats ? try ThreatRows(try client.get("/api/threats?state=open")).threats : []
            do {
                try Terminal.print(json ? body + Array("\n".utf8) : Array((status.text(threats) + "\n").utf8))
            } catch {
                throw .failed(error)
            }
        } catch {
            throw failure(error.status, "\(error)")
        }
    }
}

/// The answer to `GET /api/status`, as far as it is shown.
struct StatusAnswer: Decodable {
    struct Direction: Decodable {
        var packets: UInt64
        var bytes: UInt64
        var frames: UInt64?
    }

    struct Interface: Decodable {
        var name: String
        var index: Int32
        var epoch: UInt32
        var source: String
        var up: Bool
        var rx: Direction
        var tx: Direction
    }

    struct Unwatched: Decodable {
        var name: String
        var reason: String
    }

    struct Ledger: Decodable {
        var offered, skipped, kept, dropped, read, decoded, malformed, shed, residue: UInt64
    }

    struct Sampling: Decodable {
        var n: UInt32
        var state: String
    }

    struct Redis: Decodable {
        var state: String
        var cause: String
        var address: String
        var published: UInt64
        var lost: UInt64
    }

    struct Sink: Decodable {
        var name: String
        var state: String
        var cause: String
        var address: String
        var delivered, refused, lost, waiting: UInt64
    }

    struct Threats: Decodable {
        var open: Int
        var highest: String
        var closed: Int
        var turnedAway: UInt64
    }

    struct KernelMemory: Decodable {
        var maps: UInt64
        var rings: UInt64
    }

    struct Flows: Decodable {
        var open, started, ended, evicted, missed: UInt64
    }

    var timestamp: String
    var monitoringActive: Bool
    var version: String
    var uptime: UInt64
    var interfaces: [Interface]
    var notWatched: [Unwatched]
    var ledger: Ledger
    var sampling: Sampling
    var redis: Redis?
    var kernelMemory: KernelMemory
    /// Nil: nothing is judged.
    var threats: Threats?
    var sinks: [Sink]
    var flows: Flows

    init(_ body: [UInt8]) throws(SensorClient.ClientError) {
        do {
            self = try JSONDecoder.snakeCase.decode(StatusAnswer.self, from: Data(body))
        } catch {
            throw .unreadable("\(error)")
        }
    }

    /// - Parameter open: incidents, newest first.
    func text(_ open: [ThreatAnswer] = []) -> String {
        let state = monitoringActive ? Terminal.styled("monitoring", .green) : Terminal.styled("stopped", .yellow)
        var parts = ["weir \(version): \(state), up \(Self.duration(uptime))"]

        var table = Table(
            ["INTERFACE", "BY", "RX PACKETS", "RX BYTES", "TX PACKETS", "TX BYTES"],
            numbers: [2, 3, 4, 5]
        )
        for interface in interfaces {
            table.add([
                .init(interface.name, interface.up ? .bold : .yellow),
                .init(interface.up ? interface.source : "\(interface.source), down"),
                .init(formattedCount(interface.rx.packets)),
                .init(formattedBytes(interface.rx.bytes)),
                .init(formattedCount(interface.tx.packets)),
                .init(formattedBytes(interface.tx.bytes)),
            ])
        }
        parts.append(interfaces.isEmpty ? Terminal.styled("No interface is watched.", .yellow) : table.description)
        if !notWatched.isEmpty {
            var table = Table(["NOT WATCHED", "WHY"])
            for interface in notWatched { table.add([.init(interface.name), .init(interface.reason, .dim)]) }
            parts.append(table.description)
        }
        var facts = Table(["", ""])
        facts.add(["Sampled", .init(sampledText, ledger.dropped > 0 ? .yellow : .plain)])
        facts.add([
            "Sampling",
            .init("one in \(sampling.n), \(sampling.state)", sampling.state == "overload" ? .yellow : .plain),
        ])
        let turnedAway = flows.evicted > 0 || flows.missed > 0
        facts.add(["Flows", .init(flowsText, turnedAway ? .yellow : .plain)])
        facts.add(["Threats", .init(threatsText, threats.map { $0.open > 0 } ?? false ? .red : .plain)])
        facts.add(["Redis", .init(redisText, redis?.state == "connected" ? .plain : .yellow)])
        for sink in sinks { facts.add([.init(sink.name), .init(text(of: sink), isWell(sink) ? .plain : .yellow)]) }
        let memory = "\(formattedBytes(kernelMemory.maps)) maps, \(formattedBytes(kernelMemory.rings)) rings"
        facts.add(["Kernel memory", .init(memory)])
        parts.append(facts.description)
        if !open.isEmpty {
            parts.append(([ThreatAnswer.heading] + open.prefix(Self.mostThreats).map(\.line)).joined(separator: "\n"))
        }
        return parts.joined(separator: "\n\n")
    }

    private var sampledText: String {
        "\(formattedCount(ledger.offered)) frames offered, \(formattedCount(ledger.kept)) kept, "
            + "\(formattedCount(ledger.dropped)) dropped, \(formattedCount(ledger.decoded)) decoded, "
            + "\(formattedCount(ledger.malformed)) malformed, \(formattedCount(ledger.shed)) shed, residue \(formattedCount(ledger.residue))"
    }

    private var flowsText: String {
        "\(formattedCount(flows.open)) open, \(formattedCount(flows.ended)) ended, "
            + "\(formattedCount(flows.evicted)) made room for others, \(formattedCount(flows.missed)) records missed"
    }

    private static let mostThreats = 10

    private var threatsText: String {
        guard let threats else { return "nothing is judged" }
        let away = threats.turnedAway > 0 ? ", \(formattedCount(threats.turnedAway)) found no room" : ""
        let highest = threats.open > 0 ? ", the highest \(threats.highest)" : ""
        return "\(threats.open) open\(highest), \(threats.closed) closed\(away)"
    }

    private var redisText: String {
        guard let redis else { return "off" }
        let cause = redis.cause.isEmpty ? "" : " (\(redis.cause))"
        return "\(redis.state)\(cause), \(redis.address), \(formattedCount(redis.published)) published, "
            + "\(formattedCount(redis.lost)) lost"
    }

    private func isWell(_ sink: Sink) -> Bool {
        ["starting", "working"].contains(sink.state) && sink.lost + sink.refused == 0
    }

    private func text(of sink: Sink) -> String {
        let cause = sink.cause.isEmpty ? "" : " (\(sink.cause))"
        return "\(sink.state)\(cause), \(sink.address), \(formattedCount(sink.delivered)) delivered, "
            + "\(formattedCount(sink.waiting)) waiting, \(formattedCount(sink.refused)) refused, "
            + "\(formattedCount(sink.lost)) lost"
    }

    static func duration(_ seconds: UInt64) -> String {
        let units = [
            (seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s"),
        ]
        let shown = units.drop { $0.0 == 0 }.prefix(2)
        return shown.isEmpty ? "0 s" : shown.map { "\($0.0) \($0.1)" }.joined(separator: " ")
    }
}
