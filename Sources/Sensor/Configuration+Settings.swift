import Flows
import Host
import Publishing

/// One key of the configuration: from this row come parsing, validation, the name in the environment, the table of the
/// documentation and the commented default file.
public struct Setting: Sendable {
    /// Dotted path, for example `publish.interval`.
    public let key: String
    /// What may be given, for example `0.5 to 60 seconds`.
    public let allowed: String
    /// One sentence.
    public let help: String
    /// Takes several values: a YAML list, or values with commas between them.
    public let isList: Bool
    /// The value may hold a password, and is never quoted.
    let isSecret: Bool
    /// Reads the values as written; says why when they are not allowed.
    let set: @Sendable (inout Configuration, [String]) -> String?
    /// The values as they would be written.
    let get: @Sendable (Configuration) -> [String]

    /// Name in the environment, for example `WEIR_PUBLISH_INTERVAL`.
    public var variable: String { "WEIR_" + key.uppercased().replacing(".", with: "_") }

    /// The default as it would be written in the file.
    public var standard: String { written(Configuration()) }

    /// The value in a configuration as it would be written in the file, without any password.
    public func written(_ configuration: Configuration) -> String {
        let values = get(configuration)
        if isList { return "[" + values.joined(separator: ", ") + "]" }
        let value = values.first ?? ""
        return value.isEmpty ? "\"\"" : value
    }
}

extension Setting {
    typealias Path<Value> = WritableKeyPath<Configuration, Value> & Sendable

    static func number<Number: Comparable & LosslessStringConvertible & Sendable>(
        _ key: String,
        _ path: any Path<Number>,
        _ range: ClosedRange<Number>,
        unit: String = "",
        _ help: String
    ) -> Setting {
        Setting(
            key: key,
            allowed: "\(brief(range.lowerBound)) to \(brief(range.upperBound))" + (unit.isEmpty ? "" : " \(unit)"),
            help: help,
            isList: false,
            isSecret: false,
            set: { configuration, values in
                guard let number = Number(values.first ?? ""), range.contains(number) else { return Self.refusal }
                configuration[keyPath: path] = number
                return nil
            },
            get: { [brief($0[keyPath: path])] }
        )
    }

    /// A number of bytes: plain, or with KiB, MiB or GiB.
    static func size(_ key: String, _ path: any Path<Int>, _ range: ClosedRange<Int>, _ help: String) -> Setting {
        Setting(
            key: key,
            allowed: "\(bytes(range.lowerBound)) to \(bytes(range.upperBound)), in bytes, KiB, MiB or GiB",
            help: help,
            isList: false,
            isSecret: false,
            set: { configuration, values in
                guard let size = size(values.first ?? ""), range.contains(size) else { return Self.refusal }
                configuration[keyPath: path] = size
                return nil
            },
            get: { [bytes($0[keyPath: path])] }
        )
    }

