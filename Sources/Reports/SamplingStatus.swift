/// How much of the traffic user space sees.
public struct SamplingStatus: Equatable, Sendable {
    public enum State: String, Sendable {
        /// As configured.
        case normal
        /// N was raised because the reader could not keep up.
        case overload
        /// N is on its way back down.
        case recovering
    }

    /// One frame in `oneIn` of the class "rest" passes; 1 is every frame, 0 none.
    public var oneIn: UInt32
    public var state: State

    public init(oneIn: UInt32, state: State) {
        self.oneIn = oneIn
        self.state = state
    }

    func writeFields(to json: inout JSONWriter) {
        json.field("n", oneIn)
        json.field("state", state.rawValue)
    }
}

/// One change of the sampling rate.
public struct SamplingChange: Equatable, Sendable {
    public var time: WallTime
    public var status: SamplingStatus
    /// For people: what made it change.
    public var reason: String

    public init(time: WallTime, status: SamplingStatus, reason: String) {
        self.time = time
        self.status = status
        self.reason = reason
    }

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("timestamp", time, digits: .milliseconds)
            status.writeFields(to: &json)
            json.field("reason", reason, limit: 160)
        }
    }
}
