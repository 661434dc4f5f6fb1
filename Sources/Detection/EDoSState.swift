/// What is remembered of one service to judge it.
struct EDoSState: Sendable {
    /// Number of the hour, by the wall's clock, that is not over; and the loads of its minutes, each as of an hour.
    private var hour: Int64
    private var loads: [Float] = []
    /// Hours on probation.
    private var pending: [(number: Int64, hour: Baseline.Hour)] = []
    private var isTroubled = false
    private var troubledSince: Int64 = 0
    private(set) var expectation: Baseline.Expectation?
    /// More than usual, by minutes.
    private(set) var rise = ChangeScore()
    /// More and less, by means of ten minutes: those that follow each other hardly depend on each other, and they find in hours
    /// what is too little for a minute.
    private(set) var slowRise = ChangeScore()
    private(set) var slowFall = ChangeScore()
    /// What pulses and held connections cost since they began; nil while there are none.
    var pulses: CostUsage?
    var held: CostUsage?

    init(hour: Int64, _ baseline: Baseline?, _ settings: EDoSSettings) {
        self.hour = hour
        expectation = baseline?.expectation(of: hour, leastScale: settings.leastScale)
    }

    /// Takes a minute.
    /// - Parameters:
    ///   - load: as of an hour.
    ///   - time: its end, on the packets' clock; `hour`: that it was in.
    mutating func add(
        _ load: Double,
        at time: Int64,
        hour: Int64,
        _ service: Subject,
        _ baselines: inout Baselines,
        _ settings: EDoSSettings
    ) {
        if hour != self.hour {
            finishHour(at: time, service, &baselines, settings)
            self.hour = hour
            expectation = baselines[service]?.expectation(of: hour, leastScale: settings.leastScale)
        }
        loads.append(Float(load))
        guard let expectation else { return }
        rise.add(expectation.minute.distance(of: load), at: time, ceiling: 2 * settings.change)
        guard loads.count % 10 == 0 else { return }
        let mean = loads.suffix(10).reduce(0) { $0 + Double($1) } / 10
        let distance = expectation.tenMinutes.distance(of: mean)
        // What is worth nothing adds nothing.
        let more = mean >= settings.floor ? distance : min(0, distance)
        let less = expectation.mean >= settings.floor ? -distance : min(0, -distance)
        slowRise.add(more, at: time, ceiling: 2 * settings.change)
        slowFall.add(less, at: time, ceiling: 2 * settings.change)
    }

    /// Learns the hour that has passed the probation, if nothing is wrong.
    private mutating func finishHour(
        at time: Int64,
        _ service: Subject,
        _ baselines: inout Baselines,
        _ settings: EDoSSettings
    ) {
        defer { loads.removeAll(keepingCapacity: true) }
        guard loads.count >= 30, let done = Baseline.Hour(loads: loads) else { return }
        if isTroubled, time - troubledSince < settings.acceptance * 86_400_000_000_000 { return }
        pending.append((hour, done))
        if pending.count > settings.probation {
            let first = pending.removeFirst()
            baselines.learn(first.hour, of: service, number: first.number)
        }
    }

    /// Says whether something is wrong: nothing is learnt then, neither what came just before.
    mutating func note(isTroubled: Bool, at time: Int64) {
        if isTroubled, !self.isTroubled {
            troubledSince = time
            pending = []
        }
        self.isTroubled = isTroubled
    }

    /// Whether an incident goes on of what is at this multiple of its level.
    func isTrouble(_ ratio: Double) -> Bool { ratio >= (isTroubled ? 0.7 : 1) }

    var score: ChangeScore { rise.sum >= slowRise.sum ? rise : slowRise }
}
