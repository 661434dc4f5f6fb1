import Flows
import Packets

extension EDoSDetector {
    func evidence(ofLeech members: [Member], _ share: Double, _ look: Look, _ state: EDoSState) -> Evidence {
        guard let first = members.first else { return Evidence() }
        let shape = members.reduce(into: CostClient.Shape()) { $0 += $1.episode.shape }
        let rate = members.reduce(CostUsage()) { $0.adding($1.episode.usageInAnHour) }
        var evidence = base(look, state, total: shape.usage, rate: rate)
        let minutes = members.map(\.length).max() ?? 0
        evidence.measures += [
            .init("share of the service's cost", share, level: settings.share),
            .init("time", minutes, level: settings.leechTime, unit: "min"),
            .init("likeness to a machine", first.likeness, level: 1),
            .init("spread of what it gets", first.episode.shape.spread, level: settings.spread, unit: "octaves"),
            .init("variation of one connection's minutes", first.episode.variationOfOne, level: settings.variation),
            .init("connections at a time", first.episode.connections),
            .init("requests", shape.usage.requests),
            .init("bytes out for each in", shape.usage.bytes / max(1, shape.received)),
        ]
        let isGroup = look.groups.contains { $0.client.key == first.client.key }
        evidence.sources =
            isGroup ? sources(in: members.map(\.client.key), look) : members.map { source($0.client) }
        let who = isGroup ? prefix(first.client.key).description : name(first.client.key)
        let others = members.count > 1 ? " and \(members.count - 1) more" : ""
        evidence.summary =
            "\(who)\(others) caused \((share * 100).short) % of what \(look.service.key) cost for \(minutes.short) minutes, "
            + "evenly as a machine does: \(told(shape.usage)), \(told(rate)) an hour."
        evidence.advice =
            "If you know \(who), allow it; else limit its rate at \(look.service.key) or block it, and look at what it asks for."
        return evidence
    }

    func evidence(ofSustained stayers: [Member], _ share: Double, _ look: Look, _ state: EDoSState) -> Evidence {
        let total = stayers.reduce(CostUsage()) { $0.adding($1.episode.shape.usage) }
        let rate = stayers.reduce(CostUsage()) { $0.adding($1.episode.usageInAnHour) }
        var evidence = base(look, state, total: total, rate: rate)
        let minutes = Double(look.time - state.score.onset) / 6e10
        evidence.measures += [
            .init("sum of distances", state.score.sum, level: settings.change, unit: "standard deviations"),
            .init("time", minutes, unit: "min"),
            .init("clients that stay like machines", Double(stayers.count)),
            .init("their share in what is above usual", share, level: settings.stayShare),
        ]
        evidence.sources = stayers.map { source($0.client) }.largest
        evidence.summary =
            "\(look.service.key) has cost more than usual for \(minutes.short) minutes; \(stayers.count) clients that never rest "
            + "cause it: \(told(total)), \(told(rate)) an hour."
        evidence.advice =
            "Limit how much one client may get from \(look.service.key) in an hour; look whether these clients have anything in "
            + "common that can be blocked."
        return evidence
    }

    func evidence(of pulse: EDoSPulse, _ total: CostUsage, _ look: Look, _ state: EDoSState) -> Evidence {
        let hours = Double(look.service.series?.count ?? 0) / 360
        var evidence = base(look, state, total: total, rate: total * (1 / max(hours, 1 / 60)))
        evidence.measures += [
            .init("period", pulse.period * 10, unit: "s"),
            .init("duty", pulse.duty),
            .init("autocorrelation", pulse.correlation, level: settings.correlation),
            .init("periods in a row", pulse.periods, level: settings.periods),
            .init("load while on", pulse.on * 360 / 1e9, baseline: pulse.off * 360 / 1e9, unit: "GB/h"),
        ]
        let clients = table.clients.filter { $0.key.service == place(look) }
        evidence.sources = clients.map { source($0, $0.total.bytes) }.largest
        let on = pulse.length / 6
        evidence.summary =
            "The load of \(look.service.key) comes and goes every \((pulse.period / 6).short) minutes, on for \(on.short): "
            + "what makes an autoscaler start and stop instances. Above the level between: \(told(total))."
        evidence.advice =
            "Let the autoscaler wait longer than \((pulse.period / 6).short) minutes before it scales again; limit the rate of "
            + "the clients listed."
        return evidence
    }

