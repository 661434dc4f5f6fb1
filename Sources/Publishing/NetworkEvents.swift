public import Linux
public import Reports

/// Sources of threats for the original system's map: entries of a Redis stream, `ml:network_events` there, with the
/// fields `ip`, `is_attack`, `confidence`, `timestamp` and `msg`.
public final class NetworkEvents: Sendable {
    private let sink: Sink
    private let clientID: String
    private let resourceID: String

    /// - Parameters:
    ///   - clientID: whose host this is; stands in `msg`.
    ///   - resourceID: name of this host; the map shows an event to those who look at this resource.
    ///   - onChange: called on the sink's thread each time the state becomes another one.
    public init(
        _ settings: StreamSettings,
        clientID: String,
        resourceID: String,
        onChange: @escaping @Sendable (SinkStatus) -> Void
    ) throws(SystemError) {
        self.clientID = clientID
        self.resourceID = resourceID
        let fields = ["ip", "is_attack", "confidence", "timestamp", "msg"]
        sink = try Sink("publish.events.stream", settings, fields: fields, onChange: onChange)
    }

    /// Hands over one source; returns at once.
    /// - Parameters:
    ///   - ip: its address as text.
    ///   - confidence: from 0 to 1; what lies outside, or is no number, becomes the nearest of them or 0.
    public func report(ip: String, isAttack: Bool, confidence: Double, time: WallTime) {
        let confidence = confidence.isNaN ? 0 : min(max(confidence, 0), 1)
        var number = JSONWriter()
        number.decimal(confidence, places: 4)
        var message = JSONWriter()
        message.object { json in
            json.field("client_id", clientID)
            json.field("resource_id", resourceID)
            json.field("ip", ip)
            json.field("is_attack", isAttack)
            json.field("confidence", confidence, places: 4)
            json.field("timestamp", time, digits: .milliseconds)
        }
        let timestamp = time.formatted(.milliseconds)
        sink.offer(fields: [
            Array(ip.utf8), Array((isAttack ? "true" : "false").utf8), number.bytes, Array(timestamp.utf8),
            message.bytes,
        ])
    }

    /// How it goes; returns at once.
    public var status: SinkStatus { sink.status }

    /// Asks for the end; returns at once.
    public func stop() { sink.stop() }

    /// Ends the thread, after what waits was written if Redis takes it now. Blocks for at most `Sink.patience`.
    /// - Returns: whether nothing that waited was lost.
    @discardableResult
    public func finish() -> Bool { sink.finish() }
}