    static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ key: String,
        _ path: any Path<Choice>,
        _ help: String
    ) -> Setting {
        Setting(
            key: key,
            allowed: Choice.allCases.map(\.rawValue).joined(separator: ", "),
            help: help,
            isList: false,
            isSecret: false,
            set: { configuration, values in
                guard let choice = Choice(rawValue: values.first ?? "") else { return Self.refusal }
                configuration[keyPath: path] = choice
                return nil
            },
            get: { [$0[keyPath: path].rawValue] }
        )
    }

    static func text(
        _ key: String,
        _ path: any Path<String>,
        _ allowed: String,
        _ help: String,
        where accepts: @escaping @Sendable (String) -> Bool
    ) -> Setting {
        Setting(
            key: key,
            allowed: allowed,
            help: help,
            isList: false,
            isSecret: false,
            set: { configuration, values in
                guard let text = values.first, accepts(text) else { return Self.refusal }
                configuration[keyPath: path] = text
                return nil
            },
            get: { [$0[keyPath: path]] }
        )
    }

    static func names(_ key: String, _ path: any Path<[String]>, _ help: String) -> Setting {
        Setting(
            key: key,
            allowed: "interface names of 1 to 15 characters, at most 64, or all",
            help: help,
            isList: true,
            isSecret: false,
            set: { configuration, values in
                let areNames = values.allSatisfy { $0.isWord && $0.utf8.count <= 15 && !$0.contains("/") }
                guard areNames, values.count <= 64 else { return Self.refusal }
                configuration[keyPath: path] = values
                return nil
            },
            get: { $0[keyPath: path] }
        )
    }

    static func ports(_ key: String, _ path: any Path<PortRanges>, _ help: String) -> Setting {
        Setting(
            key: key,
            allowed: "ports and ranges from 1 to 65535, such as 22, 8000-9000, 53/udp; at most \(PortRanges.limit)",
            help: help,
            isList: true,
            isSecret: false,
            set: { configuration, values in
                do {
                    configuration[keyPath: path] = try PortRanges(values.joined(separator: ","))
                    return nil
                } catch {
                    return "is not allowed: \(error)"
                }
            },
            get: { $0[keyPath: path].description.split(separator: ",").map(String.init) }
        )
    }

    static func redis(_ key: String, _ path: any Path<RedisAddress>, _ help: String) -> Setting {
        Setting(
            key: key,
            allowed: "redis://[user:password@]host[:port][/database] or unix:///path",
            help: help,
            isList: false,
            isSecret: true,
            set: { configuration, values in
                do {
                    configuration[keyPath: path] = try RedisAddress(values.first ?? "")
                    return nil
                } catch {
                    return "is not allowed: \(error)"
                }
            },
            get: { [$0[keyPath: path].description] }
        )
    }

    /// The original's prediction service, by the URL that flows are posted to; empty: none.
    static func service(_ key: String, _ path: any Path<HTTPAddress?>, _ help: String) -> Setting {
        Setting(
            key: key,
            allowed: "http://host[:port] and a path that ends in /predict/batch or /predict/buffered, or empty",
            help: help,
            isList: false,
            // Where a password could stand nothing is quoted.
            isSecret: true,
            set: { configuration, values in
                let text = values.first ?? ""
                do {
                    let address = text.isEmpty ? nil : try HTTPAddress(text)
                    if let address { _ = try PredictionSettings.mode(of: address) }
                    configuration[keyPath: path] = address
                    return nil
                } catch {
                    return "is not allowed: \(error)"
                }
            },
            get: { [$0[keyPath: path]?.description ?? ""] }
        )
    }

    static func limit(
        _ key: String,
        _ path: any Path<Configuration.Flows.Limit>,
        _ range: ClosedRange<Double>,
        _ help: String
    ) -> Setting {
        Setting(
            key: key,
            allowed: "auto, never, or \(brief(range.lowerBound)) to \(brief(range.upperBound)) seconds",
            help: help,
            isList: false,
            isSecret: false,
            set: { configuration, values in
                switch values.first ?? "" {
                case "auto": configuration[keyPath: path] = .auto
                case "never": configuration[keyPath: path] = .never
                case let text:
                    guard let seconds = Double(text), range.contains(seconds) else { return Self.refusal }
                    configuration[keyPath: path] = .seconds(seconds)
                }
                return nil
            },
            get: {
                switch $0[keyPath: path] {
                case .auto: ["auto"]
                case .never: ["never"]
                case .seconds(let seconds): [brief(seconds)]
                }
            }
        )
    }

    static let refusal = "is not allowed"

    static func brief<Number: LosslessStringConvertible>(_ number: Number) -> String {
        let text = String(number)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    private static let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]

    private static func bytes(_ count: Int) -> String {
        for (unit, size) in units where count >= size && count % size == 0 { return "\(count / size) \(unit)" }
        return String(count)
    }

    private static func size(_ text: String) -> Int? {
        for (unit, size) in units where text.hasSuffix(unit) {
            guard let count = Int(text.dropLast(unit.count).trimmed) else { return nil }
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            return overflow ? nil : product
        }
        return Int(text)
    }
}

extension StringProtocol {
    /// Without the blanks at both ends.
    var trimmed: SubSequence {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return self[endIndex...] }
        return self[first...last]
    }

    /// Fit for a part of a key and for JSON without escapes; may be empty.
    fileprivate var isName: Bool {
        utf8.count <= 128 && allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
    }

    /// Printable and without blanks: fit for a name on a line.
    fileprivate var isWord: Bool {
        !isEmpty && allSatisfy { $0.isASCII && !$0.isWhitespace && $0 > " " && $0 != "\u{7F}" }
    }
}

