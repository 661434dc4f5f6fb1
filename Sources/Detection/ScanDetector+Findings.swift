import Flows
import Packets

extension ScanDetector {
    /// Sources that did the same to the same subject.
    private struct Group {
        var threat: ThreatClass
        var subject: Subject
        var notes: [ScanNote] = []
    }

    private static let ports = 64
    private static let samples = 20
    /// Sources whose targets are looked at for the evidence of one finding.
    private static let detailedSources = 64

    mutating func tell(_ window: Observation, _ scene: Scene, _ findings: inout [Finding]) {
        let tick = Int32(truncatingIfNeeded: window.number)
        let judge = ScanJudge(settings: settings, scene: scene, tick: tick)
        var notes = early
        for (place, source) in judged where suspects.keys[place] == source && suspects.values[place].fresh > 0 {
            let verdicts = judge.verdicts(on: &suspects.values[place], source)
            notes += verdicts.map { ScanNote($0, source, suspects.values[place]) }
            let quick = verdicts.filter { !$0.threat.isSlowScan }.map(\.ratio).max() ?? 0
            let isFast = suspects.values[place].isFast
            if quick >= 1 || isFast && quick < ScanJudge.detailed { suspects.values[place].setFast(quick >= 1) }
            suspects.values[place].fresh = 0
        }
        for group in Self.groups(of: notes) { findings.append(finding(of: group, window, scene)) }
        for (place, host) in struck where victims.keys[place] == host && victims.values[place].fresh > 0 {
            tellDistributed(place, window, scene, &findings)
            victims.values[place].fresh = 0
        }
        judged.removeAll(keepingCapacity: true)
        early.removeAll(keepingCapacity: true)
        struck.removeAll(keepingCapacity: true)
        failed.removeAll(keepingCapacity: true)
    }

    /// By class and subject, in the order of their first; of each source only the last.
    private static func groups(of notes: [ScanNote]) -> [Group] {
        struct Place: Hashable {
            var key: IncidentTable.Key
            var source: Address
        }
        var groups: [Group] = []
        var places: [IncidentTable.Key: Int] = [:]
        var members: [Place: Int] = [:]
        for note in notes {
            let key = IncidentTable.Key(note.verdict.threat, note.verdict.subject)
            let group = places[key] ?? groups.count
            if group == groups.count {
                groups.append(Group(threat: key.threat, subject: key.subject))
                places[key] = group
            }
            let place = Place(key: key, source: note.source)
            if let member = members[place] {
                if note.verdict.ratio >= groups[group].notes[member].verdict.ratio {
                    groups[group].notes[member] = note
                }
            } else {
                members[place] = groups[group].notes.count
                groups[group].notes.append(note)
            }
        }
        return groups
    }

    private func finding(of group: Group, _ window: Observation, _ scene: Scene) -> Finding {
        let members = group.notes.sorted {
            $0.verdict.ratio == $1.verdict.ratio ? $0.source < $1.source : $0.verdict.ratio > $1.verdict.ratio
        }
        let worst = members[0]
        guard worst.verdict.ratio >= ScanJudge.detailed else {
            return Finding(group.threat, group.subject, ratio: worst.verdict.ratio)
        }
        let isOurs = group.threat.isOutboundScan
        let all = max(worst.verdict.value, group.threat.isSlowScan ? 0 : worst.targets)
        let base = isOurs ? Severity.high : .medium
        return Finding(
            group.threat,
            group.subject,
            ratio: worst.verdict.ratio,
            severity: base.raised(by: all / worst.verdict.level),
            confidence: confidence(of: worst),
            patience: group.threat.isSlowScan ? settings.slowPatience : nil,
            evidence: evidence(of: group, members, all, window, scene)
        )
    }

    private func confidence(of note: ScanNote) -> Double {
        let targets = note.verdict.targets
        let proven = Double(targets.count { $0.outcome != .silent }) / Double(max(1, targets.count))
        let likelihood =
            note.verdict.threat.isVerticalScan
            ? Double(UInt64(1) << UInt64(2 * min(16, targets.count))) : note.likelihood
        return likelihood / (likelihood + settings.likelihood) * (0.7 + 0.3 * proven)
    }

