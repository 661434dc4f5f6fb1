/// Sum, spread and extremes of lengths in bytes, in whole numbers: exact in whatever order they come.
public struct LengthStatistics: BitwiseCopyable, Sendable {
    public private(set) var sum: UInt64 = 0
    private var squares: UInt64 = 0
    private var least = UInt32.max
    private var most: UInt32 = 0

    @inline(__always)
    mutating func add(_ length: UInt32) {
        sum &+= UInt64(length)
        squares &+= UInt64(length) &* UInt64(length)
        least = min(least, length)
        most = max(most, length)
    }

    /// The same length `count` times.
    @inline(never)
    mutating func add(_ length: UInt32, count: UInt32) {
        guard count > 0 else { return }
        add(length)
        sum &+= UInt64(length) &* UInt64(count &- 1)
        squares &+= UInt64(length) &* UInt64(length) &* UInt64(count &- 1)
    }

    static func + (left: LengthStatistics, right: LengthStatistics) -> LengthStatistics {
        var sum = left
        sum.sum &+= right.sum
        sum.squares &+= right.squares
        sum.least = min(left.least, right.least)
        sum.most = max(left.most, right.most)
        return sum
    }

    /// Of `count` values; all figures of none are 0. The variance is the sample's, with n - 1; 0 of one value.
    func summary(count: UInt64) -> StatisticsSummary {
        guard count > 0 else { return StatisticsSummary() }
        return StatisticsSummary(
            count: count,
            sum: Int128(sum),
            squares: UInt128(squares),
            least: Double(least),
            most: Double(most)
        )
    }
}

/// Spread and extremes of times in nanoseconds, in whole numbers: exact in whatever order they come. Their sum is known
/// without adding them up: gaps between packets add up to the time from the first to the last.
public struct TimeStatistics: BitwiseCopyable, Sendable {
    private var squaresLow: UInt64 = 0
    private var squaresHigh: UInt64 = 0
    private var least = Int64.max
    private var most = Int64.min

    @inline(__always)
    mutating func add(_ time: Int64) {
        let square = time.magnitude.multipliedFullWidth(by: time.magnitude)
        let (low, carry) = squaresLow.addingReportingOverflow(square.low)
        squaresLow = low
        squaresHigh &+= square.high &+ (carry ? 1 : 0)
        least = min(least, time)
        most = max(most, time)
    }

    /// No time at all, any number of times: packets of one frame.
    @inline(never)
    mutating func addZero() {
        least = min(least, 0)
        most = max(most, 0)
    }

    /// Of `count` values; all figures of none are 0. The variance is the sample's, with n - 1; 0 of one value.
    func summary(count: UInt64, sum: Int64) -> StatisticsSummary {
        guard count > 0 else { return StatisticsSummary() }
        return StatisticsSummary(
            count: count,
            sum: Int128(sum),
            squares: UInt128(squaresHigh) << 64 | UInt128(squaresLow),
            least: Double(least),
            most: Double(most)
        )
    }
}

/// What is told of a row of values, in their own unit.
struct StatisticsSummary {
    var count: UInt64 = 0
    var sum = 0.0
    var mean = 0.0
    /// Of the sample (n - 1).
    var variance = 0.0
    var least = 0.0
    var most = 0.0

    var deviation: Double { variance.squareRoot() }

    init() {}

    /// The numerator of the variance, n * sum of squares - sum squared, is taken in whole numbers: nothing cancels out.
    init(count: UInt64, sum: Int128, squares: UInt128, least: Double, most: Double) {
        self.count = count
        self.sum = sum < 0 ? -approximate(sum.magnitude) : approximate(sum.magnitude)
        self.least = least
        self.most = most
        mean = self.sum / Double(count)
        guard count > 1 else { return }
        let (scaled, overflows) = squares.multipliedReportingOverflow(by: UInt128(count))
        let (square, overflowsToo) = sum.magnitude.multipliedReportingOverflow(by: sum.magnitude)
        let pairs = Double(count) * Double(count - 1)
        if !overflows, !overflowsToo, scaled >= square {
            variance = approximate(scaled - square) / pairs
        } else {
            // Years apart: what cancels out here is far below what remains.
            variance = max(0, approximate(squares) / Double(count) - mean * mean) * Double(count) / Double(count - 1)
        }
    }

    /// In another unit: `scale` of the old ones.
    func divided(by scale: Double) -> StatisticsSummary {
        var scaled = self
        scaled.sum /= scale
        scaled.mean /= scale
        scaled.variance /= scale * scale
        scaled.least /= scale
        scaled.most /= scale
        return scaled
    }
}

/// The nearest number but one; the library's own conversion takes ten times as long.
@inline(__always)
private func approximate(_ value: UInt128) -> Double {
    let high = UInt64(truncatingIfNeeded: value >> 64)
    return Double(high) * 0x1p64 + Double(UInt64(truncatingIfNeeded: value))
}
