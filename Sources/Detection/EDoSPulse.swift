/// Load that comes and goes with a period, as the YoYo attack makes it (Ben David, Bremler-Barr 2021).
struct EDoSPulse {
    /// In units of 10 s.
    var period: Double
    /// Share of the time that it is on, since the first of the pulses, 0 ... 1.
    var duty: Double
    /// Units of 10 s for which it is on, each time; smoothing has made it two longer.
    var length: Double { max(0, duty * period - 2) }
    /// Autocorrelation of the series at its period, -1 ... 1.
    var correlation: Double
    /// Periods in a row, up to now.
    var periods: Double
    /// Mean load in 10 s while it is on, and while it is off.
    var on: Double
    var off: Double
    /// Where the first of the pulses begins.
    var start: Int
    /// Whether it is off, and far from any pulse.
    var isQuiet: [Bool]

    /// Finds the pulses at the end of a series.
    init?(_ loads: [Double], _ settings: EDoSSettings) {
        guard loads.count >= 3 * settings.shortestPeriod else { return nil }
        let smooth = loads.indices.map { place in
            let near = loads[max(0, place - 1)...min(loads.count - 1, place + 1)]
            return near.reduce(0, +) / Double(near.count)
        }
        // Two levels, each value at the nearer one.
        var border = smooth.reduce(0, +) / Double(smooth.count)
        var (off, on) = (border, border)
        for _ in 0..<8 {
            (off, on) = Self.means(smooth, border)
            border = (off + on) / 2
        }
        (self.on, self.off) = (on, off)
        guard on > 1.5 * off, on > 0 else { return nil }
        let starts = Self.starts(smooth, above: border, below: (border + off) / 2)
        guard starts.count >= 3 else { return nil }
        let isOn = smooth.map { [border] in $0 > border }
        isQuiet = isOn.indices.map { place in
            !isOn[max(0, place - 3)...min(isOn.count - 1, place + 3)].contains(true)
        }
        let gaps = zip(starts.dropFirst(), starts).map { Double($0 - $1) }
        let usual = gaps.suffix(4).map { $0 }.median
        let even = gaps.reversed().prefix { abs($0 - usual) <= 1 + 0.15 * usual }
        periods = Double(even.count)
        period = even.isEmpty ? usual : even.reduce(0, +) / periods
        start = starts[starts.count - 1 - even.count]
        let range = Double(settings.shortestPeriod)...Double(settings.longestPeriod)
        guard range.contains(period) else { return nil }
        // As high as its pulses, but no higher.
        let level = smooth[start...].map { [on] in min($0, on) }
        let lag = Int(period.rounded())
        correlation = (lag - 1...lag + 1).map { Self.correlation(level, at: $0) }.max() ?? 0
        duty = Double(isOn[start...].count { $0 }) / Double(isOn.count - start)
        // Over, if the next has not come.
        guard Double(loads.count - starts[starts.count - 1]) <= 1.5 * period else { return nil }
    }

    private static func means(_ values: [Double], _ border: Double) -> (low: Double, high: Double) {
        var (low, high, above) = (0.0, 0.0, 0.0)
        for value in values {
            if value > border {
                high += value
                above += 1
            } else {
                low += value
            }
        }
        let below = Double(values.count) - above
        return (below > 0 ? low / below : border, above > 0 ? high / above : border)
    }

    /// Where it rises above one level, after it was below another.
    private static func starts(_ values: [Double], above: Double, below: Double) -> [Int] {
        var starts: [Int] = []
        var isArmed = true
        for (place, value) in values.enumerated() {
            if value < below { isArmed = true }
            if isArmed, value > above {
                starts.append(place)
                isArmed = false
            }
        }
        return starts
    }

    /// Autocorrelation at a lag.
    private static func correlation(_ values: [Double], at lag: Int) -> Double {
        guard lag < values.count else { return 0 }
        let mean = values.reduce(0, +) / Double(values.count)
        var (product, power) = (0.0, 0.0)
        for place in values.indices {
            let distance = values[place] - mean
            power += distance * distance
            if place >= lag { product += distance * (values[place - lag] - mean) }
        }
        return power > 0 ? product / Double(values.count - lag) / (power / Double(values.count)) : 0
    }
}
