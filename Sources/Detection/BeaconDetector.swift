import Flows
import Packets

/// What makes connections a beacon. Defaults without a source were chosen for this sensor.
public struct BeaconSettings: Equatable, Sendable {
    /// Pairs of hosts that are watched; each takes 0.2 KiB.
    public var pairs = 4_096
    /// Gaps alike that make a beacon.
    public var repeats = 10.0
    /// Minutes that these must take together: a program that starts asks often, for a while.
    public var time = 10.0
    /// Seconds: the shortest and the longest period.
    public var shortest = 10.0
    public var longest = 7_200.0
    /// A gap is alike if it is this near to the median, as a share of that...
    public var jitter = 0.2
    /// ...and so many of the last 16 must be: 0 ... 1.
    public var share = 0.8
    /// Services that honest hosts ask with a period: names, time, addresses, discovery, management, mail.
    public var excludedPorts: Set<UInt16> = [
        53, 67, 68, 110, 123, 137, 138, 143, 161, 162, 514, 547, 853, 993, 995, 1900, 3478, 5353, 5355,
    ]

    public init() {}
}

/// Finds hosts that make connections to one place outside with a period, as malware asks for orders.
///
/// A beat is a connection (TCP) or a conversation (UDP) that was answered; those within five seconds are one. The gaps between the
/// last 17 are judged: 80 % of them must be within 20 % of their median, and there must be ten of these over ten minutes.
/// Gaps by chance are so alike once in tens of thousands of pairs. Not judged: what stays inside (home, or private networks),
/// asked by others than hosts at home (where that is not known: of private networks), health checks and polling of
/// local services therefore, ports of services that are asked with a period by honest hosts, and requests inside one connection.
/// Programs that look for updates or tell measurements do the same: severity is low, medium for gaps within 5 %; confidence
/// 0.3, and up to 0.4 more the less the gaps vary.
struct BeaconDetector: Detector {
    private struct Key: Hashable, Sendable {
        var host: Address
        var peer: Address
        var port: UInt16
        var protocolNumber: UInt8
        var family: Family

        static func < (left: Key, right: Key) -> Bool {
            if left.host != right.host { return left.host < right.host }
            if left.peer != right.peer { return left.peer < right.peer }
            return left.rest < right.rest
        }

        private var rest: UInt32 { UInt32(port) << 16 | UInt32(protocolNumber) << 8 | UInt32(family.rawValue) }
    }

    private struct Row {
        var key: Key
        var last: Int64
        /// Seconds; the latest is at `beats % 16`.
        var gaps = [16 of Float](repeating: 0)
        var beats = 0
        /// Gaps alike in a row; one that is not takes back three.
        var run = 0.0
    }

    private let settings: BeaconSettings
    private var rows: [Row] = []
    private var places: [Key: Int] = [:]
    private(set) var turnedAway: UInt64 = 0

    /// - Parameter scale: see ``DetectionSettings/scale``.
    init(_ settings: BeaconSettings, scale: Double) {
        var settings = settings
        settings.repeats *= scale
        settings.time *= scale
        self.settings = settings
    }

    mutating func judge(_ window: Observation, _ scene: Scene, _ findings: inout [Finding]) {
        for contact in window.contacts where contact.step == .answered {
            guard isOpening(contact), contact.isOutbound(scene) else { continue }
            if let finding = beat(contact, window) { findings.append(finding) }
        }
    }

    private func isOpening(_ contact: Contact) -> Bool {
        if settings.excludedPorts.contains(contact.responderPort) { return false }
        // A flow that goes on after the active time-out is answered too, but no connection.
        return contact.protocolNumber == 6 ? contact.flags.contains([.syn, .ack]) : contact.protocolNumber == 17
    }

    private mutating func beat(_ contact: Contact, _ window: Observation) -> Finding? {
        let key = Key(
            host: contact.initiator,
            peer: contact.responder,
            port: contact.responderPort,
            protocolNumber: contact.protocolNumber,
            family: contact.family
        )
        guard let place = places[key] else {
            if rows.count == settings.pairs { thinOut() }
            places[key] = rows.count
            rows.append(Row(key: key, last: contact.time))
            return nil
        }
        let gap = Double(contact.time - rows[place].last) / 1e9
        guard gap >= settings.shortest / 2 else { return nil }
        rows[place].last = contact.time
        guard gap <= 1.5 * settings.longest else {
            (rows[place].beats, rows[place].run) = (0, 0)
            return nil
        }
        rows[place].beats += 1
        rows[place].gaps[rows[place].beats % 16] = Float(gap)
        var row = rows[place]
        defer { rows[place] = row }
        return judge(&row, gap, window)
    }

