import Packets

/// A source that failed at two targets or more.
struct ScanSuspect: Sendable {
    static let room = 128

    let family: Family
    /// Targets at which it failed last, each once; from `next` on the oldest, once all room is taken.
    private(set) var failures: [128 of ScanTarget]
    /// Of these.
    private var ports: [128 of UInt16]
    private(set) var count = 0
    private var next = 0
    /// All targets and hosts since ``began``.
    private(set) var targets = ScanSketch()
    private(set) var hosts = ScanSketch()
    /// Hosts of which it tried three ports at least.
    private(set) var deepHosts = ScanSketch()
    /// Targets that it reached, as bits of their hashes.
    private var reached: [8 of UInt64] = [8 of UInt64](repeating: 0)
    /// The sequential test of Jung et al. 2004: 1 more for each target that failed, 1 less for each that was reached. With
    /// their probabilities of success, 0.8 of clients and 0.2 of scanners, each is a factor of 4 in likelihood.
    private(set) var balance = 0
    /// Targets failed, less those forgotten until ``last``.
    private(set) var score = 0.0
    /// Windows: of the first failure after a pause, of the first after ``score`` was 0, and of the last.
    private(set) var began: Int32
    private(set) var slowSince: Int32
    private(set) var last: Int32
    /// Of the last window in which it failed.
    var fresh = 0
    /// Targets with a port that was open, seen half-open.
    private(set) var halfOpen = 0
    /// Leading bits that all hosts since ``began`` have in common with ``anyHost``.
    private(set) var commonBits = 128
    private(set) var anyHost: Address
    /// Whether it is above a level but the slow one.
    private(set) var isFast = false

    /// The test starts again at its bounds, as there; below, a client that has long been one needs as many failures more.
    private static let balances = -8...16

    init(_ first: ScanTarget, _ family: Family) {
        self.family = family
        failures = [128 of ScanTarget](repeating: first)
        ports = [128 of UInt16](repeating: first.port)
        count = 1
        next = 1
        balance = first.outcome == .empty ? 0 : 1
        halfOpen = first.outcome == .halfOpen ? 1 : 0
        score = first.outcome == .empty ? 0 : 1
        (began, slowSince, last) = (first.tick, first.tick, first.tick)
        anyHost = first.host
        fresh = 0
        see(first)
    }

    private mutating func see(_ target: ScanTarget) {
        targets.add(target.hash)
        hosts.add(target.host.mixed)
        let differing = (target.host.high ^ anyHost.high).leadingZeroBitCount
        commonBits = min(
            commonBits,
            differing < 64 ? differing : 64 + (target.host.low ^ anyHost.low).leadingZeroBitCount
        )
    }

    /// - Parameters:
    ///   - span: windows after which a pause begins a new scan.
    ///   - forgets: windows after which a target of the score is forgotten.
    mutating func fail(_ target: ScanTarget, span: Int32, forgets: Double) {
        let pause = target.tick &- last
        if pause > span {
            (targets, hosts, deepHosts) = (ScanSketch(), ScanSketch(), ScanSketch())
            (began, anyHost, commonBits, isFast, halfOpen) = (target.tick, target.host, 128, false, 0)
        }
        score -= Double(max(0, pause)) / forgets
        if score <= 0 { (score, slowSince) = (0, target.tick) }
        last = max(last, target.tick)
        fresh += 1
        see(target)
        for place in 0..<count where ports[place] == target.port && failures[place].host == target.host {
            failures[place].tick = target.tick
            // What was refused stays so, though some scanners send a RST then too.
            if failures[place].outcome == .silent { failures[place].outcome = target.outcome }
            return
        }
        failures[next] = target
        ports[next] = target.port
        next = (next + 1) % Self.room
        count = min(count + 1, Self.room)
        if target.outcome == .halfOpen { halfOpen += 1 }
        guard target.outcome != .empty else { return }
        balance = min(balance + 1, Self.balances.upperBound)
        if !isFast { score += 1 }
    }

    /// A host of which it tried many ports.
    mutating func goDeep(_ host: Address) { deepHosts.add(host.mixed) }

    /// Takes it as found by another level than the slow one, or no longer.
    mutating func setFast(_ isFast: Bool) {
        self.isFast = isFast
        if isFast { (score, slowSince) = (0, last) }
    }

    mutating func reach(_ host: Address, _ port: UInt16) {
        let hash = (host.mixed ^ UInt64(port)).mixed
        let (word, bit) = (Int(hash >> 61), UInt64(1) << (hash & 63))
        guard reached[word] & bit == 0 else { return }
        reached[word] |= bit
        // Half full it tells no more what is new.
        if (0..<8).reduce(0, { $0 + reached[$1].nonzeroBitCount }) > 256 { reached = [8 of UInt64](repeating: 0) }
        balance = max(balance - 1, Self.balances.lowerBound)
    }

    /// How much likelier a scanner than a client is to have met what it met.
    var likelihood: Double {
        balance >= 0 ? Double(UInt64(1) << UInt64(2 * balance)) : 1 / Double(UInt64(1) << UInt64(-2 * balance))
    }

    /// What counts for who is kept.
    var weight: Double { score + Double(max(0, balance)) }

    /// The failures of at most so many windows ago.
    func recent(_ windows: Int32, before tick: Int32) -> [ScanTarget] {
        var recent: [ScanTarget] = []
        recent.reserveCapacity(count)
        for place in 0..<count where tick &- failures[place].tick <= windows { recent.append(failures[place]) }
        return recent
    }
}
