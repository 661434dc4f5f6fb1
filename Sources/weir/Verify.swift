import ArgumentParser
import Glibc
import Linux
import Reports
import Sensor

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check on this host, for 30 seconds, that what the sensor says is true.",
        discussion: """
            Compares its counters with the interfaces' own, and what stands in Redis with what was sent; looks at the ledger \
            and at the attached programs. Asks the running sensor, or starts one for the time. Exit status 0: all held.
            """
    )

    @OptionGroup var options: ConfigurationOptions

    @Option(name: .long, help: ArgumentHelp("How long, 5 to 3600.", valueName: "seconds"))
    var seconds = 30

    @Flag(name: .long, help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if !(5...3_600).contains(seconds) { throw ValidationError("--seconds takes 5 to 3600, not \(seconds)") }
    }

    func run() throws {
        var configuration = try options.load().configuration
        var started: TemporarySensor?
        if (try? SensorClient(path: configuration.socketPath).get("/api/status")) == nil {
            say("weir: no sensor runs here, so one is started for \(seconds) seconds")
            started = try TemporarySensor(options)
            if let started { configuration.dataDirectory = started.directory }
        }
        defer { started?.stop() }
        say("weir: checking for \(seconds) seconds")
        let checks: [Verification.Check]
        do {
            checks = try Verification(configuration).run(seconds: seconds)
        } catch {
            throw failure(error.status, "\(error)")
        }
        if json {
            try Terminal.print(Self.json(checks))
        } else {
            var table = Table(["", "WHAT", "FOUND"])
            for check in checks {
                table.add([
                    check.held ? .init("holds", .green) : .init("FAILS", .red), .init(check.what), .init(check.found),
                ])
            }
            try Terminal.print(table.description)
        }
        if checks.contains(where: { !$0.held }) { throw ExitCode.failure }
    }

    private static func json(_ checks: [Verification.Check]) -> String {
        var json = JSONWriter()
        json.object { json in
            json.field("schema", 1)
            json.field("held", checks.allSatisfy(\.held))
            json.array("checks") { json in
                for check in checks {
                    json.object { json in
                        json.field("check", check.what)
                        json.field("held", check.held)
                        json.field("found", check.found)
                    }
                }
            }
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }
}

/// A sensor that runs as long as the check, in a data directory of its own.
private final class TemporarySensor {
    let directory: String
    private var program: Subprocess?

    init(_ options: ConfigurationOptions) throws {
        var template = Array("/tmp/weir-verify-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw failure(.cannotCreate, "mkdtemp /tmp: \(Errno.current)") }
        directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        var words = ["weir", "run", "--data-dir", directory]
        if let config = options.config { words += ["--config", config] }
        do throws(SystemError) {
            program = try Subprocess("/proc/self/exe", words)
        } catch {
            throw failure(.unavailable, "cannot start a sensor: \(error)")
        }
        let client = SensorClient(path: directory + "/weir.sock")
        for _ in 0..<100 {
            usleep(100_000)
            if (try? client.get("/api/status")) != nil { return }
            if program?.isRunning != true { break }
        }
        stop()
        throw failure(.unavailable, "the sensor did not start; `weir doctor` says why")
    }

    func stop() {
        program?.send(SIGTERM)
        program?.wait()
        for name in ["network_monitor.log", "weir.sock"] { _ = unsafe unlink(directory + "/" + name) }
        _ = unsafe rmdir(directory)
    }
}
