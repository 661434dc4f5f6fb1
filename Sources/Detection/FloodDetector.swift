public import Flows
import Packets

/// Finds floods: per service, address, prefix and of all together, by two time constants.
///
/// A window's volumes tell who may be under a flood; its contacts tell floods from what only looks like them
/// (``FloodJudge``): from flash crowds, services that are down, scans, streams, and servers whose answers are wanted. Bulk
/// traffic is none, however much: packets of flows that both ends speak in are never counted, except ICMP and requests.
///
/// - term Time: a window with ``FloodSettings/burst`` times the level opens an incident; less does when the exponential mean
///   over 30 s of packet time, of what is above the off-level, has come to a quarter of the level: after eight windows at it.
/// - term Severity: high for what takes a service away or fills the line, medium for what the stack drops cheaply (ACK, RST,
///   FIN, ICMP, fragments, impossible flags, other protocols); a step more for each ten times the level, and for SYN floods
///   under which the kernel drops connections.
/// - term Confidence: 0.5, and 0.2 (1 - 1 / ratio) for how far it is above its level, 0.2 times the share of the traffic
///   that looks like a flood, and 0.1 when it has lasted.
public struct FloodDetector: Detector {
    /// Scaled.
    private let settings: FloodSettings
    private var means: FloodMeans
    private var connections: SilentConnections
    private var missed: UInt64 = 0

    public init(_ settings: FloodSettings, scale: Double) {
        self.settings = settings.scaled(by: scale)
        means = FloodMeans(capacity: settings.remembered, burst: settings.burst)
        connections = SilentConnections(self.settings)
    }

    public var turnedAway: UInt64 { missed + means.turnedAway + connections.turnedAway }

    /// Subjects and classes that are remembered.
    var remembered: Int { means.count }

    public mutating func judge(_ window: Observation, _ scene: Scene, _ findings: inout [Finding]) {
        let rows = FloodRows(window, scene, settings)
        missed += rows.turnedAway
        var lanes = rows.lanes
        if !lanes.isEmpty { judge(&lanes, window, scene, &findings) }
        if window.number & 15 == 0 { means.forget(before: window.number) }
        connections.judge(window, scene, &findings)
    }

    private mutating func judge(
        _ lanes: inout [FloodLane],
        _ window: borrowing Observation,
        _ scene: Scene,
        _ findings: inout [Finding]
    ) {
        look(at: window, &lanes)
        let judge = FloodJudge(
            settings: settings,
            scene: scene,
            isCapped: window.missed.contacts > 0,
            isCrowded: window.missed.traffic.packets > 0,
            handshake: window.weights[SamplingClass.handshake.rawValue],
            first: window.weights[SamplingClass.first.rawValue],
            rest: window.weights[SamplingClass.rest.rawValue],
            seconds: Double(Observation.length) / 1e9
        )
        var verdicts = lanes.map { judge.judge($0) }
        setAside(lanes, &verdicts)
        let writer = FloodWriter(judge: judge, window: window)
        for (lane, verdict) in zip(lanes, verdicts) where verdict.ratio >= 0.1 || lane.raw >= 0.7 {
            let mean = means.add(lane.key, verdict.ratio, window: window.number)
            guard verdict.ratio >= 0.1 else { continue }
            let isDue = verdict.isSure && verdict.ratio >= settings.burst || mean >= FloodMeans.kept
            findings.append(writer.finding(lane, verdict, mean: mean, isDue: isDue))
        }
    }

    /// One flood, one finding: what a prefix is told of is not told of its addresses.
    private func setAside(_ lanes: [FloodLane], _ verdicts: inout [FloodVerdict]) {
        let prefixes = lanes.indices.filter { lanes[$0].key.kind == .prefix && verdicts[$0].ratio >= 1 }
        guard !prefixes.isEmpty else { return }
        let told = Set(prefixes.map { lanes[$0].key.subject })
        for place in lanes.indices where lanes[place].key.kind < .requests {
            let (address, family) = (lanes[place].key.subject.address, lanes[place].key.subject.family)
            let prefix = Subject(prefixOf: address, family, bits: FloodRows.prefixBits(family))
            if told.contains(prefix) { verdicts[place].ratio = 0 }
        }
    }

    /// Fills lanes from contacts and samples.
    private func look(at window: borrowing Observation, _ lanes: inout [FloodLane]) {
        let index = FloodLaneIndex(lanes)
        let all = lanes.firstIndex { $0.key.kind == .interface }
        let weights = window.weights
        let isSampled = weights.indices.contains { weights[$0] > 1 }
        let mature = window.end - Self.patience
        for contact in window.contacts {
            let weight = isSampled ? weights[contact.samplingClass.rawValue] : 1
            let isMature = contact.time < mature
            for place in index.lanes(of: contact.responder, contact.family) {
                lanes[place].add(contact, weight: weight, isMature: isMature)
            }
            for place in index.lanes(ofPrefixWith: contact.responder, contact.family) {
                lanes[place].add(contact, weight: weight, isMature: isMature)
            }
            if let all { lanes[all].add(contact, weight: weight, isMature: isMature) }
        }
        let count = window.samples.count
        for place in 0..<count + window.samplesLeftOut.count {
            let sample = place < count ? window.samples[place] : window.samplesLeftOut[place - count]
            let (target, family) = (sample.packet.destination, sample.packet.family)
            for lane in index.lanes(of: target, family) { lanes[lane].add(sample, isLeftOut: place >= count) }
            for lane in index.lanes(ofPrefixWith: target, family) { lanes[lane].add(sample, isLeftOut: place >= count) }
            if let all { lanes[all].add(sample, isLeftOut: place >= count) }
        }
    }

    /// Nanoseconds after which the third packet of a handshake has come, from nearly everywhere on earth.
    private static let patience: Int64 = 300_000_000
}

extension Contact {
    /// By which budget its packet was kept.
    var samplingClass: SamplingClass {
        if protocolNumber == 6, !flags.isDisjoint(with: [.syn, .fin, .rst]) { return .handshake }
        return protocolNumber == (family == .ipv4 ? 1 : 58) ? .icmp : .first
    }
}
