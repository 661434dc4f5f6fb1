import ArgumentParser
import FoundationEssentials
import Glibc
import Linux
import Sensor

struct Threats: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show incidents that the running sensor has found, or one of them with its evidence.",
        discussion: "Without an ID: those that are open, and those that closed in the last 10 minutes; newest first."
    )

    @OptionGroup var options: ConfigurationOptions

    @Argument(help: ArgumentHelp("An incident's 16 digits: it is shown whole.", valueName: "id"))
    var id: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Write the packets about this incident to a file, in the format pcapng.", valueName: "file")
    )
    var pcap: String?

    @Flag(name: .shortAndLong, help: "Go on with what changes, until interrupted.")
    var follow = false

    @Flag(name: .shortAndLong, help: "All that the sensor holds, also what closed long ago.")
    var all = false

    @Flag(name: .long, help: "Print one JSON object; with --follow one incident a line, whole.")
    var json = false

    func validate() throws {
        if let id, id.utf8.count > 64 || !id.utf8.allSatisfy({ isxdigit(Int32($0)) != 0 }) {
            throw ValidationError("an incident's id has 16 hexadecimal digits; `weir threats` lists them")
        }
        if pcap != nil, id == nil || json { throw ValidationError("--pcap takes one incident's id, and no --json") }
        if id != nil, follow || all { throw ValidationError("--follow and --all show many incidents, not one") }
    }

    func run() throws {
        let client = SensorClient(path: try options.load().configuration.socketPath)
        do {
            if let id, let pcap {
                try write(id, to: pcap, client)
            } else if let id {
                try show(id, client)
            } else if follow {
                try follow(client)
            } else {
                try list(client)
            }
        } catch let error as SensorClient.ClientError {
            throw failure(error.status, "\(error)")
        }
    }

    private static let path = "/api/threats"
    private var query: String { all ? "?since=1970-01-01T00:00:00Z" : "" }

    private func show(_ id: String, _ client: SensorClient) throws {
        let body = try whole(id, client)
        try Terminal.print((json ? body : Array(try ThreatAnswer(body).text.utf8)) + Array("\n".utf8))
    }

    private func write(_ id: String, to name: String, _ client: SensorClient) throws {
        let capture = try whole(id, client, part: "/packets")
        do throws(SystemError) {
            let number = try check("open") {
                unsafe open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            }
            let file = Descriptor(owning: number)
            let bytes = capture.span
            try Linux.write(all: unsafe bytes.bytes, to: file.rawValue)
        } catch {
            throw failure(.cannotCreate, "\(name): \(error)")
        }
    }

    private func whole(_ id: String, _ client: SensorClient, part: String = "") throws -> [UInt8] {
        do throws(SensorClient.ClientError) {
            return try client.get("\(Self.path)/\(id.lowercased())\(part)")
        } catch {
            guard case .refused(404, _) = error else { throw error }
            throw failure(.noInput, "the sensor holds no incident \(id); `weir threats --all` lists those that it does")
        }
    }

    private func list(_ client: SensorClient) throws {
        let body = try client.get(Self.path + query)
        if json { return try Terminal.print(body + Array("\n".utf8)) }
        let threats = try ThreatRows(body).threats
        if threats.isEmpty { return say("weir: no incident is open, and none \(all ? "is held" : "closed lately")") }
        try Terminal.print(ThreatAnswer.heading)
        for threat in threats { try Terminal.print(threat.line) }
    }

    private func follow(_ client: SensorClient) throws {
        var news = ThreatNews()
        if !json { try Terminal.print(ThreatAnswer.heading) }
        while true {
            for threat in news.take(try ThreatRows(try client.get(Self.path + query)).threats) {
                if json {
                    // It may be gone by now.
                    guard let whole = try? client.get("\(Self.path)/\(threat.id)") else { continue }
                    try Terminal.print(whole + Array("\n".utf8))
                } else {
                    try Terminal.print(threat.line)
                }
            }
            usleep(500_000)
        }
    }
}

/// What changed between two lists of incidents.
struct ThreatNews {
    private var told: [String: UInt32] = [:]

    /// - Returns: those that are new, or of which an event came since the list before; in the order of time.
    mutating func take(_ threats: [ThreatAnswer]) -> [ThreatAnswer] {
        let news = threats.filter { told[$0.id] != $0.sequence }
        told = Dictionary(threats.map { ($0.id, $0.sequence) }) { $1 }
        return news.sorted { ($0.timestamp, $0.id) < ($1.timestamp, $1.id) }
    }
}

/// The answer to `GET /api/threats`.
struct ThreatRows: Decodable {
    var threats: [ThreatAnswer]

    init(_ body: [UInt8]) throws(SensorClient.ClientError) {
        do {
            self = try JSONDecoder.snakeCase.decode(ThreatRows.self, from: Data(body))
        } catch {
            throw .unreadable("\(error)")
        }
    }
}

/// One incident, as far as it is shown.
struct ThreatAnswer: Decodable {
    struct Subject: Decodable {
        var port: UInt16?
    }

    struct Source: Decodable {
        var address: String
        var count: Double
    }

    struct Sources: Decodable {
        var distinct: UInt64
        var countedAs: String
        var top: [Source]
    }

    struct Process: Decodable {
        var program: String
        var pid: Int32?
        var unit: String?
    }

    struct Measure: Decodable {
        var name: String
        var value, latest: Double
        var level, baseline: Double?
        var unit: String
    }

    struct Port: Decodable {
        var port: UInt16
        var count: Double
    }

    struct Cost: Decodable {
        var total, perHour: Double
        var unit: String
    }

    struct Sampling: Decodable {
        var offered, kept: UInt64
    }

