public import Flows
import Packets

/// Finds guessing of passwords by short sessions at login services that look failed (``LoginService``).
///
/// Counted by source and service, and by service where many sources share the guesses. What is seen is length and turns of
/// sessions, never what was said: a client that is set up with a wrong password and tries again and again looks the same,
/// and so it should, until somebody sets it right. Web logins are requests like others and are not judged.
///
/// Severity: medium, high if the source is ours; a step more for each factor of ten above the level; critical once a
/// session that looks like a login comes from who guessed. Confidence: (g + 1) / (g + o + 2), with g sessions that look
/// failed and o that do not, of the same source at the same service.
public struct BruteForceDetector: Detector {
    private let settings: BruteForceSettings
    private var pairs: RecencyTable<GuessEnds, GuessCounts>
    private var services: RecencyTable<GuessEnds, GuessCounts>
    public private(set) var turnedAway: UInt64 = 0
    /// Windows: half of what is looked back on.
    private let half: Int32

    /// - Parameter scale: multiplies the levels.
    public init(_ settings: BruteForceSettings, scale: Double = 1) {
        var settings = settings
        settings.guesses *= scale
        settings.sharedGuesses *= scale
        settings.sharedSources *= scale
        self.settings = settings
        pairs = RecencyTable(capacity: settings.pairs)
        services = RecencyTable(capacity: settings.services)
        half = Int32(settings.span >> 31)
    }

    public mutating func judge(_ window: Observation, _ scene: Scene, _ findings: inout [Finding]) {
        let tick = Int32(truncatingIfNeeded: window.number)
        var touched: [GuessEnds] = []
        for flow in window.flows where flow.protocolNumber == 6 {
            guard let service = LoginService.known[flow.responderPort] else { continue }
            let isWatched =
                scene.isHome(flow.responder, flow.family) ?? true || scene.isHome(flow.initiator, flow.family) ?? true
            guard isWatched else { continue }
            let ends = GuessEnds(source: flow.initiator, host: flow.responder, port: flow.responderPort)
            let guesses = service.guesses(in: flow)
            if guesses > 0 {
                add(guesses, flow, to: \.pairs, ends, tick, &touched)
                let all = GuessEnds(source: .zero, host: flow.responder, port: flow.responderPort)
                add(guesses, flow, to: \.services, all, tick, &touched)
            } else if let place = pairs.find(ends) {
                if flow.end != .interim { pairs.values[place].addOther() }
                let isAfter =
                    pairs.values[place].isAfterGuess(flow)
                    && pairs.values[place].guesses(at: tick, half: half) >= settings.guesses
                if isAfter, service.looksEntered(flow), !pairs.values[place].isEntered {
                    pairs.values[place].isEntered = true
                    if !pairs.values[place].hasNews { touched.append(ends) }
                    pairs.values[place].hasNews = true
                }
            }
        }
        tell(touched, window, scene, &findings)
    }

    private mutating func add(
        _ guesses: Double,
        _ flow: FlowDigest,
        to table: WritableKeyPath<Self, RecencyTable<GuessEnds, GuessCounts>>,
        _ ends: GuessEnds,
        _ tick: Int32,
        _ touched: inout [GuessEnds]
    ) {
        let place: Int
        if let known = self[keyPath: table].find(ends) {
            place = known
            self[keyPath: table].touch(place)
        } else {
            if self[keyPath: table].isFull, let oldest = self[keyPath: table].oldest {
                self[keyPath: table].remove(oldest)
                turnedAway &+= 1
            }
            place = self[keyPath: table].insert(ends, GuessCounts(flow.family, at: tick))
        }
        self[keyPath: table].values[place].advance(to: tick, half: half)
        if !self[keyPath: table].values[place].hasNews { touched.append(ends) }
        self[keyPath: table].values[place].hasNews = true
        self[keyPath: table].values[place].add(guesses, flow)
    }
}

// MARK: - Findings

extension BruteForceDetector {
    /// One source at one service.
    private struct Note {
        var ends: GuessEnds
        var counts: GuessCounts
        var guesses: Double
    }

    private mutating func tell(
        _ touched: [GuessEnds],
        _ window: Observation,
        _ scene: Scene,
        _ findings: inout [Finding]
    ) {
        let tick = Int32(truncatingIfNeeded: window.number)
        var groups: [(subject: Subject, notes: [Note])] = []
        var places: [IncidentTable.Key: Int] = [:]
        for ends in touched {
            let isShared = ends.source == .zero
            let table = isShared ? \Self.services : \Self.pairs
            guard let place = self[keyPath: table].find(ends) else { continue }
            let counts = self[keyPath: table].values[place]
            self[keyPath: table].values[place].hasNews = false
            self[keyPath: table].values[place].fresh = 0
            let note = Note(ends: ends, counts: counts, guesses: counts.guesses(at: tick, half: half))
            if isShared {
                tellShared(note, window, &findings)
                continue
            }
            let isOurs = scene.isHome(ends.source, counts.family) == true
            let subject =
                isOurs ? Subject(ends.source, counts.family) : Subject(ends.host, counts.family, port: ends.port)
            let key = IncidentTable.Key(.bruteForce(ends.port), subject)
            let group = places[key] ?? groups.count
            if group == groups.count {
                groups.append((subject, []))
                places[key] = group
            }
            groups[group].notes.append(note)
        }
        for group in groups {
            if let finding = finding(of: group.subject, group.notes, window, scene) { findings.append(finding) }
        }
    }

