import ArgumentParser
import Reports
import Sensor

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what this host can and cannot do for the sensor, and what to do about it.",
        discussion: "Exit status 1 when something fails. Changes nothing."
    )

    @OptionGroup var options: ConfigurationOptions

    @Flag(name: .long, help: "Print one JSON object.")
    var json = false

    func run() throws {
        let configuration = try options.load().configuration
        let findings = Examination(configuration).findings
        if json {
            try Terminal.print(Self.json(findings))
        } else {
            var table = Table(["", "WHAT", "FOUND"])
            for finding in findings {
                table.add([finding.level.cell, .init(finding.what, .bold), .init(finding.found)])
                if !finding.remedy.isEmpty { table.add(["", "", .init("-> " + finding.remedy, .dim)]) }
            }
            try Terminal.print(table.description)
        }
        if findings.contains(where: { $0.level == .fail }) { throw ExitCode.failure }
    }

    private static func json(_ findings: [Finding]) -> String {
        var json = JSONWriter()
        json.object { json in
            json.field("schema", 1)
            json.field("ok", !findings.contains { $0.level == .fail })
            json.array("checks") { json in
                for finding in findings {
                    json.object { json in
                        json.field("check", finding.what)
                        json.field("level", finding.level.rawValue)
                        json.field("found", finding.found)
                        if !finding.remedy.isEmpty { json.field("remedy", finding.remedy) }
                    }
                }
            }
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }
}

/// One line of the doctor's.
struct Finding: Equatable {
    enum Level: String {
        case ok, warn, fail

        var cell: Table.Cell {
            switch self {
            case .ok: .init("ok", .green)
            case .warn: .init("warn", .yellow)
            case .fail: .init("FAIL", .red)
            }
        }
    }

    var level: Level
    var what: String
    var found: String
    /// What to do about it; empty when nothing is needed.
    var remedy = ""
}
