/// How publishing to Redis goes.
public struct RedisStatus: Equatable, Sendable {
    public enum State: String, Sendable {
        /// Nothing was tried yet.
        case starting
        /// The last document was accepted whole.
        case connected
        /// Redis answers, but refused some or all of the last document.
        case degraded
        /// Redis wants other credentials or grants too few rights.
        case authFailed = "auth_failed"
        /// Redis cannot be reached or does not answer in time.
        case down
    }

    public var state: State
    /// What is wrong, for people; empty when nothing is. Never holds a secret.
    public var cause: String
    /// Where documents go, without secrets.
    public var address: String
    /// Documents of which Redis took at least one part: a key or the message.
    public var published: UInt64
    /// Documents that Redis took nothing of: refused, or replaced by a newer one before they could be sent.
    public var lost: UInt64
    /// Connections made after the first.
    public var reconnects: UInt64
    /// Failures by class, for example `["OOM": 3, "timeout": 1]`.
    public var errors: [String: UInt64]

    public init(
        state: State,
        cause: String,
        address: String,
        published: UInt64 = 0,
        lost: UInt64 = 0,
        reconnects: UInt64 = 0,
        errors: [String: UInt64] = [:]
    ) {
        self.state = state
        self.cause = cause
        self.address = address
        self.published = published
        self.lost = lost
        self.reconnects = reconnects
        self.errors = errors
    }

    func write(to json: inout JSONWriter) {
        json.field("state", state.rawValue)
        json.field("cause", cause, limit: 256)
        json.field("address", address, limit: 256)
        json.field("published", published)
        json.field("lost", lost)
        json.field("reconnects", reconnects)
        json.object("errors") { json in
            for (name, count) in errors.sorted(by: { $0.key < $1.key }) { json.field(name, count) }
        }
    }
}
