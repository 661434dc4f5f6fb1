public import Linux
public import Reports

/// Files of lines, one of which is written at a time.
public struct LineFileSettings: Sendable {
    /// Absolute path of the file being written; full ones are `path.1` (the newest) to `path.N`.
    public var path: String
    /// Bytes of one file.
    public var size: Int
    /// Full files that are kept beside the one being written.
    public var keep: Int
    /// The first line of every file, without its end; empty: none.
    public var header: [UInt8]
    /// Bytes that may wait while the disk does not take them.
    public var queue: Int

    public init(path: String, size: Int = 64 << 20, keep: Int = 8, header: [UInt8] = [], queue: Int = 8 << 20) {
        self.path = path
        self.size = size
        self.keep = keep
        self.header = header
        self.queue = queue
    }
}

extension Sink {
    /// Writes each document, which holds no line feed, as one line.
    /// - Parameter onChange: called on the sink's thread each time the state becomes another one.
    public convenience init(
        flows settings: LineFileSettings,
        onChange: @escaping @Sendable (SinkStatus) -> Void
    ) throws(SystemError) {
        try self.init("flows", settings, onChange: onChange)
    }

    /// Writes each document, which holds no line feed, as one line.
    /// - Parameter onChange: called on the sink's thread each time the state becomes another one.
    public convenience init(
        threats settings: LineFileSettings,
        onChange: @escaping @Sendable (SinkStatus) -> Void
    ) throws(SystemError) {
        try self.init("threats", settings, onChange: onChange)
    }

    /// - Parameter topic: what the lines are about, as the configuration calls it.
    private convenience init(
        _ topic: String,
        _ settings: LineFileSettings,
        onChange: @escaping @Sendable (SinkStatus) -> Void
    ) throws(SystemError) {
        try self.init(
            SinkStatus(name: "publish.\(topic).file", address: settings.path),
            Outbox.Limits(count: 65_536, bytes: settings.queue),
            onChange: onChange
        ) { FileReceiver(settings, topic: topic) }
    }
}
