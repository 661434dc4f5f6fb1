import Flows
import Packets

/// Writes what was judged down as findings.
struct FloodWriter {
    let judge: FloodJudge
    private let missedContacts: UInt64
    private let contacts: Int
    private let weights: [4 of Double]
    private let samples: [PacketSummary]

    init(judge: FloodJudge, window: borrowing Observation) {
        self.judge = judge
        missedContacts = window.missed.contacts
        contacts = window.contacts.count
        weights = window.weights
        samples = window.samples
    }

    /// - Parameter isDue: whether it has lasted for long enough.
    func finding(_ lane: FloodLane, _ verdict: FloodVerdict, mean: Double, isDue: Bool) -> Finding {
        var evidence = Evidence()
        evidence.measures = [.init(lane.key.kind.measure, verdict.value, level: verdict.level, unit: "1/s")]
        if verdict.ratio >= 0.7, lane.isClose { explain(&evidence, lane, verdict, mean: mean) }
        var severity = Severity.medium
        switch lane.key.kind {
        case .synchronize, .hostSynchronize, .udp, .reflection, .requests, .prefix, .interface: severity = .high
        default: break
        }
        severity = severity.raised(by: verdict.ratio)
        if lane.key.kind <= .hostSynchronize, let kernel = judge.scene.kernel, kernel.listenDrops > 0 {
            severity = Severity(rawValue: severity.rawValue + 1) ?? .critical
        }
        return Finding(
            lane.key.threat,
            lane.key.subject,
            ratio: verdict.ratio,
            severity: severity,
            confidence: 0.5 + 0.2 * (1 - 1 / max(1, verdict.ratio)) + 0.2 * verdict.purity
                + (mean >= FloodMeans.kept ? 0.1 : 0),
            delay: isDue ? 0 : .max,
            evidence: evidence
        )
    }

    private func explain(_ evidence: inout Evidence, _ lane: FloodLane, _ verdict: FloodVerdict, mean: Double) {
        let second = judge.seconds
        let rate = lane.volume.packets / second
        evidence.measures.append(.init("packets", rate, unit: "1/s"))
        evidence.measures.append(.init("volume", lane.volume.bytes * 8 / second / 1e6, unit: "Mbit/s"))
        evidence.measures.append(.init("mean size", lane.volume.bytes / max(1, lane.volume.packets), unit: "bytes"))
        evidence.measures.append(.init("mean over 30 s, above the level", mean, level: FloodMeans.kept))
        let distinct = lane.opened > 0 ? lane.sources.estimate.rounded() : Double(lane.sampledBySource.count)
        evidence.measures.append(.init("sources of this second, at least", distinct))
        switch lane.key.kind {
        case .synchronize, .hostSynchronize: explainSynchronize(&evidence, lane)
        case .requests: evidence.measures.append(.init("share of clients faster than people", verdict.purity))
        case .reflection: explainReflection(&evidence, lane)
        case .prefix: evidence.measures.append(.init("addresses hit", Double(lane.hosts)))
        case .interface: break
        default:
            evidence.measures.append(
                .init("share unsolicited", lane.volume.unaskedPackets / max(1, lane.volume.packets))
            )
            evidence.measures.append(.init("share answered", min(1, lane.answered / max(1, lane.opened))))
        }
        if lane.samplesLeftOut > 0 { evidence.measures.append(.init("share of it that no rule allows", lane.share)) }
        let weight = weights.indices.reduce(1) { max($0, weights[$1]) }
        if weight > 1 { evidence.measures.append(.init("packets that one stands for, at most", weight)) }
        if missedContacts > 0 {
            let share = Double(contacts) / (Double(contacts) + Double(missedContacts))
            evidence.measures.append(.init("share of contacts that was kept", share))
        }
        explainSources(&evidence, lane)
        evidence.samples = Array(lane.samples.prefix(20))
        evidence.summary = summary(lane, verdict, distinct)
        evidence.advice = lane.key.kind.advice
    }

    private func explainSynchronize(_ evidence: inout Evidence, _ lane: FloodLane) {
        let offered = max(1, lane.volume.packets)
        evidence.measures.append(.init("share answered", min(1, lane.answers / offered)))
        evidence.measures.append(.init("share completed", min(1, lane.completions / offered)))
        evidence.measures.append(.init("share refused", min(1, lane.refused / max(1, lane.opened))))
        guard let kernel = judge.scene.kernel else { return }
        evidence.measures.append(.init("sockets in SYN_RECV", Double(kernel.synReceived)))
        evidence.measures.append(.init("listen drops", Double(kernel.listenDrops)))
        evidence.measures.append(.init("SYN cookies sent", Double(kernel.synCookiesSent)))
    }

    private func explainReflection(_ evidence: inout Evidence, _ lane: FloodLane) {
        let share = lane.volume.unaskedPackets / max(1, lane.volume.packets + lane.asked)
        evidence.measures.append(.init("share unsolicited", share))
        guard let factor = Reflector.known[lane.key.port]?.factor else { return }
        let asked = lane.volume.unaskedBytes / factor / judge.seconds
        evidence.measures.append(.init("requests spoofed in the victim's name, about", asked * 8 / 1e6, unit: "Mbit/s"))
    }

