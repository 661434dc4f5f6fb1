import Reports

/// Decides N, the share of frames that user space looks at: one in N of the class "rest", of every other class once its
/// budget is spent.
///
/// N doubles (quadruples when the ring lost frames) as soon as a second shows that the workers do not keep up, up to
/// 1,024, and halves after a calm stretch. A raise soon after a lowering doubles the stretch, up to a minute, so that N
/// settles instead of swinging. Each change is kept with its time: estimates of a window use what was really kept.
struct Overload {
    /// What one second of sampling looked like.
    struct Load {
        /// Frames the rings dropped.
        var dropped: UInt64
        /// The fullest ring's share of blocks that wait for a worker, 0-1.
        var fill: Double
        /// The busiest worker's share of the second spent on the processor, 0-1.
        var busy: Double
    }

    /// One change of N.
    struct Change: Equatable {
        /// Wall time, nanoseconds since 1970.
        var time: UInt64
        var from: UInt32
        var to: UInt32
        var reason: String
    }

    static let highest: UInt32 = 1024
    static let historyLength = 20
    private static let calmAtFirst = 5
    private static let calmAtMost = 60

    /// The lowest N, as configured; 1 keeps every frame.
    let lowest: UInt32
    private(set) var oneIn: UInt32
    /// The last changes, oldest first.
    private(set) var history: [Change] = []
    private var calmSeconds = 0
    private var calmNeeded = calmAtFirst
    private var secondsSinceLowered = Int.max

    init(lowest: UInt32 = 1) {
        self.lowest = lowest
        oneIn = lowest
    }

    var isOverloaded: Bool { oneIn > lowest }

    /// Takes one second's load; returns the change of N it led to, if any.
    mutating func observe(_ load: Load, at time: UInt64) -> Change? {
        if secondsSinceLowered != .max { secondsSinceLowered += 1 }
        if load.dropped > 0 || load.fill > 0.5 {
            calmSeconds = 0
            guard oneIn < Self.highest else { return nil }
            let isSwing = secondsSinceLowered < Self.calmAtMost
            calmNeeded = isSwing ? min(calmNeeded * 2, Self.calmAtMost) : Self.calmAtFirst
            let reason = load.dropped > 0 ? "rings dropped \(load.dropped) frames" : "a ring is more than half full"
            return change(to: min(oneIn * (load.dropped > 0 ? 4 : 2), Self.highest), at: time, reason)
        }
        // Half of N means up to twice the work: lower only where the workers have room for it.
        guard isOverloaded, load.fill < 0.1, load.busy < 0.4 else {
            calmSeconds = 0
            return nil
        }
        calmSeconds += 1
        guard calmSeconds >= calmNeeded else { return nil }
        calmSeconds = 0
        secondsSinceLowered = 0
        return change(to: max(oneIn / 2, lowest), at: time, "the workers have room again")
    }

    private mutating func change(to new: UInt32, at time: UInt64, _ reason: String) -> Change {
        let change = Change(time: time, from: oneIn, to: new, reason: reason)
        oneIn = new
        history.append(change)
        if history.count > Self.historyLength { history.removeFirst() }
        return change
    }
}

extension SamplingChange {
    init(_ change: Overload.Change, lowest: UInt32) {
        let state: SamplingStatus.State =
            change.to <= lowest ? .normal : change.to > change.from ? .overload : .recovering
        self.init(
            time: WallTime(nanoseconds: Int64(clamping: change.time)),
            status: SamplingStatus(oneIn: change.to, state: state),
            reason: change.reason
        )
    }
}
