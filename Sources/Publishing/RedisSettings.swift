/// What is published to Redis, and where.
public struct RedisSettings: Sendable {
    public var address: RedisAddress
    /// The key that holds the newest document.
    public var key: String
    /// The channel on which each document is sent.
    public var channel: String
    /// When set, `key:resourceID` holds the newest document as well.
    public var resourceID: String?
    /// Seconds a document stands in Redis when nothing follows it.
    public var timeToLive: Int

    /// - Parameter interval: how often documents come; they stand for three intervals, at least 60 s.
    public init(
        address: RedisAddress,
        key: String = "network_analysis:latest",
        channel: String = "network_analysis:updates",
        resourceID: String? = nil,
        interval: Duration = .seconds(2)
    ) {
        self.address = address
        self.key = key
        self.channel = channel
        self.resourceID = resourceID?.isEmpty ?? true ? nil : resourceID
        let (seconds, rest) = (interval * 3).components
        self.timeToLive = max(60, Int(clamping: seconds) + (rest > 0 ? 1 : 0))
    }
}
