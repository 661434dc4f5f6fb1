import ArgumentParser
import Sensor

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check on this host, for 30 seconds, that what the running sensor says is true."
    )

    @OptionGroup var options: ConfigurationOptions

    @Flag(name: .long, help: "Print one JSON object.")
    var json = false

    func run() async throws {
        let configuration = try options.load().configuration
        let held = try await verifySensor(configuration, json: json)
        if !held { throw ExitCode.failure }
    }
}
