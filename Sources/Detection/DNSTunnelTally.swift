import Flows

/// What one client asked about one domain in about a span of time: in this one, and in what is left of the one before.
struct DNSTunnelTally: Sendable {
    /// Sums of one span.
    private struct Sums {
        var queries = 0.0
        var nameBytes = 0.0
        var carriers = 0.0
        var carrierBytes = 0.0
        var answers = 0.0
        var failures = 0.0
        var names = DistinctSketch()
    }

    private let span: Int64
    private var number = Int64.min
    private var current = Sums()
    private var before = Sums()
    /// Of the span before that still counts.
    private var rest = 0.0

    /// - Parameter span: in nanoseconds.
    init(span: Int64) { self.span = span }

    mutating func advance(to time: Int64) {
        let number = time / span
        if number > self.number {
            before = number == self.number &+ 1 ? current : Sums()
            current = Sums()
            self.number = number
        }
        rest = 1 - Double(max(0, time - self.number * span)) / Double(span)
    }

    mutating func add(_ row: DomainQueries) {
        current.queries += row.queries
        current.nameBytes += row.nameBytes
        current.carriers += row.carriers
        current.carrierBytes += row.carrierBytes
        current.answers += row.answers
        current.failures += row.failures
        current.names.merge(row.names)
    }

    var queries: Double { current.queries + before.queries * rest }
    var carriers: Double { current.carriers + before.carriers * rest }
    var nameBytes: Double { current.nameBytes + before.nameBytes * rest }
    var carrierBytes: Double { current.carrierBytes + before.carrierBytes * rest }
    var answers: Double { current.answers + before.answers * rest }
    var failures: Double { current.failures + before.failures * rest }

    /// About how many of the questions were for a name that none before asked for, 0 ... 1.
    var newShare: Double {
        var names = current.names
        if rest > 0 { names.merge(before.names) }
        return min(1, names.estimate / max(1, current.queries + (rest > 0 ? before.queries : 0)))
    }

    /// About how many different names.
    var names: Double { newShare * queries }
}