    private func evidence(
        of group: Group,
        _ members: [ScanNote],
        _ all: Double,
        _ window: Observation,
        _ scene: Scene
    ) -> Evidence {
        let (worst, isOurs) = (members[0], group.threat.isOutboundScan)
        let targets = members.prefix(Self.detailedSources).flatMap(\.verdict.targets)
        func share(_ outcome: ScanTarget.Outcome) -> Double {
            Double(targets.count { $0.outcome == outcome }) / Double(max(1, targets.count))
        }
        var evidence = Evidence()
        evidence.measures = [
            Evidence.Measure(
                "\(group.threat.counted) tried in vain by one source",
                worst.verdict.value,
                level: worst.verdict.level
            ),
            Evidence.Measure("targets of that source since it began", all.rounded()),
            Evidence.Measure("likelihood ratio of the sequential test", worst.likelihood, level: settings.likelihood),
            Evidence.Measure("share refused", share(.refused)),
            Evidence.Measure("share unanswered", share(.silent)),
            Evidence.Measure("sources in this window", Double(members.count)),
        ]
        evidence.countedAs = "failed contacts"
        evidence.sources = members.map {
            Evidence.Source($0.source, $0.family, count: Double($0.fresh))
        }
        evidence.ports = Self.ports(of: targets)
        let sources = Set(members.prefix(Self.detailedSources).map(\.source))
        evidence.samples = Array(window.samples.lazy.filter { sources.contains($0.packet.source) }.prefix(Self.samples))
        let open = Set(targets.filter(\.outcome.isOpen).map(\.port)).sorted()
        let who = worst.source.text(as: worst.family) + (members.count > 1 ? " and \(members.count - 1) others" : "")
        let irregular = worst.verdict.targets.count { $0.outcome == .irregular }
        evidence.summary =
            "\(who) tried \(Self.tried(worst.verdict)) in vain, about \(Int(all)) targets in all: "
            + "\(worst.verdict.targets.count { $0.outcome == .refused }) refused, "
            + "\(worst.verdict.targets.count { $0.outcome == .silent }) unanswered"
            + (irregular > 0 ? ", \(irregular) with flags that no honest stack sends" : "")
            + (open.isEmpty ? "." : "; open: \(Self.list(open, group.subject, scene)).")
        evidence.advice =
            isOurs
            ? "This host scans others: find the process (`ss -tunap` while it lasts, then its parent and its files), take the "
                + "host off the network if nobody knows of it, and look for how it was entered."
            : open.isEmpty
                ? "Nothing was found open. Block the source only if it goes on; see that ports not in use stay closed."
                : "See whether the open ports are meant to be reachable from there, and watch what the source does next."
        return evidence
    }

    private static func tried(_ verdict: ScanVerdict) -> String {
        let hosts = Set(verdict.targets.map(\.host))
        let ports = Set(verdict.targets.map(\.port))
        let more = verdict.targets.count == ScanSuspect.room ? " or more" : ""
        let family = verdict.subject.family
        let host = hosts.count == 1 ? hosts.first?.text(as: family) ?? "" : "\(hosts.count)\(more) hosts"
        return switch verdict.threat {
        case .scan(_, .icmp, _): host
        case .scan(_, .ip, _): "\(ports.count)\(more) protocols of \(host)"
        default: ports.count == 1 ? "port \(ports.first ?? 0) of \(host)" : "\(ports.count)\(more) ports of \(host)"
        }
    }

    private static func ports(of targets: [ScanTarget]) -> [(port: UInt16, count: Double)] {
        var counts: [UInt16: Double] = [:]
        for target in targets where target.technique != .icmp { counts[target.port, default: 0] += 1 }
        return counts.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
            .prefix(ports).map { (port: $0.key, count: $0.value) }
    }

    /// Ports, with the programs that listen there if these are ours.
    private static func list(_ ports: [UInt16], _ subject: Subject, _ scene: Scene) -> String {
        let isHome = scene.isHome(subject.address, subject.family) == true
        let names = ports.prefix(8).map { port in
            guard isHome, let service = scene.services[port] else { return "\(port)" }
            return "\(port) (\(service.program))"
        }
        return names.joined(separator: ", ") + (ports.count > 8 ? ", ..." : "")
    }

