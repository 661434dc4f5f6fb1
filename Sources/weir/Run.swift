import ArgumentParser
import Glibc
import Linux
import Logging
import Sensor

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the sensor in the foreground.",
        discussion:
            "SIGTERM or SIGINT stops it cleanly, a second one at once. Needs root; without, it says what it cannot do."
    )

    @OptionGroup var options: ConfigurationOptions

    @Option(name: .long, help: ArgumentHelp("Interface to watch, or all. May be repeated.", valueName: "name"))
    var interface: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp("redis://[user:password@]host[:port][/database] or unix:///path.", valueName: "url")
    )
    var redis: String?

    @Option(name: .long, help: ArgumentHelp("Name of this host towards consumers.", valueName: "id"))
    var resourceID: String?

    func validate() throws {
        if interface.contains("") { throw ValidationError("--interface takes a name or all, not an empty text") }
    }

    func run() throws {
        var flags: [Configuration.Flag] = []
        if !interface.isEmpty { flags.append(.init(name: "--interface", key: "interfaces", values: interface)) }
        if let redis { flags.append(.init(name: "--redis", key: "redis.url", values: [redis])) }
        if let resourceID { flags.append(.init(name: "--resource-id", key: "resource_id", values: [resourceID])) }
        let configuration = try options.load(flags).configuration
        // What the sensor writes is for its owner alone.
        umask(0o077)
        do throws(SystemError) {
            try configuration.makeDataDirectory()
        } catch {
            throw failure(.cannotCreate, "\(error): run as root, or name another directory with --data-dir")
        }
        do {
            // Before any other thread starts: one that does not block a signal would get it the usual way.
            let signals = try SignalSource([SIGINT, SIGTERM])
            // A reader that goes away makes a write fail, not the sensor end.
            _ = signal(SIGPIPE, SIG_IGN)
            LogFile.startLogging(configuration)
            let sensor = try Sensor(configuration: configuration, version: Weir.version, logger: Logger(label: "weir"))
            try sensor.run(signals: signals)
        } catch {
            throw failure(.unavailable, "\(error)")
        }
    }
}
