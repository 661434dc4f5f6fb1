/// What is usual at each service, learnt hour by hour and kept over restarts.
public struct Baselines: Equatable, Sendable {
    /// By service.
    public private(set) var services: [Subject: Baseline] = [:]
    let capacity: Int
    /// Services that were forgotten to make room.
    public private(set) var turnedAway: UInt64 = 0

    /// - Parameter capacity: services; each takes 7 KiB.
    public init(capacity: Int = 512) {
        precondition(capacity > 0, "room for at least one")
        self.capacity = capacity
    }

    public subscript(service: Subject) -> Baseline? { services[service] }

    mutating func learn(_ hour: Baseline.Hour, of service: Subject, number: Int64) {
        if services[service] == nil, services.count >= capacity { forgetOne() }
        services[service, default: Baseline()].learn(hour, number: number)
    }

    /// Of one that is read back; nothing if there is no room.
    mutating func restore(_ baseline: Baseline, of service: Subject) {
        guard services.count < capacity else {
            turnedAway += 1
            return
        }
        services[service] = baseline
    }

    /// The one of which nothing was learnt for the longest time.
    private mutating func forgetOne() {
        let oldest = services.min { left, right in
            left.value.latest == right.value.latest ? left.key < right.key : left.value.latest < right.value.latest
        }
        if let oldest { services[oldest.key] = nil }
        turnedAway += 1
    }

    public static func == (left: Baselines, right: Baselines) -> Bool { left.services == right.services }
}
