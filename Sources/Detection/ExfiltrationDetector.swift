import Flows
import Packets

/// What makes an upload worth a look. Defaults without a source were chosen for this sensor.
public struct ExfiltrationSettings: Equatable, Sendable {
    /// Pairs of hosts that are watched; each takes 0.3 KiB.
    public var pairs = 4_096
    /// Bytes that a host sends to one peer within an hour: 100 MiB, ten times the original system's level, that every larger
    /// attachment crossed.
    public var bytes = 100.0 * 1_048_576
    /// Times what it receives from there.
    public var asymmetry = 5.0
    /// Times the usual, of the days on which it sent there before.
    public var factor = 3.0

    public init() {}
}

/// Finds hosts that send far more to one place outside than they receive from it, and than they usually send there.
///
/// Judged is what hosts send in flows that they open: what clients fetch from a service is its cost, not a leak. From home to
/// neither home nor a private network; where nobody knows what is home, from a private network to a public one. The usual is
/// the median of the largest hours of the last seven days with traffic between the two, from three days on.
/// Severity: medium, one step more at ten times the level and at a hundred times. Confidence: 0.4; 0.2 more where a usual is
/// known; up to 0.3 by how far the weakest condition is above its level, all of it at twice the level.
struct ExfiltrationDetector: Detector {
    private struct Key: Hashable, Sendable {
        var host: Address
        var peer: Address
        var family: Family

        static func < (left: Key, right: Key) -> Bool {
            if left.host != right.host { return left.host < right.host }
            if left.peer != right.peer { return left.peer < right.peer }
            return left.family.rawValue < right.family.rawValue
        }
    }

    private struct Row {
        var key: Key
        /// Bytes of the last twelve times five minutes, by number of the five minutes modulo 12.
        var sent = [12 of Double](repeating: 0)
        var received = [12 of Double](repeating: 0)
        var slot: Int64
        var port: UInt16 = 0
        var flows = 0.0
        /// Of the day: the largest hour.
        var day: Int64
        var largest = 0.0
        /// Of days before, oldest first; at most seven.
        var days: [Float] = []
        /// The last window that told of it.
        var told = Int64.min

        var sentInHour: Double { (0..<12).reduce(0) { $0 + sent[$1] } }
        var receivedInHour: Double { (0..<12).reduce(0) { $0 + received[$1] } }
        var usual: Double? { days.count >= 3 ? days.map { Double($0) }.median : nil }
        var worth: Double { days.reduce(max(largest, sentInHour)) { max($0, Double($1)) } }

        mutating func move(to slot: Int64, day: Int64) {
            for step in 0..<min(12, max(0, slot - self.slot)) {
                let place = Int((slot - step) % 12 + 12) % 12
                (sent[place], received[place]) = (0, 0)
            }
            self.slot = max(self.slot, slot)
            guard day != self.day else { return }
            if largest > 0 {
                if days.count == 7 { days.removeFirst() }
                days.append(Float(largest))
            }
            (self.day, largest) = (day, 0)
        }
    }

    private static let slot: Int64 = 300_000_000_000
    private let settings: ExfiltrationSettings
    private var rows: [Row] = []
    private var places: [Key: Int] = [:]
    private(set) var turnedAway: UInt64 = 0

    /// - Parameter scale: see ``DetectionSettings/scale``.
    init(_ settings: ExfiltrationSettings, scale: Double) {
        var settings = settings
        settings.bytes *= scale
        self.settings = settings
    }

