public import Flows
import Packets

/// Finds scans by first contacts that fail.
///
/// The first packet of a flow is a contact, if it asks for something (a SYN, a datagram to a port that is no client's, an
/// echo request, ...). It has failed when it is refused (RST, an ICMP error), when nothing comes back for
/// ``ScanSettings/silence``, when its sender's stack knows nothing of the answer (a RST without ACK: SYN scans), or at
/// once where no honest stack sends it (FIN, NULL, Xmas). Packets of connections whose beginning was not seen, answers of
/// services, SYN with ACK, RST and ICMP replies are no contacts: what a flood's victim sends to those in whose name it was
/// flooded is not its scan.
///
/// What failed is counted by source and target, each target once: ports of a host (vertical), hosts on few ports
/// (horizontal), ports of many hosts (block), targets over hours (slow). All but the first also need the sequential test
/// of Jung et al. 2004 to be decided: clients reach most of what they try. Sources that share the work are counted by
/// victim (distributed); where they all come to one port, or in thousands a second, it is a flood.
///
/// A source with one failure takes 48 bytes; only those with two are known closely, and the one that failed the least
/// makes room. Silence is not judged where contacts were lost.
///
/// Severity: medium, high if the source is ours; a step more for each factor of ten of targets above the level.
/// Confidence: p (0.7 + 0.3 s), s being the share of failures that are more than silence, p = L / (L + 99), L how much
/// likelier a scanner than a client is to meet that: by the sequential test, or of a vertical scan 4 to the power of its
/// failures. Of a distributed scan p is its ports for each pair of source and port.
public struct ScanDetector: Detector {
    /// A contact whose outcome is not known yet.
    struct Waiting: BitwiseCopyable {
        var since: Int64
        var probe: ScanProbe
    }

    let settings: ScanSettings
    var pending: RecencyTable<FlowEnds, Waiting>
    var once: RecencyTable<Address, ScanTarget>
    var suspects: RecencyTable<Address, ScanSuspect>
    var victims: RecencyTable<Address, ScanVictim>
    /// What failed in the window that is judged: some of it.
    var failed: [(source: Address, target: ScanTarget)] = []
    /// Suspects that failed in it; some may have made room for others since.
    var judged: [(place: Int, source: Address)] = []
    /// What was told of suspects before its end, since they soon fail so often that their room is not enough.
    var early: [ScanNote] = []
    /// Victims of its failures; the same holds.
    var struck: [(place: Int, host: Address)] = []
    /// Sources that became suspects in it.
    var promotions = 0
    /// End of the latest window in which contacts were lost.
    private var lostUntil = Int64.min
    public internal(set) var turnedAway: UInt64 = 0

    static let failures = 4_096
    /// Windows of ``ScanSettings/span``.
    let span: Int32

    /// - Parameter scale: multiplies the levels.
    public init(_ settings: ScanSettings, scale: Double = 1) {
        var settings = settings
        settings.ports *= scale
        settings.hosts *= scale
        settings.pairs *= scale
        settings.slow *= scale
        settings.distributedPorts *= scale
        settings.distributedSources *= scale
        self.settings = settings
        pending = RecencyTable(capacity: settings.pending)
        once = RecencyTable(capacity: settings.sources)
        suspects = RecencyTable(capacity: settings.suspects)
        victims = RecencyTable(capacity: settings.victims)
        span = Int32(settings.span >> 30)
    }

    /// Bytes of what is remembered, when all room is taken.
    var bytes: Int { pending.bytes + once.bytes + suspects.bytes + victims.bytes }

    public mutating func judge(_ window: Observation, _ scene: Scene, _ findings: inout [Finding]) {
        promotions = 0
        if window.missed.contacts > 0 { lostUntil = window.end }
        for contact in window.contacts {
            let time = min(max(contact.time, window.start), window.end)
            switch contact.step {
            case .opened: open(contact, at: time, scene)
            case .answered: answer(contact, at: time, scene)
            case .unreachable: refuse(contact, at: time, scene)
            case .wentOn: goOn(contact, at: time, scene)
            }
        }
        for flow in window.flows where flow.isEmptyConnection {
            guard isWatched(flow.initiator, flow.responder, flow.family, scene) else { continue }
            let target = ScanTarget(
                host: flow.responder,
                port: flow.responderPort,
                technique: .connect,
                outcome: .empty,
                tick: tick(of: window.start)
            )
            fail(flow.initiator, flow.family, target, scene)
        }
        expire(at: window.end, scene)
        tell(window, scene, &findings)
    }
}

