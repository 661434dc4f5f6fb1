import Glibc

/// A point in time for display: nanoseconds since 1970-01-01T00:00:00Z, without leap seconds. Never used to measure.
public struct WallTime: Hashable, Comparable, Sendable {
    public let nanoseconds: Int64

    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// The host's clock (CLOCK_REALTIME).
    public static var now: WallTime {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    public static func < (left: WallTime, right: WallTime) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Fraction digits of a formatted time; older Pythons read no other count.
    public enum Digits: Int, Sendable {
        case none = 0
        case milliseconds = 3
        case microseconds = 6
    }

    /// RFC 3339 in UTC, for example `2025-12-08T10:30:00.123Z`; cut, not rounded. Times before 1970 show as 1970.
    public func formatted(_ digits: Digits) -> String {
        let clamped = max(nanoseconds, 0)
        let seconds = clamped / 1_000_000_000
        let (year, month, day) = WallTime.date(ofDay: seconds / 86_400)
        let second = seconds % 86_400
        var text = padded(year, 4) + "-" + padded(month, 2) + "-" + padded(day, 2)
        text += "T" + padded(second / 3_600, 2) + ":" + padded(second / 60 % 60, 2) + ":" + padded(second % 60, 2)
        let fraction = clamped % 1_000_000_000
        switch digits {
        case .none: break
        case .milliseconds: text += "." + padded(fraction / 1_000_000, 3)
        case .microseconds: text += "." + padded(fraction / 1_000, 6)
        }
        return text + "Z"
    }

    /// The Gregorian date of a day counted from 1970-01-01, by 400-year eras that begin on March 1
    /// (Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
    static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private func padded(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(width - text.count, 0)) + text
    }
}
