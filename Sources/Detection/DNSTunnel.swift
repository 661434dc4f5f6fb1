import Flows
import Packets

/// Finds data that are carried in the names and answers of DNS (iodine, dns2tcp, dnscat2 and their like).
///
/// For each client and domain it counts, over a minute and over an hour, the different names below the domain and the bytes
/// that may have been carried: those of names, as far as they differ, and those of answers to questions for record types that
/// hold what their owner likes. They count if most questions are for such types, or if names are longer than hosts' names. The
/// ratio is the lesser of bytes and names, each to its level, and the greater of minute and hour. Messages to a name server's
/// port that are no DNS, and are answered by such (iodine where it reaches its server itself), count as one domain.
///
/// Ordinary lookups stay silent since they ask for addresses of short names, or the same few names again; a mail server since
/// its TXT lookups are for names with an underscore, of many domains; content networks' random hosts since they are short and
/// lead to addresses; blocklists and virus scanners by their known domains (``DNSTunnelSettings/lookups``), of which one that is
/// not on the list may look like a tunnel, as it is one by its means. What is encrypted (DoT, DoH) is not seen.
///
/// Severity: medium, one step more from 10 times the level on and another from 100 times on. Confidence: 0.6, more by 0.2 if
/// most questions are for such types, by up to 0.15 with the share of names that differ; 0.7 where it is no DNS, 0.5 where the
/// capture is cut and the domain not known.
struct DNSTunnel: Detector {
    private struct Key: Hashable, Comparable {
        var client: SourceKey
        var domain: UInt64

        static func < (left: Key, right: Key) -> Bool {
            left.client == right.client ? left.domain < right.domain : left.client < right.client
        }
    }

    private struct Entry {
        var minute = DNSTunnelTally(span: 60_000_000_000)
        var hour = DNSTunnelTally(span: 3_600_000_000_000)
    }

    /// One client's domain with the highest ratio.
    private struct Verdict {
        var ratio = 0.0
        var isOfHour = false
        var entry: Entry
        var row: DomainQueries
        /// Its domains from half the level on.
        var domains = 0
    }

    private let settings: DNSTunnelSettings
    private let scale: Double
    private var entries: [Key: Entry] = [:]
    private(set) var turnedAway: UInt64 = 0

    init(_ settings: DNSTunnelSettings, scale: Double) {
        self.settings = settings
        self.scale = scale
    }

    mutating func judge(_ window: Observation, _ scene: Scene, _ findings: inout [Finding]) {
        var verdict: Verdict?
        for row in window.domains where mayCarry(row) {
            if let last = verdict, !last.row.isOfClient(row) {
                report(last, window, &findings)
                verdict = nil
            }
            let key = Key(client: SourceKey(address: row.client, family: row.family), domain: row.hash)
            var entry = entries.removeValue(forKey: key) ?? Entry()
            if entries.count >= settings.capacity { makeRoom() }
            entry.minute.advance(to: window.start)
            entry.hour.advance(to: window.start)
            entry.minute.add(row)
            entry.hour.add(row)
            entries[key] = entry
            let isForeign = row.hash == DomainQueries.foreign
            let minute = ratio(entry.minute, isForeign, bytes: settings.bytesOfMinute, names: settings.namesOfMinute)
            let hour = ratio(entry.hour, isForeign, bytes: settings.bytesOfHour, names: settings.namesOfHour)
            var next = verdict ?? Verdict(entry: entry, row: row)
            if max(minute, hour) > next.ratio {
                (next.ratio, next.isOfHour, next.entry, next.row) = (max(minute, hour), hour > minute, entry, row)
            }
            if max(minute, hour) >= 0.5 { next.domains += 1 }
            verdict = next
        }
        if let last = verdict { report(last, window, &findings) }
    }

    /// Whether anything in it can count; of nearly all traffic nothing does.
    private func mayCarry(_ row: DomainQueries) -> Bool {
        let isLong = row.queries > 0 && row.nameBytes >= settings.nameLength * row.queries
        guard row.carriers > 0 || row.carrierBytes > 0 || isLong else { return false }
        return !settings.local.contains { row.isWithin($0) } && !settings.lookups.contains { row.isWithin($0) }
    }

    private func ratio(_ tally: DNSTunnelTally, _ isForeign: Bool, bytes: Double, names: Double) -> Double {
        // A flood of what is no DNS is answered by nobody.
        if isForeign, tally.answers < 0.1 * tally.queries { return 0 }
        return min(carried(tally) / (bytes * scale), tally.names / (names * scale))
    }

