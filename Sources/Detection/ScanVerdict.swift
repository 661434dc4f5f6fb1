import Packets

/// What the failures of one source say of one subject.
struct ScanVerdict: Sendable {
    var threat: ThreatClass
    var subject: Subject
    /// What was counted, and the level.
    var value: Double
    var level: Double
    /// Less than `value` through `level` where another condition is not met.
    var ratio: Double
    /// Of the subject; only from ``ScanJudge/detailed`` on.
    var targets: [ScanTarget] = []
}

/// Tells what a source's failures look like.
struct ScanJudge {
    /// Ratio from which on an incident can hold: below nobody asks for details.
    static let detailed = 0.7
    /// Where a condition beside the count is not met, the ratio is held here.
    static let held = 0.6

    let settings: ScanSettings
    let scene: Scene
    /// Number of the window.
    let tick: Int32

    private struct Host {
        var address: Address
        var targets: ArraySlice<ScanTarget>
        var count: Double
    }

    /// - Returns: one for each victim and class that came to a tenth of its level.
    func verdicts(on suspect: inout ScanSuspect, _ source: Address) -> [ScanVerdict] {
        let isOurs = scene.isHome(source, suspect.family) == true
        let factor = isOurs ? settings.outbound : 1
        let recent = suspect.recent(Int32(settings.span / Int64(1 << 30)), before: tick)
            .sorted { $0.host == $1.host ? $0.port < $1.port : $0.host < $1.host }
        let hosts = Self.hosts(of: recent)
        for host in hosts where host.targets.count >= 3 { suspect.goDeep(host.address) }
        let isWide = suspect.hosts.estimate > Double(settings.portsOfHorizontal) + 0.5
        let isSure = suspect.likelihood >= settings.likelihood
        var verdicts: [ScanVerdict] = []
        func add(
            _ shape: ThreatClass.ScanShape,
            _ victim: Subject,
            _ value: Double,
            of level: Double,
            _ targets: [ScanTarget],
            holds: Bool
        ) {
            let ratio = holds ? value / level : min(value / level, Self.held)
            guard ratio >= 0.1 else { return }
            let threat = ThreatClass.scan(shape, technique(of: targets, suspect), isOutbound: isOurs)
            verdicts.append(
                ScanVerdict(
                    threat: threat,
                    subject: isOurs ? Subject(source, suspect.family) : victim,
                    value: value,
                    level: level,
                    ratio: ratio,
                    targets: ratio >= Self.detailed ? targets : []
                )
            )
        }
        if suspect.deepHosts.estimate > Double(settings.portsOfHorizontal) + 0.5 {
            let level = settings.pairs * factor
            add(.block, reach(of: suspect), Self.count(recent[...]), of: level, recent, holds: isSure)
        } else {
            let level = settings.ports * factor
            for host in hosts where !isWide || host.count >= Self.detailed * level {
                let victim = Subject(host.address, suspect.family)
                add(.vertical, victim, host.count, of: level, Array(host.targets), holds: true)
            }
            if isWide {
                let (value, targets) = horizontal(recent)
                add(.horizontal, reach(of: suspect), value, of: settings.hosts * factor, targets, holds: isSure)
            }
        }
        if !suspect.isFast, verdicts.allSatisfy({ $0.ratio < 1 }) {
            let lasts = Int64(tick &- suspect.slowSince) << 30 >= settings.slowSpan
            let all = suspect.recent(tick &- suspect.slowSince, before: tick)
            let subject = subject(of: all, suspect)
            add(.slow, subject, suspect.score, of: settings.slow * factor, all, holds: isSure && lasts)
        }
        return verdicts
    }

    /// Failures; and connections without a byte, as many as there are failures: alone they are what health checks make.
    private static func count(_ targets: ArraySlice<ScanTarget>) -> Double {
        let empty = targets.count { $0.outcome == .empty }
        return Double(targets.count - empty + min(empty, targets.count - empty))
    }

    private static func hosts(of sorted: [ScanTarget]) -> [Host] {
        var hosts: [Host] = []
        var start = 0
        for end in 1..<(sorted.count + 1) where end == sorted.count || sorted[end].host != sorted[start].host {
            let targets = sorted[start..<end]
            hosts.append(Host(address: sorted[start].host, targets: targets, count: count(targets)))
            start = end
        }
        return hosts
    }

    /// Hosts that failed on the few ports that were tried most; none if these are not half of all that was tried.
    private func horizontal(_ recent: [ScanTarget]) -> (Double, [ScanTarget]) {
        var counts: [UInt16: Int] = [:]
        for target in recent { counts[target.port, default: 0] += 1 }
        let most = counts.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
            .prefix(settings.portsOfHorizontal).map(\.key)
        let targets = recent.filter { most.contains($0.port) }
        guard 2 * targets.count >= recent.count else { return (0, []) }
        var (failed, empty) = (0.0, 0.0)
        var start = 0
        for end in 1..<(targets.count + 1) where end == targets.count || targets[end].host != targets[start].host {
            let host = targets[start..<end]
            let weight = host.allSatisfy { settings.popular.contains($0.port) } ? settings.popularWeight : 1
            if host.allSatisfy({ $0.outcome == .empty }) { empty += weight } else { failed += weight }
            start = end
        }
        return (failed + min(empty, failed), targets)
    }

    /// Of most. What looks like whole connections is not, if the source's stack knew nothing of them.
    private func technique(of targets: [ScanTarget], _ suspect: ScanSuspect) -> ThreatClass.ScanTechnique {
        var majority = Majority<ThreatClass.ScanTechnique>()
        for target in targets { majority.add(target.technique) }
        let most = majority.candidate ?? .syn
        return most == .connect && suspect.halfOpen > 0 ? .syn : most
    }

    /// The prefix that was scanned; all of ours, or everyone, where that is wider than a subnet.
    private func reach(of suspect: ScanSuspect) -> Subject {
        let offset = suspect.family == .ipv4 ? 96 : 0
        let subnet = suspect.family == .ipv4 ? 24 : 64
        if suspect.commonBits >= offset + subnet {
            return Subject(prefixOf: suspect.anyHost, suspect.family, bits: UInt8(subnet))
        }
        for home in scene.home where home.contains(suspect.anyHost, suspect.family) {
            guard suspect.commonBits >= offset + Int(home.bits) else { continue }
            return Subject(prefixOf: home.address, home.family, bits: home.bits)
        }
        return Subject(prefixOf: suspect.anyHost, suspect.family, bits: 0)
    }

    /// Of a slow scan: the host that most of it went to, or what it reached.
    private func subject(of targets: [ScanTarget], _ suspect: ScanSuspect) -> Subject {
        var majority = Majority<Address>()
        for target in targets { majority.add(target.host) }
        guard let host = majority.candidate, 2 * targets.count(where: { $0.host == host }) >= targets.count else {
            return reach(of: suspect)
        }
        return Subject(host, suspect.family)
    }
}
