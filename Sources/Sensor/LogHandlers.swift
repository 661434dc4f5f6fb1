import Glibc
import Linux
import Logging
import Reports

/// One event of the log, before it has a form.
struct LogLine {
    var time: WallTime
    var name: String
    var level: Logger.Level
    var message: String
    var fields: [(name: String, value: String)]

    /// `time - name - LEVEL - message`, as in the log file.
    var filed: String { "\(time.formatted(.milliseconds)) - \(name) - \(level.rawValue.uppercased()) - \(text)" }

    /// For people at a terminal; coloured on request.
    func shown(coloured: Bool) -> String {
        let clock = time.formatted(.milliseconds).dropFirst(11).prefix(8)
        var label = level.rawValue.uppercased()
        label += String(repeating: " ", count: max(0, 8 - label.count))
        return "\(clock) \(coloured ? colour + label + "\u{1B}[0m" : label) \(text)"
    }

    /// One JSON object.
    var json: String {
        var json = JSONWriter()
        json.object { json in
            json.field("timestamp", time, digits: .milliseconds)
            json.field("level", level.rawValue)
            json.field("logger", name, limit: 64)
            json.field("message", message, limit: Self.limit)
            for field in fields { json.field(field.name, field.value, limit: Self.limit) }
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }

    /// Characters of a message or field.
    private static let limit = 4_096

    private var text: String {
        let parts = [message] + fields.map { "\($0.name)=\($0.value)" }
        return String(harmless: parts.joined(separator: " ").utf8, limit: Self.limit)
    }

    private var colour: String {
        switch level {
        case .trace, .debug: "\u{1B}[2m"
        case .info: "\u{1B}[32m"
        case .notice: "\u{1B}[36m"
        case .warning: "\u{1B}[33m"
        case .error, .critical: "\u{1B}[31m"
        }
    }
}

/// A swift-log handler that hands finished lines to a console or a file.
struct LineLogHandler: LogHandler {
    enum Output: Sendable {
        case text(descriptor: Int32, coloured: Bool)
        case json(descriptor: Int32)
        case file(LogFile)
    }

    let name: String
    let output: Output
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }
        let line = LogLine(
            time: .now,
            name: name,
            level: event.level,
            message: event.message.description,
            fields: fields.sorted { $0.key < $1.key }.map { ($0.key, $0.value.description) }
        )
        switch output {
        case .text(let descriptor, let coloured): print(line.shown(coloured: coloured), to: descriptor)
        case .json(let descriptor): print(line.json, to: descriptor)
        case .file(let file):
            file.append(line.filed) { lost in
                LogLine(
                    time: line.time,
                    name: name,
                    level: .warning,
                    message: "\(lost) lines before this one could not be written",
                    fields: []
                ).filed
            }
        }
    }

    /// A console that is gone or full loses the line: nothing could be told about it anywhere else.
    private func print(_ line: String, to descriptor: Int32) {
        let bytes = Array((line + "\n").utf8)
        _ = unsafe write(descriptor, bytes, bytes.count)
    }
}

extension LogFile {
    /// Sends all of swift-log to standard error and, unless `log.file` is empty, to the log file. Once per process.
    ///
    /// - Returns: the log file, which counts lost lines.
    @discardableResult
    public static func startLogging(_ configuration: Configuration) -> LogFile? {
        let log = configuration.log
        let file = log.path(in: configuration.dataDirectory).map { LogFile(path: $0) }
        let level = Logger.Level(rawValue: log.level.rawValue) ?? .info
        let isTerminal = isatty(STDERR_FILENO) == 1
        let console: LineLogHandler.Output
        switch log.format {
        case .json: console = .json(descriptor: STDERR_FILENO)
        case .auto where !isTerminal: console = .json(descriptor: STDERR_FILENO)
        case .auto, .text:
            let wantsColour = unsafe isTerminal && getenv("NO_COLOR") == nil
            console = .text(descriptor: STDERR_FILENO, coloured: wantsColour)
        }
        LoggingSystem.bootstrap { name in
            let shown = LineLogHandler(name: name, output: console, logLevel: level)
            guard let file else { return shown }
            return MultiplexLogHandler([shown, LineLogHandler(name: name, output: .file(file), logLevel: level)])
        }
        return file
    }
}

extension Configuration.Log {
    /// Where the log file lies; nil when it is switched off.
    func path(in directory: String) -> String? {
        if file.isEmpty { return nil }
        return file.hasPrefix("/") ? file : directory + "/" + file
    }
}
