/// What traffic costs. Nothing set: costs are told in GB out.
public struct CostPrices: Equatable, Sendable {
    /// Of 10^9 bytes that a service sends.
    public var perGB: Double?
    /// Of 10^6 requests.
    public var perMillionRequests: Double?
    /// Of one instance in an hour; how many are needed is told by the two levels below.
    public var perInstanceHour: Double?
    public var currency = "USD"
    /// Requests a second that one instance serves.
    public var requestsPerInstance = 100.0
    /// Connections that one instance holds.
    public var connectionsPerInstance = 1_000.0
    /// What may be spent in a month, in `currency`.
    public var monthlyBudget: Double?

    public init() {}

    public var isSet: Bool { perGB != nil || perMillionRequests != nil || perInstanceHour != nil }
    public var unit: String { isSet ? currency : "GB" }

    /// Price of what was used, in `unit`. Instance hours are those of the requests and those of the connections together.
    public func cost(of usage: CostUsage) -> Double {
        guard isSet else { return usage.gigabytes }
        let instanceHours =
            usage.requests / (requestsPerInstance * 3600) + usage.connectionHours / connectionsPerInstance
        return usage.gigabytes * (perGB ?? 0) + usage.requests / 1e6 * (perMillionRequests ?? 0)
            + instanceHours * (perInstanceHour ?? 0)
    }
}

/// What a service's clients made it do. Amounts add up.
public struct CostUsage: Equatable, Sendable {
    /// Bytes that the service sent (L2, without FCS).
    public var bytes: Double
    /// Times that clients asked: about, since one question may be sent in parts, and many in one (HTTP/2, QUIC).
    public var requests: Double
    /// Hours for which connections were held open without asking for anything.
    public var connectionHours: Double

    public init(bytes: Double = 0, requests: Double = 0, connectionHours: Double = 0) {
        self.bytes = bytes
        self.requests = requests
        self.connectionHours = connectionHours
    }

    public var gigabytes: Double { bytes / 1e9 }

    public static func += (left: inout CostUsage, right: CostUsage) {
        left.bytes += right.bytes
        left.requests += right.requests
        left.connectionHours += right.connectionHours
    }

    static func * (left: CostUsage, right: Double) -> CostUsage {
        CostUsage(
            bytes: left.bytes * right,
            requests: left.requests * right,
            connectionHours: left.connectionHours * right
        )
    }

    /// Bytes, and for each request the bytes that cost as much: one number for what is judged.
    func load(_ requestBytes: Double) -> Double { bytes + requests * requestBytes }
}