    private func finding(of subject: Subject, _ notes: [Note], _ window: Observation, _ scene: Scene) -> Finding? {
        let notes = notes.sorted {
            $0.guesses == $1.guesses ? $0.ends.source < $1.ends.source : $0.guesses > $1.guesses
        }
        let worst = notes[0]
        let (ratio, threat) = (worst.guesses / settings.guesses, ThreatClass.bruteForce(worst.ends.port))
        guard ratio >= 0.1 else { return nil }
        guard ratio >= ScanJudge.detailed else { return Finding(threat, subject, ratio: ratio) }
        let isOurs = scene.isHome(worst.ends.source, worst.counts.family) == true
        let entered = notes.first { $0.counts.isEntered }
        var evidence = Evidence()
        evidence.measures = [
            Evidence.Measure("guesses of one source", worst.guesses, level: settings.guesses),
            Evidence.Measure("its sessions that look like failed logins", worst.counts.all),
            Evidence.Measure("its sessions that do not", worst.counts.others),
            Evidence.Measure("mean answer", worst.counts.meanBytes, unit: "bytes"),
            Evidence.Measure("mean length", worst.counts.meanSeconds, unit: "s"),
            Evidence.Measure("sources in this window", Double(notes.count)),
        ]
        evidence.countedAs = "guesses"
        evidence.sources = notes.map { Evidence.Source($0.ends.source, $0.counts.family, count: $0.counts.fresh) }
        evidence.ports = [(port: worst.ends.port, count: notes.reduce(0) { $0 + $1.counts.fresh })]
        let sources = Set(notes.map(\.ends.source))
        evidence.samples = Array(
            window.samples.lazy
                .filter { sources.contains($0.packet.source) && $0.packet.destinationPort == worst.ends.port }.prefix(
                    20
                )
        )
        let service = Subject(worst.ends.host, worst.counts.family, port: worst.ends.port)
        evidence.summary =
            "\(worst.ends.source.text(as: worst.counts.family)) had \(Int(worst.counts.all)) sessions with \(service) that "
            + "look like failed logins, about \(Int(worst.guesses)) guesses within \(settings.span / 60_000_000_000) min"
            + (entered == nil ? "." : ", and then one that looks as if it got in.")
        evidence.advice =
            entered != nil
            ? "Look now who logged in from \(entered?.ends.source.text(as: worst.counts.family) ?? ""), end the session, and "
                + "change that password."
            : isOurs
                ? "This host guesses passwords elsewhere: find the process (`ss -tnp`), or the program with a wrong password."
                : "Read the service's log for the names tried. Allow keys only, or few addresses; ban who fails. A client "
                    + "that is set up with a wrong password looks the same."
        let severity = (isOurs ? Severity.high : .medium).raised(by: ratio)
        return Finding(
            threat,
            subject,
            ratio: ratio,
            severity: entered == nil ? severity : .critical,
            confidence: worst.counts.certainty,
            patience: settings.patience,
            evidence: evidence
        )
    }

    /// Many sources at one service.
    private func tellShared(_ note: Note, _ window: Observation, _ findings: inout [Finding]) {
        let sources = note.counts.sourceCount
        let ratio = min(note.guesses / settings.sharedGuesses, sources / settings.sharedSources)
        guard ratio >= 0.1 else { return }
        let (port, family) = (note.ends.port, note.counts.family)
        let subject = Subject(note.ends.host, family, port: port)
        var finding = Finding(.bruteForce(port), subject, ratio: ratio)
        if ratio >= ScanJudge.detailed {
            finding.severity = Severity.medium.raised(by: ratio)
            finding.confidence = note.counts.certainty
            finding.patience = settings.patience
            finding.evidence.measures = [
                Evidence.Measure("guesses", note.guesses, level: settings.sharedGuesses),
                Evidence.Measure("their sources", sources.rounded(), level: settings.sharedSources),
                Evidence.Measure("mean answer", note.counts.meanBytes, unit: "bytes"),
                Evidence.Measure("mean length", note.counts.meanSeconds, unit: "s"),
            ]
            finding.evidence.countedAs = "guesses"
            finding.evidence.sources = window.flows.filter {
                $0.responder == note.ends.host && $0.responderPort == port
                    && LoginService.known[port]?.guesses(in: $0) ?? 0 > 0
            }.map { Evidence.Source($0.initiator, $0.family, count: 1) }
            finding.evidence.ports = [(port: port, count: note.counts.fresh)]
            finding.evidence.samples = Array(
                window.samples.lazy
                    .filter { $0.packet.destination == note.ends.host && $0.packet.destinationPort == port }.prefix(20)
            )
            finding.evidence.summary =
                "About \(Int(sources)) sources made about \(Int(note.guesses)) guesses at \(subject), few each."
            finding.evidence.advice =
                "Sources that take turns are not stopped by bans: allow keys only, or few addresses, and look in the "
                + "service's log for names that exist."
        }
        findings.append(finding)
    }
}
