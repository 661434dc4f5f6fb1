import Flows
import Packets

/// What one client, or one group of clients, makes one service do.
struct CostClient: Sendable {
    struct Key: Hashable, Comparable, Sendable {
        /// Place of the service in the table.
        var service: Int32
        var family: Family
        var address: Address

        /// Two words instead of five: of what is asked for each record of a flow, this takes the most time.
        func hash(into hasher: inout Hasher) {
            hasher.combine(address.high ^ UInt64(UInt32(bitPattern: service)) << 32)
            hasher.combine(address.low ^ UInt64(family.rawValue) << 48)
        }

        static func < (left: Key, right: Key) -> Bool {
            if left.service != right.service { return left.service < right.service }
            return left.address == right.address
                ? left.family.rawValue < right.family.rawValue : left.address < right.address
        }
    }

    /// How much, and how even: of a minute, or of an episode.
    struct Shape: Sendable {
        var usage = CostUsage()
        /// Bytes from the client.
        var received = 0.0
        /// Records of flows: about as many in 10 s as connections that had traffic.
        var records = 0.0
        /// Load of the records, and the sums of their binary logarithms and of the squares of these, weighted by load.
        private(set) var load = 0.0
        private var logarithms = 0.0
        private var squares = 0.0

        mutating func add(_ flow: FlowDigest, requestBytes: Double) {
            let own = CostUsage(bytes: Double(flow.backward.bytes), requests: Double(flow.newRequests))
            let load = own.load(requestBytes)
            usage += own
            received += Double(flow.forward.bytes)
            records += 1
            // Straight between powers of two, within 0.09 of the truth: enough to tell half an octave, in a tenth of the time.
            let logarithm = Double((1 + load).exponent) + (1 + load).significand
            self.load += load
            logarithms += load * logarithm
            squares += load * logarithm * logarithm
        }

        static func += (left: inout Shape, right: Shape) {
            left.usage += right.usage
            left.received += right.received
            left.records += right.records
            left.load += right.load
            left.logarithms += right.logarithms
            left.squares += right.squares
        }

        /// Standard deviation of the records' loads, in octaves, weighted by load: near 0 for a machine that fetches the same
        /// again and again, or at a constant rate; above 1 for people.
        var spread: Double {
            guard load > 0 else { return 0 }
            let mean = logarithms / load
            return max(0, squares / load - mean * mean).squareRoot()
        }
    }

    /// A time in which a client never paused for long.
    struct Episode: Sendable {
        /// Numbers of minutes.
        let first: Int64
        var last: Int64
        var active = 0.0
        var shape = Shape()
        /// Sum of the squares of the minutes' loads.
        var squares = 0.0
        /// The service's load before it.
        let before: Double

        /// Minutes.
        var length: Double { Double(last - first + 1) }

        /// Load in an hour.
        var rate: Double { shape.load * 60 / length }

        /// Coefficient of variation of the minutes' loads.
        var variation: Double {
            let load = shape.load
            return load > 0 ? max(0, squares * length / (load * load) - 1).squareRoot() : 0
        }

        /// Connections at one time.
        var connections: Double { active > 0 ? shape.records / (active * 6) : 0 }

        /// The variation that each of its connections would have, if they were independent of each other.
        var variationOfOne: Double { variation * max(1, connections).squareRoot() }

        /// How much it works like a machine, as a multiple of the level: by what its records bring, or by how even its minutes
        /// are; at most 10.
        func likeness(_ settings: EDoSSettings) -> Double {
            let alike = shape.records >= 6 ? settings.spread / max(shape.spread, settings.spread / 10) : 0
            return max(alike, settings.variation / max(variationOfOne, settings.variation / 10))
        }
    }

    var key: Key
    /// Of the minute that is not over.
    var minute = Shape()
    var episode: Episode?
    /// Since there is a row for it.
    var total = CostUsage()
    /// In an hour, smoothed over ten minutes.
    var rate = CostUsage()
    private var age = 0.0
    /// The minute before.
    private(set) var latest = CostUsage()
    /// What the service had done before there was a row for it.
    let before: CostUsage
    /// Of a group: the last address seen, and whether there was another.
    var member = Address.zero
    var isShared = false

    init(_ key: Key, before: CostUsage) {
        self.key = key
        self.before = before
    }

    /// Ends a minute.
    /// - Parameters:
    ///   - before: the service's load before this minute.
    ///   - pause: minutes without traffic after which another episode begins.
    mutating func fold(_ number: Int64, before: Double, pause: Int64) {
        age += 1
        rate.approach(minute.usage * 60, by: 1 / min(age, 10))
        latest = minute.usage
        guard minute.records > 0 else { return }
        var episode = self.episode.take() ?? Episode(first: number, last: number, before: before)
        if number - episode.last > pause { episode = Episode(first: number, last: number, before: before) }
        episode.last = number
        episode.active += 1
        episode.shape += minute
        episode.squares += minute.load * minute.load
        self.episode = episode
        total += minute.usage
        minute = Shape()
    }

    /// Which row is missed the least when there is no room: who was there for the shortest time, with the least.
    var worth: Double { max(1, episode?.active ?? 1) * ((episode?.shape.load ?? 0) + minute.load) }
}