    /// Many sources at one host.
    private mutating func tellDistributed(
        _ place: Int,
        _ window: Observation,
        _ scene: Scene,
        _ findings: inout [Finding]
    ) {
        let host = victims.keys[place]
        let tick = Int32(truncatingIfNeeded: window.number)
        let seconds = Double(Observation.length) / 1e9
        if Double(victims.values[place].fresh) > settings.distributedRate * seconds {
            return victims.values[place].reset(at: tick)
        }
        let victim = victims.values[place]
        guard scene.isHome(host, victim.family) ?? true else { return }
        let (ports, sources) = (victim.ports, victim.sources)
        let share = min(ports / settings.distributedPorts, sources / settings.distributedSources)
        let ratio = victim.division >= settings.division ? share : min(share, ScanJudge.held)
        guard ratio >= 0.1 else { return }
        let threat = ThreatClass.scan(.distributed, victim.technique, isOutbound: false)
        let subject = Subject(host, victim.family)
        guard ratio >= ScanJudge.detailed else { return findings.append(Finding(threat, subject, ratio: ratio)) }
        let failures = Double(max(1, victim.failures))
        var evidence = Evidence()
        evidence.measures = [
            Evidence.Measure("ports tried in vain by many sources", ports.rounded(), level: settings.distributedPorts),
            Evidence.Measure("sources", sources.rounded(), level: settings.distributedSources),
            Evidence.Measure("ports for each source and port", victim.division, level: settings.division),
            Evidence.Measure("failed contacts", failures),
            Evidence.Measure(
                "failed contacts a second",
                Double(victim.fresh) / seconds,
                level: settings.distributedRate,
                unit: "1/s"
            ),
        ]
        let struck = failed.filter { $0.target.host == host }
        evidence.countedAs = "failed contacts"
        evidence.sources = struck.map { Evidence.Source($0.source, victim.family, count: 1) }
        evidence.ports = Self.ports(of: struck.map(\.target))
        evidence.samples = Array(window.samples.lazy.filter { $0.packet.destination == host }.prefix(Self.samples))
        evidence.summary =
            "About \(Int(sources)) sources tried about \(Int(ports)) ports of \(host.text(as: victim.family)) in vain, "
            + "few ports each."
        evidence.advice =
            "Sources that share a scan belong together: look for what they have in common (network, TTL, window), and see "
            + "that ports not in use stay closed. Blocking single sources helps little."
        let confidence = victim.division * (0.7 + 0.3 * Double(victim.proven) / failures)
        findings.append(
            Finding(
                threat,
                subject,
                ratio: ratio,
                severity: Severity.medium.raised(by: ports / settings.distributedPorts),
                confidence: confidence,
                evidence: evidence
            )
        )
    }
}

/// A verdict with what of its source is told.
struct ScanNote: Sendable {
    var verdict: ScanVerdict
    var source: Address
    var family: Family
    /// Targets since it began, about.
    var targets: Double
    var likelihood: Double
    /// Failures in this window.
    var fresh: Int

    init(_ verdict: ScanVerdict, _ source: Address, _ suspect: borrowing ScanSuspect) {
        self.verdict = verdict
        self.source = source
        family = suspect.family
        targets = suspect.targets.estimate
        likelihood = suspect.likelihood
        fresh = suspect.fresh
    }
}

extension ThreatClass {
    var isSlowScan: Bool { if case .scan(.slow, _, _) = self { true } else { false } }
    var isVerticalScan: Bool { if case .scan(.vertical, _, _) = self { true } else { false } }
    var isOutboundScan: Bool { if case .scan(_, _, true) = self { true } else { false } }

    /// What a scan of this class counts.
    fileprivate var counted: String {
        switch self {
        case .scan(.vertical, .ip, _): "protocols"
        case .scan(.vertical, _, _): "ports"
        case .scan(.horizontal, _, _): "hosts (each a share on popular ports)"
        default: "targets"
        }
    }
}
