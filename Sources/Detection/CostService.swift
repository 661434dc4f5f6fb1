import Packets

/// What one service's clients make it do, over time.
struct CostService: Sendable {
    /// Address and port.
    let key: Subject
    /// Number of the minute in which it was first seen.
    let first: Int64
    /// Of the 10 s, the minute, the hour and the day that are not over.
    var bin = CostUsage()
    var minute = CostUsage()
    private(set) var hour = CostUsage()
    private(set) var today = CostUsage()
    private var day: Int64
    /// Of whole hours before, at most 24; oldest first.
    private var hours: [CostUsage] = []
    /// Minutes of the hour that is not over.
    private var minutes = 0.0
    private(set) var total = CostUsage()
    /// In an hour, smoothed over ten minutes.
    private(set) var rate = CostUsage()
    private var age = 0.0
    /// The minute in which it last did anything.
    private(set) var last: Int64
    /// The minute before.
    private(set) var latest = CostUsage()
    /// What is remembered to judge it; nil while there was never much.
    var state: EDoSState?
    /// Every 10 s of the last two hours; nil while there was never much.
    var series: CostSeries?

    init(_ key: Subject, minute: Int64, day: Int64) {
        self.key = key
        first = minute
        last = minute
        self.day = day
    }

    mutating func add(_ usage: CostUsage) {
        bin += usage
        minute += usage
    }

    /// - Parameter floor: load in 10 s from which on the series is kept.
    mutating func foldBin(_ requestBytes: Double, floor: Double) {
        if series == nil, bin.load(requestBytes) >= floor { series = CostSeries() }
        series?.append(bin)
        bin = CostUsage()
    }

    /// Ends a minute.
    /// - Parameters:
    ///   - day: number of the day that the minute is in.
    mutating func fold(_ number: Int64, day: Int64) {
        age += 1
        minutes += 1
        rate.approach(minute * 60, by: 1 / min(age, 10))
        if minute != CostUsage() { last = number }
        total += minute
        hour += minute
        if day != self.day { (self.day, today) = (day, CostUsage()) }
        today += minute
        (latest, minute) = (minute, CostUsage())
        guard minutes == 60 else { return }
        if hours.count == 24 { hours.removeFirst() }
        hours.append(hour)
        (hour, minutes) = (CostUsage(), 0)
    }

    /// In a month of 730.5 hours, if it goes on as in the last day, or in the part of it that was seen.
    var projectedMonth: CostUsage {
        let elapsed = Double(hours.count) + minutes / 60
        return elapsed > 0 ? hours.reduce(hour) { $0.adding($1) } * (730.5 / elapsed) : CostUsage()
    }
}

extension CostUsage {
    /// Moves a share of the way.
    mutating func approach(_ other: CostUsage, by share: Double) {
        self = (self * (1 - share)).adding(other * share)
    }

    var atLeastNothing: CostUsage {
        CostUsage(bytes: max(0, bytes), requests: max(0, requests), connectionHours: max(0, connectionHours))
    }

    func adding(_ other: CostUsage) -> CostUsage {
        var sum = self
        sum += other
        return sum
    }
}

/// What a service did in every 10 s of the last two hours.
struct CostSeries: Sendable {
    static let capacity = 720
    private(set) var bytes: [Float] = []
    private(set) var requests: [Float] = []
    /// Where the oldest is, once there are all.
    private var start = 0

    mutating func append(_ usage: CostUsage) {
        if bytes.count < Self.capacity {
            bytes.append(Float(usage.bytes))
            requests.append(Float(usage.requests))
        } else {
            bytes[start] = Float(usage.bytes)
            requests[start] = Float(usage.requests)
            start = (start + 1) % Self.capacity
        }
    }

    var count: Int { bytes.count }

    /// Oldest first.
    subscript(place: Int) -> CostUsage {
        let slot = (start + place) % bytes.count
        return CostUsage(bytes: Double(bytes[slot]), requests: Double(requests[slot]))
    }
}