    func evidence(ofHeld held: [EDoSConnections.Held], hours: Double, _ look: Look) -> Evidence {
        var evidence = Evidence()
        let age = held.reduce(0) { $0 + Double(look.time - $1.since) } / 6e10 / Double(max(1, held.count))
        let usage = CostUsage(connectionHours: hours)
        let prices = settings.prices
        let isPriced = prices.perInstanceHour != nil
        evidence.cost = .init(
            total: isPriced ? prices.cost(of: usage) : hours,
            perHour: isPriced
                ? prices.cost(of: CostUsage(connectionHours: Double(held.count))) : Double(held.count),
            unit: isPriced ? prices.currency : "connection hours"
        )
        var counts: [SourceKey: Double] = [:]
        for row in held { counts[SourceKey(address: row.client, family: row.family), default: 0] += 1 }
        evidence.countedAs = "connections"
        evidence.sources =
            counts.sorted { $0.key < $1.key }.map { .init($0.key.address, $0.key.family, count: $0.value) }.largest
        evidence.measures = [
            .init("connections held", Double(held.count), level: settings.held),
            .init("clients", Double(counts.count)),
            .init("mean age", age, level: settings.heldTime, unit: "min"),
        ]
        evidence.ports = [(look.service.key.port, Double(held.count))]
        evidence.samples = samples(look)
        evidence.summary =
            "\(counts.count) clients hold \(held.count) connections to \(look.service.key) for \(age.short) minutes and ask for "
            + "nothing."
        evidence.advice =
            "Give \(look.service.key) a time limit for a request's head and body and for a client that does not read; limit "
            + "connections by client."
        return evidence
    }

    func evidence(ofChange isMore: Bool, _ look: Look, _ state: EDoSState) -> Evidence {
        let score = isMore ? state.slowRise : state.slowFall
        let minutes = Double(look.time - score.onset) / 6e10
        var evidence = base(look, state, total: CostUsage(), rate: look.service.rate)
        evidence.cost = nil
        evidence.measures.append(
            .init("sum of distances", score.sum, level: settings.change, unit: "standard deviations")
        )
        evidence.sources = look.clients.map { source($0.client) }.largest
        evidence.summary =
            "\(look.service.key) does \(isMore ? "more" : "less") than at this hour on other days, for \(minutes.short) minutes: "
            + "\(told(look.service.rate)) an hour."
        evidence.advice =
            isMore
            ? "Look whether the clients of \(look.service.key) are those you know; nothing says that they mean harm."
            : "Look whether \(look.service.key) still answers, and whether its clients can reach it."
        return evidence
    }

    private func base(_ look: Look, _ state: EDoSState, total: CostUsage, rate: CostUsage) -> Evidence {
        var evidence = Evidence()
        let load = look.service.rate.load(settings.requestBytes) / 1e9
        let usual = state.expectation.map { $0.mean / 1e9 }
        evidence.measures = [
            .init(
                "load of the service",
                load,
                level: max(settings.floor / 1e9, settings.factor * (usual ?? 0)),
                baseline: usual,
                unit: "GB/h"
            ),
            .init("bytes out", rate.gigabytes, unit: "GB/h"),
            .init("requests in an hour", rate.requests, unit: "1/h"),
        ]
        let prices = settings.prices
        evidence.cost = .init(total: prices.cost(of: total), perHour: prices.cost(of: rate), unit: prices.unit)
        evidence.countedAs = "bytes out"
        evidence.ports = [(look.service.key.port, look.service.latest.bytes)]
        evidence.samples = samples(look)
        return evidence
    }

    private func samples(_ look: Look) -> [PacketSummary] {
        let service = look.service.key
        return Array(
            look.window.samples.lazy.filter {
                let packet = $0.packet
                return packet.source == service.address && packet.sourcePort == service.port
                    || packet.destination == service.address && packet.destinationPort == service.port
            }.prefix(20)
        )
    }

    private func place(_ look: Look) -> Int32 {
        Int32(table.services.firstIndex { $0.key == look.service.key } ?? -1)
    }

    private func source(_ client: CostClient, _ count: Double? = nil) -> Evidence.Source {
        Evidence.Source(client.key.address, client.key.family, count: count ?? client.latest.bytes)
    }

    /// Clients of groups that did anything in the last minute.
    private func sources(in groups: [CostClient.Key], _ look: Look) -> [Evidence.Source] {
        let isChosen = Set(groups)
        return table.clients.filter { client in
            var key = client.key
            key.address = key.address.prefix(settings.groupBits(key.family), key.family)
            return client.latest.bytes > 0 && isChosen.contains(key)
        }.map { source($0) }.largest
    }

    private func name(_ key: CostClient.Key) -> String { key.address.text(as: key.family) }

    private func prefix(_ key: CostClient.Key) -> Subject {
        Subject(prefixOf: key.address, key.family, bits: settings.groupBits(key.family))
    }

    /// `3.2 GB and 1,200 requests`, with what it costs where that is known.
    private func told(_ usage: CostUsage) -> String {
        let amount = "\(usage.gigabytes.short) GB and \(usage.requests.short) requests"
        guard settings.prices.isSet else { return amount }
        return "\(amount), \(settings.prices.cost(of: usage).short) \(settings.prices.currency)"
    }
}

extension CostClient.Episode {
    var usageInAnHour: CostUsage { shape.usage * (60 / length) }
}

extension [Evidence.Source] {
    /// The 256 with the most.
    fileprivate var largest: [Evidence.Source] {
        Array(
            sorted { left, right in
                left.count == right.count ? left.address < right.address : left.count > right.count
            }.prefix(256)
        )
    }
}

extension Double {
    /// For people: three digits.
    var short: String {
        let size = magnitude
        if size >= 100 || self == 0 { return "\(Int(max(-9e15, min(9e15, rounded()))))" }
        let scale = size >= 10 ? 10.0 : size >= 1 ? 100 : 1_000
        return "\((self * scale).rounded() / scale)"
    }
}
