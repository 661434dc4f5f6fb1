import Reports

/// The last points of download and upload, in Mbit/s, made from totals that only grow.
struct SpeedSeries {
    /// Bytes since start over the interfaces that count as the host's traffic.
    struct Totals {
        var received: UInt64 = 0
        var sent: UInt64 = 0
    }

    private let capacity: Int
    private var last: (totals: Totals, time: Int64)?
    /// Oldest first.
    private(set) var points: [SpeedPoint] = []

    /// - Parameter capacity: points kept, at least 1.
    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Takes the totals at `time` (monotonic nanoseconds) and makes the point from the last ones to these.
    ///
    /// The first call only sets the start. Totals that went back (an interface left) make a point of 0, never below.
    mutating func add(_ totals: Totals, at time: Int64, wall: WallTime) {
        defer { last = (totals, time) }
        guard let last, time > last.time else { return }
        let seconds = Double(time - last.time) / 1e9
        func rate(_ new: UInt64, _ old: UInt64) -> Double { new > old ? Double(new - old) * 8 / 1e6 / seconds : 0 }
        points.append(
            SpeedPoint(
                time: wall,
                download: rate(totals.received, last.totals.received),
                upload: rate(totals.sent, last.totals.sent)
            )
        )
        if points.count > capacity { points.removeFirst(points.count - capacity) }
    }

    /// Forgets where it was, so that a pause or a change of interfaces makes no false point.
    mutating func interrupt() {
        last = nil
    }
}
