import Flows
import Packets

/// Connections that are held open without a word, per service: where connections run out.
///
/// A flow that goes on is told of every 10 s while it has packets; so a connection is seen here 10 s after it came about. One
/// that is silent from then on is still counted for two minutes after its last record, unless it was closed.
struct SilentConnections: Sendable {
    /// Windows.
    private static let patience: Int64 = 112

    private struct Connection: Hashable {
        var initiator: Address
        var responder: Address
        var initiatorPort: UInt16
        var responderPort: UInt16
        var family: Family
    }

    private let settings: FloodSettings
    /// The window after which they are forgotten.
    private var due: [Connection: Int64] = [:]
    private var counts: [Subject: Int] = [:]
    private(set) var turnedAway: UInt64 = 0

    /// - Parameter settings: scaled.
    init(_ settings: FloodSettings) { self.settings = settings }

    var count: Int { due.count }

    mutating func judge(_ window: borrowing Observation, _ scene: Scene, _ findings: inout [Finding]) {
        for flow in window.flows where flow.protocolNumber == 6 {
            guard scene.isHome(flow.responder, flow.family) != false else { continue }
            take(flow, window.number)
        }
        if window.number & 7 == 0 { forget(window.number) }
        guard !counts.isEmpty else { return }
        let crowded = counts.filter { Double($0.value) >= 0.1 * settings.connections }
        for (subject, count) in crowded.sorted(by: { $0.key < $1.key }) {
            findings.append(finding(subject, Double(count), window))
        }
    }

    private mutating func take(_ flow: FlowDigest, _ window: Int64) {
        let key = Connection(
            initiator: flow.initiator,
            responder: flow.responder,
            initiatorPort: flow.initiatorPort,
            responderPort: flow.responderPort,
            family: flow.family
        )
        let isOpen = flow.end != .closed && flow.finishes == 0 && flow.resets == 0
        let packets = flow.forwardTotal.packets + flow.backwardTotal.packets
        // More than SYNs and their answers: it came about.
        let isWhole = flow.isAnswered && flow.synchronisations >= 2 && packets > UInt64(flow.synchronisations)
        if isOpen, isWhole, flow.forwardPayload <= settings.silence, flow.end != .evicted, flow.end != .stopped {
            if due[key] == nil {
                guard due.count < settings.connectionsRemembered else {
                    turnedAway += 1
                    return
                }
                counts[subject(of: key), default: 0] += 1
            }
            due[key] = window + Self.patience
        } else if due.removeValue(forKey: key) != nil {
            leave(key)
        }
    }

    private func subject(of key: Connection) -> Subject {
        Subject(key.responder, key.family, port: key.responderPort)
    }

    private mutating func leave(_ key: Connection) {
        let subject = subject(of: key)
        counts[subject, default: 1] -= 1
        if counts[subject] == 0 { counts[subject] = nil }
    }

    private mutating func forget(_ window: Int64) {
        for key in due.filter({ $0.value < window }).keys {
            due[key] = nil
            leave(key)
        }
    }

    private func finding(_ subject: Subject, _ count: Double, _ window: borrowing Observation) -> Finding {
        let ratio = count / settings.connections
        var evidence = Evidence()
        evidence.measures = [
            .init("silent connections", count, level: settings.connections),
            .init("payload that counts as silence", Double(settings.silence), unit: "bytes"),
        ]
        if ratio >= 0.7 { explain(&evidence, subject, count, window) }
        return Finding(
            .flood(.connections),
            subject,
            ratio: ratio,
            severity: Severity.high.raised(by: ratio),
            // All of it was seen to be silent, for at least 10 s.
            confidence: 0.8 + 0.15 * (1 - 1 / max(1, ratio)),
            evidence: evidence
        )
    }

    private func explain(
        _ evidence: inout Evidence,
        _ subject: Subject,
        _ count: Double,
        _ window: borrowing Observation
    ) {
        var sources: [SourceKey: Double] = [:]
        for key in due.keys where self.subject(of: key) == subject {
            sources[SourceKey(address: key.initiator, family: key.family), default: 0] += 1
        }
        evidence.countedAs = "connections"
        evidence.sources = FloodWriter.sources(sources)
        evidence.ports = [(subject.port, count)]
        evidence.measures.append(.init("sources", Double(sources.count)))
        evidence.samples = Array(
            window.samples.lazy.filter {
                $0.packet.destination == subject.address && $0.packet.destinationPort == subject.port
            }.prefix(20)
        )
        evidence.summary = """
            \(Int(count)) connections from \(FloodWriter.addresses(Double(sources.count))) hold \(subject) for 10 s and more and have said \
            nothing.
            """
        evidence.advice = """
            Limit connections per address at the service (nginx limit_conn) or with nftables ct count; shorten the time in \
            which a client must speak (TCP_DEFER_ACCEPT, header timeouts); block the top sources if they are few.
            """
    }
}
