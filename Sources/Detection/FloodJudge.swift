import Flows
import Packets

/// What a lane comes to, after its contacts were looked at.
struct FloodVerdict {
    /// What was judged, a second, and the level that it was held against.
    var value: Double
    var level: Double
    /// Not always the quotient: several levels may apply, and all of several conditions must.
    var ratio: Double
    /// Whether one window of it is enough.
    var isSure = true
    /// Share of it that looks like a flood, 0 ... 1.
    var purity = 1.0
}

/// Judges lanes of one window.
struct FloodJudge {
    let settings: FloodSettings
    let scene: Scene
    /// Contacts that found no room stand for flows nobody knows: then what volumes say is believed.
    let isCapped: Bool
    /// Volumes that found no room may be of connections that came about.
    let isCrowded: Bool
    /// What a seen SYN stood for.
    let handshake: Double
    /// What a flow's first packet stood for.
    let first: Double
    /// What another packet of a flow stood for.
    let rest: Double
    let seconds: Double

    func judge(_ lane: borrowing FloodLane) -> FloodVerdict {
        switch lane.key.kind {
        case .synchronize, .hostSynchronize: synchronize(lane)
        case .requests: requests(lane)
        case .prefix: sum(lane, level: settings.prefix)
        case .interface: sum(lane, level: settings.interface)
        case .reflection: unsolicited(lane, level: settings.reflection)
        case .icmp: icmp(lane)
        default: unsolicited(lane, level: settings.unsolicited)
        }
    }

    /// SYNs are a flood when connections do not come about: new ones, since who gets no answer sends the same SYN again.
    private func synchronize(_ lane: borrowing FloodLane) -> FloodVerdict {
        let offered = lane.volume.packets
        guard offered > 0 else { return FloodVerdict(value: 0, level: settings.synchronize, ratio: 0) }
        let answers = min(lane.answers, offered)
        let new = isCapped ? offered : min(offered, max(lane.opened, answers))
        var completions = isCrowded ? max(lane.completions, lane.wentOn) : lane.completions
        if handshake > 1 {
            // Each stands for handshake²; two standard errors more may have come about.
            let square = handshake * handshake
            completions += 2 * square * (completions / square + 1).squareRoot()
        }
        let halfOpen = max(0, new - completions) * lane.share
        let isRefused = lane.refused >= 0.5 * lane.opened && lane.opened > 0
        let isFew = lane.sources.estimate < settings.fewSources
        let isDropping = scene.kernel.map { $0.listenDrops > 0 || $0.synCookiesSent > 0 } ?? false
        let isUnanswered = !isRefused && !isDropping && answers < 0.05 * offered
        let isSentAgain = !isCapped && lane.opened < 0.6 * offered
        var level = settings.synchronize
        if lane.key.kind == .hostSynchronize {
            level = isSweep(lane, isFew: isFew) ? settings.sweep : settings.hostSynchronize
        } else if isRefused {
            level = settings.hostSynchronize
        }
        var verdict = FloodVerdict(value: halfOpen / seconds, level: level, ratio: halfOpen / seconds / level)
        verdict.purity = min(1, halfOpen / max(new, 1))
        // A tenth that does not come about is what bad networks do.
        if verdict.purity < 0.1 { verdict.ratio = min(verdict.ratio, 10 * verdict.purity) }
        // Nobody listens, and honest clients ask again: a service that is down.
        if isUnanswered, isSentAgain {
            verdict.ratio = max(0, offered - completions) * lane.share / seconds / settings.volume
        }
        let isOver = isCapped || handshake > 1
        verdict.isSure =
            !(isUnanswered && isFew) && (isOver || (lane.mature - lane.wentOn) / seconds >= settings.burst * level)
        return verdict
    }

    /// Packets that nobody asked for, of flows that nobody answers. Streams of a few flows are held against the level of
    /// volume alone.
    private func unsolicited(_ lane: borrowing FloodLane, level: Double) -> FloodVerdict {
        let loose = lane.volume.unaskedPackets * lane.share
        guard isAlone(lane) else { return FloodVerdict(value: 0, level: level, ratio: 0) }
        let answered = lane.opened > 0 ? min(1, lane.answered / lane.opened) : 0
        var spread = loose
        switch lane.key.kind {
        case .fragment, .reflection: break
        // Flows of protocols without ports are few, whatever they carry.
        case .protocols: spread *= 1 - lane.part { $0.isTunnel }
        default: if !isCapped { spread = min(loose, 4 * lane.opened) }
        }
        let isSweep = isSweep(lane, isFew: lane.sources.estimate < settings.fewSources)
        let limit = isSweep ? settings.sweep : level
        let value = spread * (1 - answered) / seconds
        let packets = loose / seconds / (isSweep ? settings.sweep : settings.volume)
        let bits = lane.volume.unaskedBits * lane.share / seconds / settings.bits
        var verdict = FloodVerdict(value: value, level: limit, ratio: max(value / limit, packets, bits))
        verdict.purity = loose > 0 ? min(1, spread * (1 - answered) / loose) : 0
        return verdict
    }

