import Configuration
import Glibc
import Linux

extension Configuration {
    /// The file that is read when none is named, if it is there.
    public static let defaultFile = "/etc/weir/weir.yaml"

    /// A flag of the command line that stands for a key.
    public struct Flag: Sendable {
        /// As written, for example `--redis`.
        public var name: String
        /// For example `redis.url`.
        public var key: String
        public var values: [String]

        public init(name: String, key: String, values: [String]) {
            self.name = name
            self.key = key
            self.values = values
        }
    }

    /// A configuration together with where each key's value came from.
    public struct Loaded: Sendable {
        public var configuration: Configuration
        /// The file that was read; nil when there was none.
        public var file: String?
        /// Keys that are not at their default, with the flag, variable or line that set them.
        public var origins: [String: String]
    }

    /// Reads flags, then `WEIR_*` of the environment, then the file, then the defaults: the first that names a key wins.
    /// Every layer is checked whole, also where a stronger one hides it.
    ///
    /// - Parameters:
    ///   - file: a YAML file that must exist; nil reads ``defaultFile`` if it is there.
    ///   - environment: all variables of the process.
    public static func load(
        file: String?,
        environment: [String: String],
        flags: [Flag] = []
    ) throws(ConfigurationError) -> Loaded {
        let path = file ?? (unsafe access(defaultFile, F_OK) == 0 ? defaultFile : nil)
        let layers = [
            Layer(flags: flags), Layer(environment: environment), path.map { Layer(ConfigurationFile(path: $0)) },
        ].compactMap(\.self)
        var problems = layers.flatMap(\.problems)

        for layer in layers {
            let reader = ConfigReader(provider: layer.provider)
            var scratch = Configuration()
            for setting in settings {
                guard let values = setting.values(from: reader), let reason = setting.set(&scratch, values) else {
                    continue
                }
                let origin = layer.origins[setting.key] ?? layer.provider.providerName
                problems.append(setting.problem(values, reason, origin))
            }
        }
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }

        let reader = ConfigReader(providers: layers.map(\.provider))
        var loaded = Loaded(configuration: Configuration(), file: path, origins: [:])
        for setting in settings {
            guard let values = setting.values(from: reader), setting.set(&loaded.configuration, values) == nil else {
                continue
            }
            loaded.origins[setting.key] = layers.lazy.compactMap { $0.origins[setting.key] }.first
        }
        return loaded
    }
}

extension Setting {
    /// As swift-configuration names it; the first part makes the environment's prefix.
    fileprivate var components: [String] { ["weir"] + key.split(separator: ".").map(String.init) }

    fileprivate func values(from reader: ConfigReader) -> [String]? {
        let key = ConfigKey(components)
        return isList ? reader.stringArray(forKey: key) : reader.string(forKey: key).map { [$0] }
    }

    fileprivate func problem(_ values: [String], _ reason: String, _ origin: String) -> ConfigurationError.Problem {
        .init(
            key: key,
            value: isSecret ? nil : String(harmless: values.joined(separator: ",").utf8, limit: 128),
            message: "\(reason); allowed: \(allowed)",
            origin: origin
        )
    }
}

/// One source of values: its provider, where each key was set, and what is wrong with it.
private struct Layer {
    private(set) var provider: any ConfigProvider
    private(set) var origins: [String: String] = [:]
    private(set) var problems: [ConfigurationError.Problem] = []

    init(flags: [Configuration.Flag]) {
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for flag in flags {
            guard let setting = Configuration.settings.first(where: { $0.key == flag.key }) else {
                preconditionFailure("flag \(flag.name) names no setting")
            }
            origins[flag.key] = flag.name
            values[AbsoluteConfigKey(setting.components)] = setting.content(flag.values)
        }
        provider = InMemoryProvider(name: "flags", values: values)
    }

    init(environment: [String: String]) {
        let variables = environment.filter { $0.key.hasPrefix("WEIR_") }
        let settings = Dictionary(uniqueKeysWithValues: Configuration.settings.map { ($0.variable, $0) })
        for name in variables.keys.sorted() {
            if let setting = settings[name] {
                origins[setting.key] = "environment variable \(name)"
            } else if !Self.foreign.contains(name) {
                problems.append(Self.unknown(name, among: Array(settings.keys), origin: "environment"))
            }
        }
        provider = EnvironmentVariablesProvider(environmentVariables: variables)
    }

    /// Variables of ours that are not the sensor's.
    private static let foreign: Set = ["WEIR_TEST_DATA"]

    init(_ file: ConfigurationFile) {
        problems = file.problems
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for (key, entry) in file.entries.sorted(by: { $0.value.line < $1.value.line }) {
            let origin = "\(file.path):\(entry.line)"
            guard let setting = Configuration.settings.first(where: { $0.key == key }) else {
                problems.append(Self.unknown(key, among: Configuration.settings.map(\.key), origin: origin))
                continue
            }
            if entry.isList && !setting.isList {
                problems.append(setting.problem(entry.values, "takes one value, not a list", origin))
                continue
            }
            origins[key] = origin
            values[AbsoluteConfigKey(setting.components)] = setting.content(entry.values)
        }
        provider = InMemoryProvider(name: file.path, values: values)
    }

    private static func unknown(
        _ name: String,
        among names: [String],
        origin: String
    ) -> ConfigurationError.Problem {
        let meant = suggestion(for: name, among: names.sorted())
        return .init(
            key: String(harmless: name.utf8, limit: 128),
            value: nil,
            message: "is not a key" + (meant.map { "; did you mean \($0)?" } ?? "; `weir check --list` shows all keys"),
            origin: origin
        )
    }
}

extension Setting {
    fileprivate func content(_ values: [String]) -> ConfigValue {
        let content: ConfigContent
        if isList {
            let parts = values.flatMap { $0.split(separator: ",", omittingEmptySubsequences: true) }
            content = .stringArray(parts.map { String($0.trimmed) })
        } else {
            content = .string(values.first ?? "")
        }
        return ConfigValue(content, isSecret: isSecret)
    }
}