    /// Flows that began where nearly every packet began one; else samples, which stand for all packets.
    private func explainSources(_ evidence: inout Evidence, _ lane: FloodLane) {
        let isOfFlows = lane.opened >= 0.5 * lane.volume.packets || lane.sampledBySource.isEmpty
        if isOfFlows {
            evidence.countedAs = "new flows"
            evidence.sources = Self.sources(lane.bySource)
        } else {
            let each = lane.volume.packets / Double(max(1, lane.samples.count + lane.samplesLeftOut))
            evidence.sources = Self.sources(lane.sampledBySource.mapValues { ($0 * each).rounded() })
        }
        if lane.key.subject.port != 0 {
            evidence.ports = [(lane.key.subject.port, lane.volume.packets)]
        } else if lane.key.kind == .reflection {
            evidence.ports = [(lane.key.port, lane.volume.packets)]
        } else if lane.key.kind != .icmp, lane.key.kind != .protocols {
            let sorted = lane.byPort.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
            evidence.ports = sorted.prefix(10).map { ($0.key, $0.value) }
        }
    }

    /// The largest first.
    static func sources(_ counts: [SourceKey: Double]) -> [Evidence.Source] {
        let sorted = counts.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
        return sorted.prefix(FloodLane.named).map { Evidence.Source($0.key.address, $0.key.family, count: $0.value) }
    }

    static func addresses(_ count: Double) -> String { count == 1 ? "one address" : "about \(Int(count)) addresses" }

    private func summary(_ lane: FloodLane, _ verdict: FloodVerdict, _ distinct: Double) -> String {
        let value = Int(verdict.value.rounded())
        let packets = Int((lane.volume.packets / judge.seconds).rounded())
        let subject = "\(lane.key.subject)"
        let sources = Self.addresses(distinct)
        switch lane.key.kind {
        case .synchronize, .hostSynchronize:
            let share = Int((100 * min(1, lane.completions / max(1, lane.volume.packets))).rounded())
            return "\(packets) SYNs a second from \(sources) to \(subject), of which \(share) % became connections."
        case .requests:
            let rate = Int((lane.volume.packets / judge.seconds).rounded())
            return "\(value) of \(rate) requests a second to \(subject) are of clients that ask faster than people."
        case .reflection:
            return """
                \(packets) packets a second from port \(lane.key.port) of \(sources) to \(subject), which asked for none \
                of them.
                """
        case .prefix:
            return "\(value) unsolicited packets a second to \(lane.hosts) addresses of \(subject), from \(sources)."
        case .interface: return "\(value) unsolicited packets a second to \(lane.hosts) addresses, from \(sources)."
        default:
            return "\(packets) packets a second (\(lane.key.kind.measure)) to \(subject) from \(sources)."
        }
    }
}

extension FloodLane.Key {
    var threat: ThreatClass {
        switch kind {
        case .synchronize, .hostSynchronize: .flood(.syn)
        case .acknowledge: .flood(.ack)
        case .reset: .flood(.rst)
        case .finish: .flood(.fin)
        case .irregular: .flood(.irregular)
        case .udp: .flood(.udp)
        case .reflection: .reflection(port)
        case .icmp: .flood(.icmp)
        case .fragment: .flood(.fragment)
        case .protocols: .flood(.protocols)
        case .requests: .flood(.requests)
        case .prefix: .flood(.carpet)
        case .interface: .flood(.interface)
        }
    }
}

extension FloodLane.Kind {
    /// What is counted.
    var measure: String {
        switch self {
        case .synchronize, .hostSynchronize: "SYNs without a connection"
        case .acknowledge: "ACK and data of no connection"
        case .reset: "RST of no connection"
        case .finish: "FIN of no connection"
        case .irregular: "packets with impossible flags"
        case .udp: "UDP that nobody asked for or answers"
        case .reflection: "reflected packets"
        case .icmp: "ICMP that nobody asked for"
        case .fragment: "fragments of nothing that was asked for"
        case .protocols: "other protocols"
        case .requests: "requests of clients faster than people"
        case .prefix, .interface: "unsolicited packets"
        }
    }

    var advice: String {
        switch self {
        case .synchronize, .hostSynchronize:
            "See that net.ipv4.tcp_syncookies is on; raise the listen backlog; with few sources, block them; with many, ask the "
                + "provider to filter or put a SYN proxy in front (nftables synproxy)."
        case .acknowledge, .reset, .finish, .irregular:
            "Drop packets of no connection early (nftables ct state invalid, in the raw or prerouting hook)."
        case .udp:
            "Drop UDP to ports that nothing listens on before conntrack; if the line is full, ask the provider to filter."
        case .reflection:
            "Drop UDP from this source port unless it is an answer; if the line is full, ask the provider to filter that "
                + "source port; tell the reflectors' owners."
        case .icmp: "Limit ICMP (nftables limit rate); keep errors and packet-too-big."
        case .fragment: "Drop fragments where nothing needs them; lower net.ipv4.ipfrag_high_thresh."
        case .protocols: "Drop IP protocols that this host does not speak."
        case .requests:
            "Limit requests per client at the service (nginx limit_req); block the top sources; a proxy, load balancer or "
                + "load test of your own belongs in the allow-list."
        case .prefix:
            "Filtering by address does not help: ask the provider to filter or scrub the prefix by protocol and port."
        case .interface: "Look at the top ports and sources, and ask the provider to filter by them."
        }
    }
}
