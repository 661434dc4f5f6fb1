import Flows
import Packets

extension EDoSDetector {
    /// A client, or a group of clients, that is there.
    struct Member {
        var client: CostClient
        var episode: CostClient.Episode
        var likeness: Double

        /// Minutes.
        var length: Double { episode.length }
        /// Load in an hour.
        var rate: Double { episode.rate }
    }

    /// What one service is judged by.
    struct Look {
        var service: CostService
        var time: Int64
        var clients: [Member]
        var groups: [Member]
        var held: [EDoSConnections.Held]
        var window: Observation
    }

    func judge(_ look: Look, _ state: inout EDoSState) -> [Finding] {
        var findings: [Finding] = []
        // One cause is one incident: the class that says the most about it.
        var isTold = false
        for found in [judgePulsing(look, &state), judgeLeech(look, state), judgeSustained(look, state)] {
            guard let found, !isTold else { continue }
            findings.append(found)
            isTold = found.ratio >= 1
        }
        if let found = judgeHolding(look, &state) { findings.append(found) }
        let isExplained = findings.contains { $0.ratio >= 0.7 }
        if !isExplained, let found = judgeChange(look, state) { findings.append(found) }
        return findings
    }

    /// The load now, as a multiple of what is too much.
    private func excess(_ load: Double, _ state: EDoSState) -> Double {
        load / max(settings.floor, settings.factor * (state.expectation?.mean ?? 0))
    }

    private func judgeLeech(_ look: Look, _ state: EDoSState) -> Finding? {
        let clients = leeches(look, look.clients)
        let groups = leeches(look, look.groups)
        guard let best = [clients, groups].compactMap({ $0 }).max(by: { $0.ratio < $1.ratio }) else { return nil }
        // A group of which one client is the cause is that client.
        let found = clients.map { $0.ratio >= min(1, best.ratio) } == true ? clients ?? best : best
        let rate = look.service.rate.load(settings.requestBytes)
        let ratio = min(found.ratio, state.expectation == nil ? found.ratio : excess(rate, state))
        guard ratio >= 0.1 else { return nil }
        var finding = finding(.edos(.leech), look, state, ratio, load: found.members.reduce(0) { $0 + $1.rate })
        if ratio >= 0.7 { finding.evidence = evidence(ofLeech: found.members, found.share, look, state) }
        return finding
    }

    /// - Returns: those that cause most of it, how far they are above the level, and their share.
    private func leeches(_ look: Look, _ members: [Member]) -> (members: [Member], ratio: Double, share: Double)? {
        let rated: [(member: Member, ratio: Double)] = members.map { ($0, leechRatio($0)) }
        guard let best = rated.map(\.ratio).max() else { return nil }
        let level = min(0.7, best)
        var chosen: [Member] = []
        for row in rated where row.ratio >= level { chosen.append(row.member) }
        chosen.sort { $0.rate == $1.rate ? $0.client.key < $1.client.key : $0.rate > $1.rate }
        let before = chosen.map(\.episode.before).min() ?? 0
        let load = chosen.reduce(0) { $0 + $1.episode.shape.load }
        let all = look.service.total.load(settings.requestBytes) - before
        let share = all > 0 ? min(1, load / all) : 0
        return (chosen, min(best, share / settings.share), share)
    }

    private func leechRatio(_ member: Member) -> Double {
        min(time(member), member.rate / settings.floor, member.likeness)
    }

    /// For how long it has gone on, as a multiple of the level.
    private func time(_ member: Member) -> Double {
        let isDownload = member.episode.shape.usage.requests < 3
        return member.length / (isDownload ? settings.downloadTime : settings.leechTime)
    }

    private func judgeSustained(_ look: Look, _ state: EDoSState) -> Finding? {
        guard let expectation = state.expectation else { return nil }
        let rate = look.service.rate.load(settings.requestBytes)
        let stayers = look.clients.filter { $0.likeness >= 1 && $0.length >= settings.stayTime }
        let isCrowd = Double(stayers.count) >= settings.crowd
        let time = isCrowd ? 1 : stayers.map { self.time($0) }.max() ?? 0
        let share = stayers.reduce(0) { $0 + $1.rate } / max(1, rate - expectation.mean)
        let ratio = min(
            state.score.sum / settings.change,
            excess(rate, state),
            time,
            share / settings.stayShare
        )
        guard ratio >= 0.1 else { return nil }
        var finding = finding(.edos(.sustained), look, state, ratio, load: rate - expectation.mean)
        if ratio >= 0.7 { finding.evidence = evidence(ofSustained: stayers, share, look, state) }
        return finding
    }

