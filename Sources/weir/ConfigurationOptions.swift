import ArgumentParser
import Glibc
import Sensor

/// `--config` and `--data-dir`, which every command takes that needs to know the sensor's settings.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("Configuration file (default: /etc/weir/weir.yaml, if there).", valueName: "file")
    )
    var config: String?

    @Option(name: .long, help: ArgumentHelp("Directory of socket, log and state.", valueName: "dir"))
    var dataDir: String?

    /// The configuration under these flags; a wrong one ends the command.
    func load(_ flags: [Configuration.Flag] = []) throws -> Configuration.Loaded {
        do {
            return try read(flags)
        } catch {
            for problem in error.problems { say("weir: \(problem)") }
            say("weir: the configuration is wrong; `weir check --list` shows every key with its range")
            throw ExitCode(ExitStatus.configuration.rawValue)
        }
    }

    func read(_ flags: [Configuration.Flag] = []) throws(ConfigurationError) -> Configuration.Loaded {
        var flags = flags
        if let dataDir { flags.append(.init(name: "--data-dir", key: "data_dir", values: [dataDir])) }
        return try Configuration.load(file: config, environment: Self.environment, flags: flags)
    }

    private static var environment: [String: String] {
        var variables: [String: String] = [:]
        var next = unsafe environ
        while let entry = unsafe next.pointee {
            let parts = unsafe String(cString: entry).split(
                separator: "=",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
            unsafe next += 1
        }
        return variables
    }
}