    /// Bytes that may have been carried.
    private func carried(_ tally: DNSTunnelTally) -> Double {
        let up = tally.nameBytes * tally.newShare
        if tally.carriers >= settings.carrierShare * tally.queries { return up + tally.carrierBytes }
        return tally.nameBytes >= settings.nameLength * tally.queries ? up : 0
    }

    /// Forgets the quarter that carried the least in the last hour.
    private mutating func makeRoom() {
        let sorted = entries.sorted { left, right in
            let (less, more) = (carried(left.value.hour), carried(right.value.hour))
            return less == more ? left.key < right.key : less < more
        }
        for (key, _) in sorted.prefix(max(1, settings.capacity / 4)) { entries[key] = nil }
        turnedAway += UInt64(max(1, settings.capacity / 4))
    }
}

extension DNSTunnel {
    private func report(_ verdict: Verdict, _ window: Observation, _ findings: inout [Finding]) {
        guard verdict.ratio >= 0.1 else { return }
        let row = verdict.row
        let tally = verdict.isOfHour ? verdict.entry.hour : verdict.entry.minute
        let isTyped = tally.carriers >= settings.carrierShare * tally.queries
        var finding = Finding(.dnsTunnel, Subject(row.client, row.family), ratio: verdict.ratio)
        finding.severity = Severity.medium.raised(by: verdict.ratio)
        finding.confidence =
            switch row.hash {
            case DomainQueries.cut: 0.5
            case DomainQueries.foreign: 0.7
            default: 0.6 + (isTyped ? 0.2 : 0) + 0.15 * tally.newShare
            }
        finding.patience = 60_000_000_000
        if verdict.ratio >= 0.7 { finding.evidence = evidence(verdict, tally, window) }
        findings.append(finding)
    }

    private func evidence(_ verdict: Verdict, _ tally: DNSTunnelTally, _ window: Observation) -> Evidence {
        let (row, isOfHour) = (verdict.row, verdict.isOfHour)
        let span = isOfHour ? "an hour" : "a minute"
        let bytes = (isOfHour ? settings.bytesOfHour : settings.bytesOfMinute) * scale
        let names = (isOfHour ? settings.namesOfHour : settings.namesOfMinute) * scale
        let queries = max(1, tally.queries)
        var evidence = Evidence()
        evidence.measures = [
            .init("bytes carried in \(span)", carried(tally).rounded(), level: bytes, unit: "bytes"),
            .init("different names in \(span)", tally.names.rounded(), level: names),
            .init("questions in \(span)", tally.queries.rounded()),
            .init("mean name below the domain", tally.nameBytes / queries, level: settings.nameLength, unit: "bytes"),
            .init("share of TXT, NULL, CNAME and the like", tally.carriers / queries, level: settings.carrierShare),
            .init("bytes of answers of such types", tally.carrierBytes.rounded(), unit: "bytes"),
            .init("answers that there is no such name", tally.failures.rounded()),
            .init("domains used so", Double(verdict.domains)),
        ]
        evidence.sources = [.init(row.client, row.family, count: row.queries)]
        evidence.countedAs = "questions"
        evidence.ports = [(53, row.queries)]
        evidence.samples = Array(
            window.samples.lazy
                .filter { $0.packet.source == row.client || $0.packet.destination == row.client }
                .filter { $0.packet.sourcePort == 53 || $0.packet.destinationPort == 53 }
                .prefix(20)
        )
        let client = row.client.text(as: row.family)
        let (sum, different) = (Int(carried(tally)), Int(tally.names.rounded()))
        switch row.hash {
        case DomainQueries.foreign:
            evidence.summary =
                "\(client) exchanged about \(sum) bytes within \(span) in messages with the port of name servers that are "
                + "no DNS."
            evidence.advice =
                "Find the program that sends them (on the client), and whom it reaches at port 53. Let clients ask only your "
                + "own resolvers."
        case DomainQueries.cut:
            evidence.summary =
                "\(client) carried about \(sum) bytes within \(span) in \(different) different names, so long that the "
                + "capture's length hides their domain."
            evidence.advice =
                "Look at the names in the resolver's log. Find the program that asks (on the client), and let clients ask only "
                + "your own resolvers."
        default:
            evidence.summary =
                "\(client) carried about \(sum) bytes within \(span) in \(different) different names below \(row.domain) and "
                + "in the answers."
            evidence.advice =
                "Find the program that asks (on the client), and who owns \(row.domain). Let clients ask only your own "
                + "resolvers, and refuse the domain there; if it is a lookup service that you use, add it to those known."
        }
        return evidence
    }
}

extension DomainQueries {
    fileprivate func isOfClient(_ other: DomainQueries) -> Bool { client == other.client && family == other.family }
}