    mutating func judge(_ window: Observation, _ scene: Scene, _ findings: inout [Finding]) {
        let slot = window.start.quotient(by: Self.slot)
        let day = (window.start + scene.wallOffset).quotient(by: 288 * Self.slot)
        var changed: [Key] = []
        for flow in window.flows where scene.isOutbound(flow.initiator, to: flow.responder, flow.family) {
            guard flow.isAnswered else { continue }
            let place = place(of: flow, slot, day)
            rows[place].move(to: slot, day: day)
            let now = Int((slot % 12 + 12) % 12)
            rows[place].sent[now] += Double(flow.forward.bytes)
            rows[place].received[now] += Double(flow.backward.bytes)
            rows[place].port = flow.responderPort
            if flow.isFirst { rows[place].flows += 1 }
            guard rows[place].told != window.number else { continue }
            rows[place].told = window.number
            changed.append(rows[place].key)
        }
        for key in changed {
            guard let place = places[key], let finding = judge(place, window) else { continue }
            findings.append(finding)
        }
    }

    private mutating func place(of flow: FlowDigest, _ slot: Int64, _ day: Int64) -> Int {
        let key = Key(host: flow.initiator, peer: flow.responder, family: flow.family)
        if let known = places[key] { return known }
        if rows.count == settings.pairs { thinOut() }
        places[key] = rows.count
        rows.append(Row(key: key, slot: slot, day: day))
        return rows.count - 1
    }

    private mutating func judge(_ place: Int, _ window: Observation) -> Finding? {
        let sent = rows[place].sentInHour
        guard sent >= settings.bytes / 10 else { return nil }
        let usual = rows[place].usual
        let level = max(settings.bytes, settings.factor * (usual ?? 0))
        let asymmetry = sent / max(1, rows[place].receivedInHour)
        let ratio = min(sent / level, asymmetry / settings.asymmetry)
        // Told as usual later, but not what is an incident now.
        if ratio < 1 { rows[place].largest = max(rows[place].largest, sent) }
        guard ratio >= 0.1 else { return nil }
        let row = rows[place]
        var finding = Finding(
            .exfiltration,
            Subject(row.key.host, row.key.family),
            ratio: ratio,
            severity: Severity.medium.raised(by: ratio),
            confidence: 0.4 + (usual == nil ? 0 : 0.2) + 0.3 * max(0, min(1, ratio - 1)),
            // Its traffic is told every 10 s, and may pause.
            patience: 300_000_000_000
        )
        if ratio >= 0.7 { finding.evidence = evidence(row, sent, level, asymmetry, window) }
        return finding
    }

    private func evidence(
        _ row: Row,
        _ sent: Double,
        _ level: Double,
        _ asymmetry: Double,
        _ window: Observation
    ) -> Evidence {
        let (host, peer, family) = (row.key.host, row.key.peer, row.key.family)
        var evidence = Evidence()
        evidence.measures = [
            .init("bytes sent in an hour", sent, level: level, baseline: row.usual, unit: "bytes"),
            .init("bytes sent for each received", asymmetry, level: settings.asymmetry),
            .init("flows", row.flows),
        ]
        evidence.countedAs = "bytes"
        evidence.sources = [.init(peer, family, count: sent)]
        evidence.ports = [(row.port, sent)]
        evidence.samples = Array(
            window.samples.lazy.filter { $0.packet.source == host && $0.packet.destination == peer }.prefix(20)
        )
        let usual = row.usual.map { ", \(($0 / 1_048_576).short) MiB on other days" } ?? ""
        evidence.summary =
            "\(host.text(as: family)) sent \((sent / 1_048_576).short) MiB to \(peer.text(as: family)) within an hour\(usual), "
            + "\(asymmetry.short) times what it received."
        evidence.advice =
            "Find the program on \(host.text(as: family)) that sends to \(peer.text(as: family)); if it is a backup, allow it."
        return evidence
    }

    /// Drops the half of the pairs that sent the least.
    private mutating func thinOut() {
        turnedAway += UInt64(rows.count - rows.count / 2)
        let worths = rows.map(\.worth)
        let order = rows.indices.sorted { left, right in
            worths[left] == worths[right] ? rows[left].key < rows[right].key : worths[left] > worths[right]
        }
        rows = order.prefix(rows.count / 2).map { rows[$0] }
        places = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1.key, $0) })
    }
}