    private func judge(_ row: inout Row, _ gap: Double, _ window: Observation) -> Finding? {
        let count = min(row.beats, 16)
        let gaps = (0..<count).map { Double(row.gaps[(row.beats - $0) % 16]) }
        let period = gaps.median
        row.run = abs(gap - period) <= settings.jitter * period ? row.run + 1 : max(0, row.run - 3)
        guard settings.shortest...settings.longest ~= period, count >= 3 else { return nil }
        let distances = gaps.map { abs($0 - period) / period }
        let alike = Double(distances.count { $0 <= settings.jitter })
        let share = alike / Double(count)
        let repeats = row.run
        let ratio = min(repeats / settings.repeats, repeats * period / 60 / settings.time, share / settings.share)
        guard ratio >= 0.1 else { return nil }
        let variation = distances.median
        let confidence = 0.3 + 0.4 * max(0, 1 - variation / settings.jitter)
        var finding = Finding(
            .beacon,
            Subject(row.key.host, row.key.family),
            ratio: ratio,
            severity: variation <= 0.05 ? .medium : .low,
            confidence: confidence,
            patience: Int64(max(120, 3 * period) * 1e9)
        )
        if ratio >= 0.7 { finding.evidence = evidence(row, period, variation, share, repeats, window) }
        return finding
    }

    private func evidence(
        _ row: Row,
        _ period: Double,
        _ variation: Double,
        _ share: Double,
        _ repeats: Double,
        _ window: Observation
    ) -> Evidence {
        var evidence = Evidence()
        evidence.measures = [
            .init("period", period, unit: "s"),
            .init("gaps alike", repeats.rounded(), level: settings.repeats),
            .init("share of gaps alike", share, level: settings.share),
            .init("median distance from the period", variation, level: settings.jitter),
        ]
        evidence.countedAs = "connections"
        evidence.sources = [.init(row.key.peer, row.key.family, count: 1)]
        evidence.ports = [(row.key.port, 1)]
        let (host, peer) = (row.key.host, row.key.peer)
        evidence.samples = Array(
            window.samples.lazy.filter {
                $0.packet.source == host && $0.packet.destination == peer
                    || $0.packet.source == peer && $0.packet.destination == host
            }.prefix(20)
        )
        let family = row.key.family
        let target = Subject(peer, family, port: row.key.port)
        evidence.summary =
            "\(host.text(as: family)) connects to \(target) every \(period.short) s, \(Int(repeats)) times so far, within "
            + "\((variation * 100).short) % of the period."
        evidence.advice =
            "Find the program on \(host.text(as: family)) that connects to \(target); if you know it, allow it."
        return evidence
    }

    /// Drops the half that is the least of a beacon: the fewest beats, then the longest silent.
    private mutating func thinOut() {
        turnedAway += UInt64(rows.count - rows.count / 2)
        let order = rows.indices.sorted { left, right in
            let (low, high) = (rows[left], rows[right])
            if low.beats != high.beats { return low.beats > high.beats }
            return low.last == high.last ? low.key < high.key : low.last > high.last
        }
        rows = order.prefix(rows.count / 2).map { rows[$0] }
        places = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1.key, $0) })
    }
}

extension Contact {
    fileprivate func isOutbound(_ scene: Scene) -> Bool { scene.isOutbound(initiator, to: responder, family) }
}

extension Scene {
    /// Whether a host asks something outside: from home to neither home nor a private network. Where nobody knows what is
    /// home: from a private network to a public one.
    func isOutbound(_ host: Address, to peer: Address, _ family: Family) -> Bool {
        guard !peer.isLocal(family) else { return false }
        guard let isOurs = isHome(host, family) else { return host.isLocal(family) }
        return isOurs && isHome(peer, family) == false
    }
}
