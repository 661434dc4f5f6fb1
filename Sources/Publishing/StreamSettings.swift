public import Linux
public import Reports

/// A Redis stream that entries are appended to.
public struct StreamSettings: Sendable {
    public var address: RedisAddress
    /// The stream's key.
    public var key: String
    /// Entries it keeps, about: Redis cuts it where that costs nothing.
    public var length: Int
    /// Bytes that may wait while Redis does not take them.
    public var queue: Int

    public init(address: RedisAddress, key: String, length: Int = 100_000, queue: Int = 8 << 20) {
        self.address = address
        self.key = key
        self.length = length
        self.queue = queue
    }
}

extension Sink {
    /// Appends each document to a stream, as the one field `flow`.
    /// - Parameter onChange: called on the sink's thread each time the state becomes another one.
    public convenience init(
        flows settings: StreamSettings,
        onChange: @escaping @Sendable (SinkStatus) -> Void
    ) throws(SystemError) {
        try self.init("publish.flows.stream", settings, fields: ["flow"], onChange: onChange)
    }

    /// Appends each document to a stream, as the one field `event`.
    /// - Parameter onChange: called on the sink's thread each time the state becomes another one.
    public convenience init(
        threats settings: StreamSettings,
        onChange: @escaping @Sendable (SinkStatus) -> Void
    ) throws(SystemError) {
        try self.init("publish.threats.stream", settings, fields: ["event"], onChange: onChange)
    }

    /// - Parameter fields: names of the values that each document has.
    convenience init(
        _ name: String,
        _ settings: StreamSettings,
        fields: [String],
        onChange: @escaping @Sendable (SinkStatus) -> Void
    ) throws(SystemError) {
        try self.init(
            SinkStatus(name: name, address: "\(settings.address), \(settings.key)"),
            Outbox.Limits(count: 65_536, bytes: settings.queue),
            onChange: onChange
        ) { StreamReceiver(settings, fields: fields) }
    }
}
