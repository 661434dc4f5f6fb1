import Flows
import Packets

extension ScanDetector {
    mutating func fail(_ source: Address, _ family: Family, _ target: ScanTarget, _ scene: Scene) {
        if failed.count < Self.failures { failed.append((source, target)) }
        let suspect = suspects.find(source)
        let isKnownScanner = suspect.map { suspects.values[$0].isFast } ?? false
        if !target.outcome.isOpen, !isKnownScanner { strike(source, family, target) }
        if let suspect {
            suspects.touch(suspect)
            if suspects.values[suspect].fresh == 0 { judged.append((suspect, source)) }
            suspects.values[suspect].fail(target, span: span, forgets: forgets)
            if suspects.values[suspect].fresh % ScanSuspect.room == 0 { glance(at: suspect, target.tick, scene) }
            return
        }
        guard let place = once.find(source) else {
            if once.isFull { forgetOldest(at: target.tick) }
            once.insert(source, target)
            return
        }
        var first = once.values[place]
        if first.host == target.host, first.port == target.port {
            first.tick = target.tick
            once.values[place] = first
            once.touch(place)
            return
        }
        // A flood in the names of a few thousand hosts must not be all that is known.
        guard promotions < settings.suspects else {
            turnedAway &+= 1
            return
        }
        promotions += 1
        once.remove(place)
        if suspects.isFull { giveUpSuspect() }
        let new = suspects.insert(source, ScanSuspect(first, family))
        suspects.values[new].fail(target, span: span, forgets: forgets)
        judged.append((new, source))
    }

    mutating func reach(_ source: Address, _ host: Address, _ port: UInt16) {
        guard let place = suspects.find(source) else { return }
        suspects.values[place].reach(host, port)
    }

    /// Judges a suspect before the window ends.
    private mutating func glance(at suspect: Int, _ tick: Int32, _ scene: Scene) {
        let judge = ScanJudge(settings: settings, scene: scene, tick: tick)
        let source = suspects.keys[suspect]
        for verdict in judge.verdicts(on: &suspects.values[suspect], source) where verdict.ratio >= 1 {
            early.append(ScanNote(verdict, source, suspects.values[suspect]))
            if !verdict.threat.isSlowScan { suspects.values[suspect].setFast(true) }
        }
    }

    /// Windows after which a target is forgotten.
    private var forgets: Double { Double(settings.forgets) / Double(Observation.length) }

    /// Counts a failure for the host where it happened.
    private mutating func strike(_ source: Address, _ family: Family, _ target: ScanTarget) {
        let place: Int
        if let known = victims.find(target.host) {
            place = known
            victims.touch(place)
        } else {
            if victims.isFull, let oldest = victims.oldest { victims.remove(oldest) }
            place = victims.insert(target.host, ScanVictim(family, at: target.tick))
        }
        if victims.values[place].fresh == 0 { struck.append((place, target.host)) }
        victims.values[place].fail(target, from: source, span: span)
    }

    private mutating func forgetOldest(at tick: Int32) {
        guard let oldest = once.oldest else { return }
        if tick &- once.values[oldest].tick <= span { turnedAway &+= 1 }
        once.remove(oldest)
    }

    /// Of those that failed least lately, the one that failed the least.
    private mutating func giveUpSuspect() {
        var least: Int?
        var place = suspects.oldest
        for _ in 0..<8 {
            guard let candidate = place else { break }
            if least.map({ suspects.values[candidate].weight < suspects.values[$0].weight }) ?? true {
                least = candidate
            }
            place = suspects.newer(than: candidate)
        }
        guard let least else { return }
        turnedAway &+= 1
        suspects.remove(least)
    }
}
