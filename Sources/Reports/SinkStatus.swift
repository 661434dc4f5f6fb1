/// How it goes with documents on their way to one receiver: a Redis stream, files or a service.
///
/// Nothing gets lost without a count: `offered` is the sum of `delivered`, `refused`, `lost` and `waiting`.
public struct SinkStatus: Equatable, Sendable {
    public enum State: String, Sendable {
        /// Nothing was delivered yet, nothing failed.
        case starting
        /// The last delivery was accepted whole.
        case working
        /// The receiver answers, but refuses.
        case degraded
        /// The receiver cannot be reached or does not answer in time.
        case down
    }

    /// The key of the configuration that switched it on, for example `publish.flows.stream`.
    public var name: String
    public var state = State.starting
    /// What is wrong, for people; empty when nothing is. Never holds a secret.
    public var cause = ""
    /// Where documents go, without secrets.
    public var address: String
    /// Documents handed over.
    public var offered: UInt64 = 0
    /// Documents that the receiver took. One may have arrived twice: when an answer did not come, it is sent again.
    public var delivered: UInt64 = 0
    /// Documents that the receiver refused for good.
    public var refused: UInt64 = 0
    /// Documents that no room was left for while the receiver was slow, or that waited at the end.
    public var lost: UInt64 = 0
    /// Documents that are still on their way.
    public var waiting: UInt64 = 0
    /// Failures by class, for example `["timeout": 1]`.
    public var errors: [String: UInt64] = [:]

    public init(name: String, address: String) {
        self.name = name
        self.address = address
    }

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("name", name, limit: 64)
            json.field("state", state.rawValue)
            json.field("cause", cause, limit: 256)
            json.field("address", address, limit: 256)
            json.field("offered", offered)
            json.field("delivered", delivered)
            json.field("refused", refused)
            json.field("lost", lost)
            json.field("waiting", waiting)
            json.object("errors") { json in
                for (name, count) in errors.sorted(by: { $0.key < $1.key }) { json.field(name, count) }
            }
        }
    }
}