extension Configuration {
    /// Every key there is, in the order of the documentation.
    public static let settings = trafficSettings + detectionSettings + levelSettings + hostSettings

    private static let trafficSettings: [Setting] = [
        .names(
            "interfaces",
            \.interfaces,
            "Interfaces to watch. Empty: the one of the default route; all: every one that is up, save lo."
        ),
        .text(
            "resource_id",
            \.resourceID,
            "up to 128 letters, digits, '.', '_', '-', or empty",
            "Name of this host towards consumers; the document is also written to <publish.key>:<resource_id>.",
            where: { $0.isName }
        ),
        .text(
            "data_dir",
            \.dataDirectory,
            "an absolute path of up to 96 bytes",
            "Directory for the socket, the log file and state; made with mode 0700.",
            where: { $0.hasPrefix("/") && $0.utf8.count <= 96 && !$0.contains("\0") }
        ),
        .redis("redis.url", \.redis.address, "The Redis to publish to."),
        .text(
            "redis.password_file",
            \.redis.passwordFile,
            "an absolute path, or empty",
            "File whose first line is the password of Redis.",
            where: { $0.isEmpty || $0.hasPrefix("/") }
        ),
        .number("publish.interval", \.publish.interval, 0.5...60, unit: "seconds", "Time between two documents."),
        .number("publish.points", \.publish.points, 1...3600, "Points kept in networkSpeeds."),
        .text("publish.key", \.publish.key, "1 to 256 printable characters", "Redis key of the newest document.") {
            $0.isWord && $0.utf8.count <= 256
        },
        .text("publish.channel", \.publish.channel, "1 to 256 printable characters", "Redis channel of the documents.")
        {
            $0.isWord && $0.utf8.count <= 256
        },
        .text(
            "publish.client_id",
            \.publish.clientID,
            "up to 128 letters, digits, '.', '_', '-', or empty",
            "Whose host this is, towards the prediction service.",
            where: { $0.isName }
        ),
        .text(
            "publish.flows.stream",
            \.publish.flows.stream,
            "up to 256 printable characters, or empty",
            "Redis stream that each flow is appended to, such as weir:flows. Empty: none.",
            where: { $0.isEmpty || $0.isWord && $0.utf8.count <= 256 }
        ),
        .number(
            "publish.flows.length",
            \.publish.flows.length,
            1...100_000_000,
            unit: "entries",
            "What the stream keeps, about."
        ),
        .text(
            "publish.flows.file",
            \.publish.flows.file,
            "a path, absolute or below data_dir, or empty",
            "File that each flow is written to as a line; full ones are called FILE.1 (the newest), FILE.2 ... Empty: none.",
            where: { !$0.contains("\0") && !$0.hasSuffix("/") && $0.utf8.count <= 4_000 }
        ),
        .choice(
            "publish.flows.format",
            \.publish.flows.format,
            "Lines of the file: objects with all that is known, or CICFlowMeter's columns without interim records."
        ),
        .size("publish.flows.size", \.publish.flows.size, 64 << 10...1 << 40, "A file that would grow larger is full."),
        .number(
            "publish.flows.keep",
            \.publish.flows.keep,
            0...1_000,
            unit: "files",
            "Full files that are kept; the oldest goes first."
        ),
        .service(
            "publish.flows.http",
            \.publish.flows.service,
            "The original system's prediction service, which each ended flow is posted to. Empty: none."
        ),
        .size(
            "publish.flows.queue",
            \.publish.flows.queue,
            64 << 10...1 << 30,
            "Flows that may wait for a stream, file or service that is slow; beyond it the oldest go, and are counted."
        ),
        .text(
            "publish.threats.stream",
            \.publish.threats.stream,
            "up to 256 printable characters, or empty",
            "Redis stream that each event of an incident is appended to. Empty: none.",
            where: { $0.isEmpty || $0.isWord && $0.utf8.count <= 256 }
        ),
        .number(
            "publish.threats.length",
            \.publish.threats.length,
            1...100_000_000,
            unit: "entries",
            "What the stream keeps, about."
        ),
        .text(
            "publish.threats.file",
            \.publish.threats.file,
            "a path, absolute or below data_dir, or empty",
            "File that each event of an incident is written to as a line; full ones are called FILE.1 (the newest), FILE.2 ... Empty: none.",
            where: { !$0.contains("\0") && !$0.hasSuffix("/") && $0.utf8.count <= 4_000 }
        ),
        .size(
            "publish.threats.size",
            \.publish.threats.size,
            64 << 10...1 << 40,
            "A file that would grow larger is full."
        ),
        .number(
            "publish.threats.keep",
            \.publish.threats.keep,
            0...1_000,
            unit: "files",
            "Full files that are kept; the oldest goes first."
        ),
        .text(
            "publish.events.stream",
            \.publish.events.stream,
            "up to 256 printable characters, or empty",
            "Redis stream for the main source of each incident, as the original system's map reads it: ml:network_events. Empty: none.",
            where: { $0.isEmpty || $0.isWord && $0.utf8.count <= 256 }
        ),
        .number(
            "publish.events.length",
            \.publish.events.length,
            1...100_000_000,
            unit: "entries",
            "What the stream keeps, about."
        ),
        .text("disk.path", \.disk.path, "an absolute path", "A path on the filesystem whose space is reported.") {
            $0.hasPrefix("/")
        },
        .number(
            "sample.budget",
            \.sample.budget,
            1_000...10_000_000,
            unit: "frames a second",
            "What each class of frames may send to user space before it is sampled itself."
        ),
        .number(
            "sample.n",
            \.sample.oneIn,
            1...65_536,
            "One frame in this many is read, at least; overload raises it by itself."
        ),
        .number(
            "sample.snap",
            \.sample.snap,
            128...1_600,
            unit: "bytes",
            "What is kept of a frame; the first 8 frames of a flow keep 1,600."
        ),
        .number("capture.workers", \.capture.workers, 0...64, "Threads that read rings; 0: one per CPU, at most 4."),
        .size("capture.memory", \.capture.memory, 1 << 20...1 << 30, "Memory for all rings together."),
        .number(
            "count.clients",
            \.count.clients,
            1_024...4_194_304,
            "Pairs of client and service counted one by one in the kernel; the rest is counted in sum."
        ),
        .choice(
            "flows.profile",
            \.flows.profile,
            "How flows are cut and their features counted: by the definitions, or as CICFlowMeter does it."
        ),
        .limit(
            "flows.idle",
            \.flows.idle,
            0.1...86_400,
            "A flow ends so long after its last packet; auto: 60, in profile cic never."
        ),
        .limit(
            "flows.active",
            \.flows.active,
            0.1...86_400,
            "A packet so long after a flow's first begins the next flow; auto: 300, in profile cic 120."
        ),
        .limit(
            "flows.close",
            \.flows.close,
            0...3_600,
            "A closed TCP connection ends so long after its last packet; auto: 2, in profile cic 0; never: flags end nothing."
        ),
        .limit(
            "flows.interim",
            \.flows.interim,
            1...86_400,
            "Time between two interim records of a flow that goes on; auto: 10, in profile cic never."
        ),
        .size(
            "flows.memory",
            \.flows.memory,
            1 << 20...1 << 34,
            "Memory for all flows; when it is full some are evicted."
        ),
        .choice(
            "flows.entropy",
            \.flows.entropy,
            "Payload bytes whose entropy is measured: of none, of each flow's first, or of these and all packets."
        ),
        .number(
            "flows.recent",
            \.flows.recent,
            1...262_144,
            unit: "records",
            "Flow records that are kept for those who ask."
        ),
    ]

    private static let hostSettings: [Setting] = [
        .choice("ports.risk", \.ports.risk, "Whether exposure moves a port's risk by one class; seed: by port alone."),
        .ports("ports.ranges", \.ports.ranges, "Ports that are listed (never what is counted). Empty: all."),
        .ports("ports.expected", \.ports.expected, "Ports that should listen; one that does not is listed as closed."),
        .text(
            "log.file",
            \.log.file,
            "a path, absolute or below data_dir, or \"\" for none",
            "Log file, kept at 10 MiB x 5.",
            where: { !$0.contains("\0") && !$0.hasSuffix("/") }
        ),
        .choice("log.level", \.log.level, "The least level that is logged."),
        .choice("log.format", \.log.format, "The console's format; auto: text on a terminal, else JSON lines."),
    ]
}
