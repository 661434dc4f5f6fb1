import Flows

/// What is usual at one service in each hour of the week: of the last four weeks, medians, so that one odd week says nothing.
public struct Baseline: Equatable, Sendable {
    /// One hour, in 256ths of an octave: logarithms to base 2 of ``Baseline/offset`` plus the load in an hour.
    public struct Hour: Equatable, BitwiseCopyable, Sendable {
        /// Of its minutes, and of its means of ten minutes: the median, and 1.4826 times the median distance from it.
        var minute: Centre
        var tenMinutes: Centre
        /// Of the mean load.
        var mean: Int16

        struct Centre: Equatable, BitwiseCopyable, Sendable {
            var median: Int16 = 0
            var spread: Int16 = 0

            init(median: Int16 = 0, spread: Int16 = 0) {
                self.median = median
                self.spread = spread
            }

            init(_ loads: [Double]) {
                let logarithms = loads.map { Baseline.logarithm($0) }
                let median = logarithms.median
                self.median = Baseline.stored(median)
                spread = Baseline.stored(1.4826 * logarithms.map { abs($0 - median) }.median)
            }
        }

        init(minute: Centre, tenMinutes: Centre, mean: Int16) {
            self.minute = minute
            self.tenMinutes = tenMinutes
            self.mean = mean
        }

        /// - Parameter loads: of its minutes, each as load in an hour.
        init?(loads: [Float]) {
            guard !loads.isEmpty else { return nil }
            let loads = loads.map { Double($0) }
            minute = Centre(loads)
            tenMinutes = Centre(
                stride(from: 0, to: loads.count, by: 10).map { loads[$0..<min($0 + 10, loads.count)].mean }
            )
            mean = Baseline.stored(Baseline.logarithm(loads[...].mean))
        }
    }

    private static func stored(_ value: Double) -> Int16 { Int16(max(0, min(32_767, (value * 256).rounded()))) }

    /// What is to be expected of an hour.
    public struct Expectation: Equatable, Sendable {
        /// Of a minute, and of the mean of ten: logarithm to base 2 of offset plus load in an hour, and its scale, in octaves.
        var minute: Centre
        var tenMinutes: Centre
        /// Load in an hour.
        public var mean: Double
        public var basis: Basis
    }

    /// What is in the middle, and how far others usually are from it.
    struct Centre: Equatable, Sendable {
        var median: Double
        var scale: Double

        /// The median of some, with the larger of the spread in them and that between them.
        init(_ hours: [Hour.Centre], leastScale: Double) {
            let medians = hours.map { Double($0.median) / 256 }
            let median = medians.median
            let within = hours.map { Double($0.spread) / 256 }.median
            let between = hours.count > 2 ? 1.4826 * medians.map { abs($0 - median) }.median : 0
            self.median = median
            scale = max(leastScale, within, between)
        }

        /// How far a load in an hour is above it, in standard deviations.
        func distance(of load: Double) -> Double { (Baseline.logarithm(load) - median) / scale }
    }

    /// What an expectation rests on.
    public enum Basis: Int, Comparable, Sendable {
        /// At least two hours of any kind.
        case anyHour
        /// The same hour of two other days.
        case hourOfDay
        /// The same hour of two weeks.
        case hourOfWeek

        public static func < (left: Basis, right: Basis) -> Bool { left.rawValue < right.rawValue }
    }

    /// Hours of a week.
    public static let slots = 168
    static let weeks = 4
    /// Load in an hour that counts as nothing: 1 MB.
    static let offset = 1e6

    /// Four places for each slot; of these, as many as there are weeks, oldest first.
    private(set) var hours = [Hour](
        repeating: Hour(minute: .init(), tenMinutes: .init(), mean: 0),
        count: Baseline.slots * Baseline.weeks
    )
    private(set) var counts = [UInt8](repeating: 0, count: Baseline.slots)
    /// Number of the hour that was learnt last, since 1970.
    private(set) var latest: Int64 = 0

    init() {}

    /// Hours of the week of which at least one was learnt: 168 is all.
    public var learnt: Int { counts.count { $0 > 0 } }

    /// - Parameter number: of the hour, since 1970.
    mutating func learn(_ hour: Hour, number: Int64) {
        let slot = Self.slot(of: number)
        let start = slot * Self.weeks
        if counts[slot] == Self.weeks {
            for place in start..<start + Self.weeks - 1 { hours[place] = hours[place + 1] }
        } else {
            counts[slot] += 1
        }
        hours[start + Int(counts[slot]) - 1] = hour
        latest = max(latest, number)
    }

    /// Puts back what was written down.
    mutating func restore(_ hours: [Hour], slot: Int, latest: Int64) {
        for (place, hour) in hours.enumerated() { self.hours[slot * Self.weeks + place] = hour }
        counts[slot] = UInt8(hours.count)
        self.latest = latest
    }

    func hours(in slot: Int) -> ArraySlice<Hour> {
        hours[slot * Self.weeks..<slot * Self.weeks + Int(counts[slot])]
    }

    /// What is to be expected; nil while too little was learnt.
    func expectation(of number: Int64, leastScale: Double) -> Expectation? {
        let slot = Self.slot(of: number)
        if counts[slot] >= 2 { return expectation(Array(hours(in: slot)), .hourOfWeek, leastScale) }
        let sameHour = stride(from: slot % 24, to: Self.slots, by: 24).flatMap { hours(in: $0) }
        if sameHour.count >= 2 { return expectation(sameHour, .hourOfDay, leastScale) }
        let all = (0..<Self.slots).flatMap { hours(in: $0) }
        return all.count >= 2 ? expectation(all, .anyHour, max(leastScale, 0.5)) : nil
    }

    private func expectation(_ hours: [Hour], _ basis: Basis, _ leastScale: Double) -> Expectation {
        let mean = hours.map { Double($0.mean) / 256 }.median
        return Expectation(
            minute: Centre(hours.map(\.minute), leastScale: leastScale),
            tenMinutes: Centre(hours.map(\.tenMinutes), leastScale: leastScale),
            mean: max(0, mean.binaryPower - Self.offset),
            basis: basis
        )
    }

    /// The week of 1970 began on a Thursday: so do these.
    static func slot(of number: Int64) -> Int { Int((number % 168 + 168) % 168) }

    static func logarithm(_ load: Double) -> Double { binaryLogarithm(offset + max(0, load)) }
}

extension ArraySlice<Double> {
    var mean: Double { isEmpty ? 0 : reduce(0, +) / Double(count) }
}

extension [Double] {
    /// The middle one, or the mean of both; 0 if there is none.
    var median: Double {
        let sorted = self.sorted()
        guard let middle = sorted.indices.dropFirst(count / 2).first else { return 0 }
        return count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}

extension Double {
    /// 2 to the power of this, with the same bits on every machine: see `binaryLogarithm`.
    var binaryPower: Double {
        let whole = rounded()
        let rest = (self - whole) * 0.693_147_180_559_945_3
        var series = 1.0
        for term in stride(from: 14.0, through: 1, by: -1) { series = 1 + series * rest / term }
        return Double(sign: .plus, exponent: Int(whole), significand: series)
    }
}
