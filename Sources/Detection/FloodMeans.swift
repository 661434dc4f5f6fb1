import Flows

/// How far above their levels subjects were in the last half minute: exponential means over packet time, of those that are
/// near their level.
struct FloodMeans: Sendable {
    /// Nanoseconds: the time constant.
    private static let constant = 30e9
    /// A window's share in the mean.
    private static let share = Double(Observation.length) / constant
    /// A mean from which on a level counts as kept: eight windows at it.
    static let kept = 0.25

    private struct Mean {
        var value = 0.0
        /// Number of the latest window that is in it.
        var window: Int64
    }

    private let capacity: Int
    private let burst: Double
    private var means: [FloodLane.Key: Mean] = [:]
    private(set) var turnedAway: UInt64 = 0

    /// - Parameter burst: what counts at most of one window, in multiples of the level.
    init(capacity: Int, burst: Double) {
        self.capacity = capacity
        self.burst = burst
    }

    var count: Int { means.count }

    /// - Parameter ratio: of this window. What is below the off-level counts as nothing.
    /// - Returns: the mean with it.
    mutating func add(_ key: FloodLane.Key, _ ratio: Double, window: Int64) -> Double {
        let known = means[key]
        guard ratio >= 0.7 || known != nil else { return 0 }
        guard known != nil || means.count < capacity else {
            turnedAway += 1
            return 0
        }
        var mean = known ?? Mean(window: window - 1)
        // Windows in between, in which there was nothing.
        for _ in 0..<max(0, min(window - mean.window - 1, 256)) { mean.value *= 1 - Self.share }
        let counted = ratio >= 0.7 ? min(ratio, burst) : 0
        mean.value += Self.share * (counted - mean.value)
        mean.window = window
        means[key] = mean
        return mean.value
    }

    /// Forgets whoever was not near its level for two minutes.
    mutating func forget(before window: Int64) {
        guard !means.isEmpty else { return }
        means = means.filter { window - $0.value.window < 112 }
    }
}