// MARK: - Contacts

extension ScanDetector {
    private func tick(of time: Int64) -> Int32 { Int32(truncatingIfNeeded: time >> 30) }

    /// What our own hosts do, and what is done to them; everything where it is not known which these are.
    private func isWatched(_ source: Address, _ host: Address, _ family: Family, _ scene: Scene) -> Bool {
        scene.isHome(host, family) ?? true || scene.isHome(source, family) ?? true
    }

    private mutating func open(_ contact: Contact, at time: Int64, _ scene: Scene) {
        guard let probe = ScanProbe(contact) else { return openAnswer(contact, at: time, scene) }
        guard isWatched(contact.initiator, contact.responder, contact.family, scene) else { return }
        if probe.proof == .itself {
            return fail(contact.initiator, contact.family, target(contact.responder, probe, .irregular, time), scene)
        }
        let ends = FlowEnds(contact)
        guard pending.find(ends) == nil else { return }
        guard !pending.isFull else {
            turnedAway &+= 1
            return
        }
        pending.insert(ends, Waiting(since: time, probe: probe))
    }

    /// The first packet of a flow that answers one of another, which the flow table had no room to keep.
    private mutating func openAnswer(_ contact: Contact, at time: Int64, _ scene: Scene) {
        guard contact.protocolNumber == 6, !contact.flags.isDisjoint(with: [.syn, .rst]) else { return }
        var answer = contact
        (answer.initiator, answer.responder) = (contact.responder, contact.initiator)
        (answer.initiatorPort, answer.responderPort) = (contact.responderPort, contact.initiatorPort)
        self.answer(answer, at: time, scene)
    }

    private mutating func answer(_ contact: Contact, at time: Int64, _ scene: Scene) {
        guard let place = pending.find(FlowEnds(contact)) else { return }
        let probe = pending.values[place].probe
        pending.remove(place)
        let isRefused =
            switch contact.protocolNumber {
            case 6: contact.flags.contains(.rst)
            // An ABORT chunk; what else a SCTP endpoint answers an INIT with is longer (RFC 9260, 3.3).
            case 132: contact.payload < 20
            default: false
            }
        if isRefused {
            fail(contact.initiator, contact.family, target(contact.responder, probe, .refused, time), scene)
        } else if contact.protocolNumber != 6 {
            reach(contact.initiator, contact.responder, probe.port)
        }
    }

    private mutating func refuse(_ contact: Contact, at time: Int64, _ scene: Scene) {
        guard let place = pending.find(FlowEnds(contact)) else { return }
        let probe = pending.values[place].probe
        pending.remove(place)
        guard probe.proof == .any else { return }
        fail(contact.initiator, contact.family, target(contact.responder, probe, .refused, time), scene)
    }

    private mutating func goOn(_ contact: Contact, at time: Int64, _ scene: Scene) {
        guard contact.protocolNumber == 6, !contact.flags.contains(.syn) else { return }
        guard contact.flags.contains(.rst) else {
            return reach(contact.initiator, contact.responder, contact.responderPort)
        }
        guard !contact.isReply, isWatched(contact.initiator, contact.responder, contact.family, scene) else { return }
        let isHalfOpen = !contact.flags.contains(.ack)
        let probe = ScanProbe(isHalfOpen ? .syn : .connect, port: contact.responderPort)
        let target = target(contact.responder, probe, isHalfOpen ? .halfOpen : .empty, time)
        fail(contact.initiator, contact.family, target, scene)
    }

    private mutating func expire(at clock: Int64, _ scene: Scene) {
        while let place = pending.oldest {
            let (waiting, ends) = (pending.values[place], pending.keys[place])
            guard waiting.since <= clock - settings.silence else { return }
            pending.remove(place)
            guard waiting.probe.proof == .any, waiting.since >= lostUntil else { continue }
            let target = target(ends.responder, waiting.probe, .silent, waiting.since + settings.silence)
            fail(ends.initiator, ends.family, target, scene)
        }
    }

    private func target(_ host: Address, _ probe: ScanProbe, _ outcome: ScanTarget.Outcome, _ time: Int64) -> ScanTarget
    {
        ScanTarget(host: host, port: probe.port, technique: probe.technique, outcome: outcome, tick: tick(of: time))
    }
}