    /// While frames are left out, questions and first fragments are too, and what follows them looks unasked: all but
    /// 1 / weight of it. So hardly any may be asked.
    private func isAlone(_ lane: borrowing FloodLane) -> Bool {
        switch lane.key.kind {
        case .fragment: lane.volume.unaskedPackets >= (1 - 0.5 / rest) * lane.volume.packets || rest <= 1
        case .reflection:
            lane.volume.unaskedPackets >= (1 - 0.5 / first) * (lane.volume.packets + lane.asked) || first <= 1
        default: true
        }
    }

    /// Errors tell of what their receiver sent, unless there are far too many of them.
    private func icmp(_ lane: borrowing FloodLane) -> FloodVerdict {
        let value = lane.volume.unaskedPackets * lane.share / seconds
        let total = lane.volume.packets * lane.share / seconds
        let errors = total * lane.part { $0.isICMPError }
        let bits = lane.volume.unaskedBits * lane.share / seconds
        let ratio = max(value / settings.icmp, errors / settings.volume, bits / settings.bits)
        var verdict = FloodVerdict(value: value, level: settings.icmp, ratio: ratio)
        verdict.purity = total > 0 ? min(1, max(value, errors) / total) : 0
        return verdict
    }

    /// Many addresses together. UDP that is answered is not counted: questions, not a flood.
    private func sum(_ lane: borrowing FloodLane, level: Double) -> FloodVerdict {
        let answered = lane.datagrams > 0 ? min(1, lane.answered / lane.datagrams) : 0
        let loose = max(0, lane.volume.unaskedPackets - lane.answers * answered) * lane.share
        let limit = isSweep(lane, isFew: lane.sources.estimate < settings.fewSources) ? settings.sweep : level
        let bits = lane.volume.unaskedBits * lane.share * (1 - answered) / seconds / settings.bits
        var verdict = FloodVerdict(value: loose / seconds, level: limit, ratio: max(loose / seconds / limit, bits))
        verdict.purity = lane.volume.unaskedPackets > 0 ? min(1, loose / lane.volume.unaskedPackets) : 0
        return verdict
    }

    /// Bytes on the wire of a frame that may be a scanner's.
    private static let probe = 200.0

    /// Whether this is somebody who tries ports, or addresses: few packets to each.
    private func isSweep(_ lane: borrowing FloodLane, isFew: Bool) -> Bool {
        let isSYN = lane.key.kind == .hostSynchronize
        let packets = isSYN ? lane.volume.packets : lane.volume.unaskedPackets
        let bytes = isSYN ? lane.volume.bytes : lane.volume.unaskedBytes
        guard isFew, lane.opened > 0, bytes < Self.probe * packets else { return false }
        return lane.targets.estimate >= 0.25 * min(lane.opened, 65_536)
    }

    /// Requests of clients that ask faster than people. A flash crowd is many that ask little.
    private func requests(_ lane: borrowing FloodLane) -> FloodVerdict {
        let rate = lane.volume.packets / seconds
        var counts = lane.sampledBySource
        var total = Double(lane.samples.count + lane.samplesLeftOut)
        if total < 8 {
            // Other traffic has taken nearly all samples: by connections.
            counts = lane.bySource
            total = counts.values.reduce(0, +)
        }
        guard total > 0 else { return FloodVerdict(value: 0, level: settings.requests, ratio: 0) }
        // Samples of who asks at the limit, and two standard deviations more.
        let limit = settings.client * total / rate
        let sure = limit + 2 * limit.squareRoot() + 1
        let hammering = counts.values.reduce(0) { $1 >= min(sure, total) ? $0 + $1 : $0 }
        let value = rate * hammering / total
        var verdict = FloodVerdict(value: value, level: settings.requests, ratio: value / settings.requests)
        verdict.purity = hammering / total
        return verdict
    }
}

extension TrafficVolume {
    /// Bits of what nobody asked for; of each packet at most what IP allows, whatever a capture claims.
    var unaskedBits: Double { 8 * min(unaskedBytes, 65_600 * unaskedPackets) }
}

extension Packet {
    /// IP in IP, IPv6 in IP, GRE, ESP, AH, EtherIP, L2TP: protocols that carry other people's traffic.
    fileprivate var isTunnel: Bool { [4, 41, 47, 50, 51, 94, 97, 115].contains(protocolNumber) }
}