    private func judgePulsing(_ look: Look, _ state: inout EDoSState) -> Finding? {
        guard let series = look.service.series else { return nil }
        let usages = (0..<series.count).map { series[$0] }
        let loads = usages.map { $0.load(settings.requestBytes) }
        var mean = loads.reduce(0, +) / Double(loads.count) * 360
        guard mean >= settings.floor / 10, let pulse = EDoSPulse(loads, settings) else {
            state.pulses = nil
            return nil
        }
        mean = loads[pulse.start...].reduce(0, +) / Double(loads.count - pulse.start) * 360
        let needed = max(settings.periods, settings.pulseTime * 6 / pulse.period)
        let raised = (pulse.on - pulse.off) * pulse.duty * 360
        let ratio = min(
            pulse.periods / needed,
            pulse.correlation / settings.correlation,
            pulse.length / 6 / settings.pulse,
            pulse.on / max(pulse.off, pulse.on / 100) / settings.contrast,
            raised / settings.floor,
            excess(mean, state)
        )
        guard ratio >= 0.7 else {
            state.pulses = nil
            return ratio >= 0.1 ? finding(.edos(.pulsing), look, state, ratio, load: raised) : nil
        }
        // What is above the level between the pulses, from the first of them on.
        let quiet = pulse.isQuiet.indices.filter { pulse.isQuiet[$0] }
        let base = quiet.reduce(CostUsage()) { $0.adding(usages[$1]) } * (1 / Double(max(1, quiet.count)))
        let first = state.pulses == nil ? max(0, pulse.start - 1) : max(0, usages.count - 6)
        let more = usages[first...].reduce(base * -Double(usages.count - first)) { $0.adding($1) }
        let total = (state.pulses ?? CostUsage()).adding(more).atLeastNothing
        state.pulses = total
        var finding = finding(.edos(.pulsing), look, state, ratio, load: raised)
        finding.evidence = evidence(of: pulse, total, look, state)
        return finding
    }

    private func judgeHolding(_ look: Look, _ state: inout EDoSState) -> Finding? {
        guard !look.held.isEmpty else {
            state.held = nil
            return nil
        }
        let prefixes = Dictionary(grouping: look.held) { held in
            held.client.prefix(settings.groupBits(held.family), held.family)
        }
        let largest = prefixes.min { left, right in
            left.value.count == right.value.count ? left.key < right.key : left.value.count > right.value.count
        }
        let all = (held: look.held, ratio: heldRatio(look.held, settings.heldByAll, look.time))
        let group = largest.map { (held: $0.value, ratio: heldRatio($0.value, settings.held, look.time)) } ?? all
        let found = group.ratio >= all.ratio ? group : all
        let hours = found.held.reduce(0) { $0 + Double($1.last - $1.since) } / 3.6e12
        let present = found.held.count { look.time - $0.last < CostTable.minute }
        let total = state.held.map { $0.connectionHours + Double(present) / 60 } ?? hours
        state.held = found.ratio >= 0.7 ? CostUsage(connectionHours: total) : nil
        guard found.ratio >= 0.1 else { return nil }
        var finding = finding(.edos(.holding), look, state, found.ratio, load: settings.floor * found.ratio)
        if found.ratio >= 0.7 { finding.evidence = evidence(ofHeld: found.held, hours: total, look) }
        return finding
    }

    private func heldRatio(_ held: [EDoSConnections.Held], _ level: Double, _ time: Int64) -> Double {
        let age = held.reduce(0) { $0 + Double(time - $1.since) } / 6e10 / Double(held.count)
        return min(Double(held.count) / level, age / settings.heldTime)
    }

    private func judgeChange(_ look: Look, _ state: EDoSState) -> Finding? {
        // On the first day every hour is new.
        guard let expectation = state.expectation, expectation.basis > .anyHour else { return nil }
        let rate = look.service.rate.load(settings.requestBytes)
        let more = min(state.slowRise.sum / settings.change, excess(rate, state))
        let usual = max(settings.floor, settings.factor * rate)
        let less = min(state.slowFall.sum / settings.change, expectation.mean / usual)
        let ratio = max(more, less)
        guard ratio >= 0.1 else { return nil }
        var finding = finding(.change(.volume), look, state, ratio, load: 0)
        finding.severity = .low
        if ratio >= 0.7 { finding.evidence = evidence(ofChange: more >= less, look, state) }
        return finding
    }

    private func finding(
        _ threat: ThreatClass,
        _ look: Look,
        _ state: EDoSState,
        _ ratio: Double,
        load: Double
    ) -> Finding {
        var severity = Severity.medium.raised(by: load / settings.floor)
        if let budget = settings.prices.monthlyBudget,
            settings.prices.cost(of: look.service.projectedMonth) > budget
        {
            severity = max(severity, .high)
        }
        let confidence = 0.5 + (state.expectation == nil ? 0 : 0.2) + 0.3 * max(0, min(1, ratio - 1))
        return Finding(
            threat,
            look.service.key,
            ratio: ratio,
            severity: severity,
            confidence: confidence,
            // Judged once in a minute.
            patience: 300_000_000_000
        )
    }
}