    struct Evidence: Decodable {
        var measures: [Measure]
        var ports: [Port]
        var cost: Cost?
        var sampling: Sampling?
        var packets: [PacketRows.Packet]?
    }

    var id, type, `class`, state, severity, srcIp, destIp, timestamp, opened, last, summary, advice: String
    var closed: String?
    var sequence: UInt32
    var confidence: Int
    var ratio: Double
    var folded: UInt64
    var subject: Subject
    var sources: Sources
    var process: Process?
    var evidence: Evidence?

    init(_ body: [UInt8]) throws(SensorClient.ClientError) {
        do {
            self = try JSONDecoder.snakeCase.decode(ThreatAnswer.self, from: Data(body))
        } catch {
            throw .unreadable("\(error)")
        }
    }
}

// MARK: - For people

extension ThreatAnswer {
    static let heading = Terminal.styled(
        "TIME                  STATE      SEVERITY  SURE  CLASS                     SOURCE           TARGET                 "
            + "ID                SUMMARY",
        .dim
    )

    /// In columns that stay where they are.
    var line: String {
        let start = "\(Self.told(timestamp))  \(padded(state, 9))  "
        let rest =
            "  \(padded("\(confidence) %", 5, right: true)) \(padded(`class`, 24))  \(padded(srcIp, 15))  "
            + "\(padded(target, 21))  \(id)  \(summary)"
        return String(harmless: start.utf8) + Terminal.styled(padded(severity, 8), style)
            + String(harmless: rest.utf8, limit: 1_024)
    }

    private var target: String {
        guard let port = subject.port else { return destIp }
        return destIp.contains(":") ? "[\(destIp)]:\(port)" : "\(destIp):\(port)"
    }

    private var style: Terminal.Style {
        switch severity {
        case "Critical", "High": state == "closed" ? .plain : .red
        case "Medium": state == "closed" ? .plain : .yellow
        default: .plain
        }
    }

    /// Without fractions of a second.
    private static func told(_ time: String) -> String { time.prefix(19) + "Z" }

    private func told(_ number: Double) -> String {
        guard number.magnitude < 1e15 else { return "\(number)" }
        let isWhole = number == number.rounded()
        return isWhole && number >= 0 ? formattedCount(UInt64(number)) : "\(number)"
    }

    var text: String {
        var parts = ["\(Terminal.styled(String(harmless: `class`.utf8), .bold)) (\(type)) at \(target), incident \(id)"]
        if !summary.isEmpty { parts.append(String(harmless: summary.utf8, limit: 1_024)) }
        if !advice.isEmpty { parts.append("What to do: " + String(harmless: advice.utf8, limit: 1_024)) }
        parts.append(facts.description)
        if !sources.top.isEmpty {
            var table = Table(["SOURCE", sources.countedAs.uppercased()], numbers: [1])
            for source in sources.top { table.add([.init(source.address), .init(told(source.count.rounded()))]) }
            parts.append(table.description)
        }
        guard let evidence else { return parts.joined(separator: "\n\n") }
        if !evidence.measures.isEmpty { parts.append(Self.table(evidence.measures, told)) }
        if !evidence.ports.isEmpty {
            var table = Table(["PORT", sources.countedAs.uppercased()], numbers: [0, 1])
            for port in evidence.ports { table.add([.init("\(port.port)"), .init(told(port.count.rounded()))]) }
            parts.append(table.description)
        }
        if let packets = evidence.packets, !packets.isEmpty {
            let lines = packets.map(PacketPrinter.line)
            parts.append(([Terminal.styled(PacketPrinter.heading, .dim)] + lines).joined(separator: "\n"))
        }
        return parts.joined(separator: "\n\n")
    }

    private var facts: Table {
        var facts = Table(["", ""])
        facts.add(["State", .init("\(state), \(severity), \(confidence) % sure", style)])
        let end = closed.map { ", closed \(Self.told($0))" } ?? ""
        facts.add(["Time", .init("opened \(Self.told(opened)), last seen \(Self.told(last))\(end)")])
        facts.add(["Strength", .init("up to \(told(ratio)) times its level")])
        facts.add([
            "Source", .init(srcIp.isEmpty ? "not known" : "\(srcIp), of about \(formattedCount(sources.distinct))"),
        ])
        if let process {
            let more = [process.pid.map { "process \($0)" }, process.unit].compactMap(\.self).joined(separator: ", ")
            facts.add(["Service", .init(more.isEmpty ? process.program : "\(process.program) (\(more))")])
        }
        if let cost = evidence?.cost {
            facts.add(["Cost", .init("\(told(cost.total)) \(cost.unit) so far, \(told(cost.perHour)) an hour")])
        }
        if let sampling = evidence?.sampling, sampling.offered > sampling.kept {
            let (kept, offered) = (formattedCount(sampling.kept), formattedCount(sampling.offered))
            facts.add(["Sampling", .init("\(kept) of \(offered) frames were read then")])
        }
        if folded > 0 {
            facts.add(["Stands for", .init("\(formattedCount(folded)) more that found no room", .yellow)])
        }
        return facts
    }

    private static func table(_ measures: [Measure], _ told: (Double) -> String) -> String {
        var table = Table(["MEASURE", "HIGHEST", "LATEST", "LEVEL", "USUAL", "UNIT"], numbers: [1, 2, 3, 4])
        for measure in measures {
            let isAbove = measure.level.map { measure.value >= $0 } ?? false
            table.add([
                .init(measure.name),
                .init(told(measure.value), isAbove ? .bold : .plain),
                .init(told(measure.latest)),
                .init(measure.level.map(told) ?? ""),
                .init(measure.baseline.map(told) ?? ""),
                .init(measure.unit),
            ])
        }
        return table.description
    }
}
