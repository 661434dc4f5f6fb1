public import Linux
public import Reports

/// The original system's prediction service.
public struct PredictionSettings: Sendable {
    /// How flows are handed over.
    public enum Mode: Equatable, Sendable {
        /// Many in one request, to `/predict/batch`.
        case batch
        /// One in each request, to `/predict/buffered`, which collects them.
        case buffered
    }

    /// With a path that ends in `/predict/batch` or `/predict/buffered`.
    public let address: HTTPAddress
    public let mode: Mode
    /// Whose flows these are. Of letters, digits, `.`, `_` and `-`.
    public let clientID: String
    /// Name of this host. Of letters, digits, `.`, `_` and `-`.
    public let resourceID: String
    /// Bytes that may wait while the service does not take them, in 2,000 flows at most.
    public var queue: Int
    /// For one answer.
    public var patience = Duration.seconds(10)

    public init(
        address: HTTPAddress,
        clientID: String,
        resourceID: String,
        queue: Int = 8 << 20
    ) throws(HTTPAddressError) {
        self.address = address
        mode = try Self.mode(of: address)
        self.clientID = clientID
        self.resourceID = resourceID
        self.queue = queue
    }

    /// How the service of an address takes flows.
    public static func mode(of address: HTTPAddress) throws(HTTPAddressError) -> Mode {
        if address.path.hasSuffix("/predict/batch") { return .batch }
        if address.path.hasSuffix("/predict/buffered") { return .buffered }
        throw .path
    }
}

extension Sink {
    /// Posts each document, a JSON object with the fields that the service demands; for `/predict/buffered` also with
    /// `client_id` and `resource_id`.
    /// - Parameter onChange: called on the sink's thread each time the state becomes another one.
    public convenience init(
        flows settings: PredictionSettings,
        onChange: @escaping @Sendable (SinkStatus) -> Void
    ) throws(SystemError) {
        try self.init(
            SinkStatus(name: "publish.flows.http", address: "\(settings.address)"),
            Outbox.Limits(count: 2_000, bytes: settings.queue),
            onChange: onChange
        ) { PredictionReceiver(settings) }
    }
}
