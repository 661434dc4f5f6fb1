import ArgumentParser
import Reports
import Sensor

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the configuration: file, environment and flags.",
        discussion: "Exit status 78 when something is wrong."
    )

    @OptionGroup var options: ConfigurationOptions

    @Flag(name: .long, help: "Show every key with its value, range and where it was set.")
    var list = false

    @Flag(name: .long, help: "Print a default file, all of it comments, and check nothing.")
    var template = false

    @Flag(name: .long, help: "Print one JSON object.")
    var json = false

    func run() throws {
        if template { return try Terminal.print(Array(Configuration.documentedFile.utf8)) }
        do throws(ConfigurationError) {
            let loaded = try options.read()
            if json { return try print(Self.json(loaded, [], list: list)) }
            if list { try print(Self.table(loaded)) }
            say("weir: the configuration is right (\(loaded.file ?? "no file"), \(loaded.origins.count) keys set)")
        } catch {
            if json { try print(Self.json(nil, error.problems, list: false)) }
            for problem in error.problems where !json { say("weir: \(problem)") }
            throw ExitCode(ExitStatus.configuration.rawValue)
        }
    }

    private func print(_ text: String) throws(ConfigurationError) {
        try? Terminal.print(text)
    }

    static func table(_ loaded: Configuration.Loaded) -> String {
        var table = Table(["KEY", "VALUE", "SET BY", "ALLOWED", "MEANING"])
        for setting in Configuration.settings {
            let origin = loaded.origins[setting.key]
            table.add([
                .init(setting.key, .bold),
                .init(setting.written(loaded.configuration), origin == nil ? .plain : .green),
                .init(origin ?? "default", .dim),
                .init(setting.allowed),
                .init(setting.help, .dim),
            ])
        }
        return table.description
    }

    static func json(_ loaded: Configuration.Loaded?, _ problems: [ConfigurationError.Problem], list: Bool) -> String {
        var json = JSONWriter()
        json.object { json in
            json.field("schema", 1)
            json.field("ok", loaded != nil)
            if let file = loaded?.file { json.field("file", file) }
            json.array("problems") { json in
                for problem in problems {
                    json.object { json in
                        json.field("key", problem.key)
                        if let value = problem.value { json.field("value", value) }
                        json.field("message", problem.message)
                        json.field("origin", problem.origin)
                    }
                }
            }
            guard let loaded, list else { return }
            json.array("settings") { json in
                for setting in Configuration.settings {
                    json.object { json in
                        json.field("key", setting.key)
                        json.field("value", setting.written(loaded.configuration))
                        json.field("default", setting.standard)
                        json.field("origin", loaded.origins[setting.key] ?? "default")
                        json.field("allowed", setting.allowed)
                        json.field("variable", setting.variable)
                        json.field("help", setting.help)
                    }
                }
            }
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
