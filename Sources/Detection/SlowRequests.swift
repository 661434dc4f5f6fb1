import Flows
import Packets

/// Finds services whose connections are held open by requests that never end, or answers that are hardly read.
///
/// It keeps the connections of which the records of flows say: the head of the request has begun and not ended (headers); the
/// head has ended, but the body that it announces comes at less than 500 bytes a second (body); the client offers no room, or
/// next to none, and takes less than 500 bytes a second of the answer (read). A connection of which nothing is heard for two
/// interim records stays as it was last seen, until its flow's end is told or 120 s have passed. The ratio is the greater of
/// two: connections that one client holds, and connections of the service, if these are a share of the busy ones.
///
/// What is idle is not held: a connection whose request has come whole, kept alive, polling for long, with events or a
/// WebSocket, waits for the server or was answered; one that never said anything has no head to end (a browser opens such
/// ahead; many are a matter for `flood.connections`). Slow devices send their heads within seconds and their bodies faster.
/// Where the request cannot be read (TLS, or packets without bytes), a client at a web service's port that goes on sending
/// little, and gets nothing back, counts as one whose head does not end, for its client alone.
///
/// Severity, by the share of the service's busy connections that are held: below 5 % low, below a half medium, else high, and
/// critical from nine tenths on if they are 100 or more, as many as a server's usual workers. Confidence: 0.55, more by up to
/// 0.4 with the share of them that is told by their bytes or windows.
struct SlowRequests: Detector {
    private let settings: SlowSettings
    private let scale: Double
    private var connections: SlowConnections
    /// Records of busy connections that are not held, by service: in this span of 10 s and the one before.
    private var busy: [Subject: Int] = [:]
    private var busyBefore: [Subject: Int] = [:]
    private var span = Int64.min
    private var latest: Int64?

    init(_ settings: SlowSettings, scale: Double) {
        self.settings = settings
        self.scale = scale
        connections = SlowConnections(settings)
    }

    var turnedAway: UInt64 { connections.turnedAway }

    mutating func judge(_ window: Observation, _ scene: Scene, _ findings: inout [Finding]) {
        let now = window.end
        turn(to: now)
        for flow in window.flows where flow.protocolNumber == 6 && scene.isHome(flow.responder, flow.family) != false {
            if connections.take(flow, at: now) { count(Subject(flow.responder, flow.family, port: flow.responderPort)) }
        }
        connections.advance(to: now)
        defer { latest = now }
        guard !connections.entries.isEmpty else { return }
        var held: [SlowHolding.Key: SlowHolding] = [:]
        for connection in connections.entries where connection.isHeld(at: now, settings) {
            let key = SlowHolding.Key(service: connection.key.service, hold: connection.hold)
            held[key, default: SlowHolding()].add(connection)
        }
        // Longer gaps are no window's own.
        let seconds = Double(min(now - (latest ?? window.start), 10 * Observation.length)) / 1e9
        for key in held.keys.sorted() {
            guard let holding = held[key] else { continue }
            report(key, holding, seconds: seconds, window, scene, &findings)
        }
    }

    private mutating func turn(to now: Int64) {
        let span = now / 10_000_000_000
        guard span > self.span else { return }
        busyBefore = span == self.span &+ 1 ? busy : [:]
        busy.removeAll(keepingCapacity: true)
        self.span = span
    }

    private mutating func count(_ service: Subject) {
        if busy[service] == nil, busy.count >= settings.services { return }
        busy[service, default: 0] += 1
    }
}

extension SlowRequests {
    private func report(
        _ key: SlowHolding.Key,
        _ holding: SlowHolding,
        seconds: Double,
        _ window: Observation,
        _ scene: Scene,
        _ findings: inout [Finding]
    ) {
        let level =
            switch key.hold {
            case .headers: settings.headers
            case .body: settings.body
            case .read: settings.read
            }
        let others = Double(max(busy[key.service] ?? 0, busyBefore[key.service] ?? 0))
        let count = Double(holding.count)
        let most = Double(holding.clients.values.max() ?? 0)
        let levelOfService = max(level.ofService * scale, level.share * scale * (count + others))
        let ratio = max(most / (level.ofClient * scale), Double(holding.countForService) / levelOfService)
        guard ratio >= 0.1 else { return }
        var finding = Finding(.slow(key.hold), key.service, ratio: ratio)
        let share = count / (count + others)
        finding.severity =
            share < 0.05 ? .low : share < 0.5 ? .medium : share >= 0.9 && count >= 100 ? .critical : .high
        finding.confidence = 0.55 + 0.4 * Double(holding.known) / count
        // How busy the service is shows within the time of an interim record.
        finding.delay = most >= level.ofClient * scale ? 0 : 10_000_000_000
        finding.patience = settings.forget
        guard ratio >= 0.7 else { return findings.append(finding) }
        var evidence = Evidence()
        evidence.measures = [
            .init("connections held", count, level: levelOfService),
            .init("connections held by one client", most, level: level.ofClient * scale),
            .init("clients that hold them", Double(holding.clients.count)),
            .init("share of the busy connections", share),
            .init(
                "held the longest",
                Double(window.end - holding.since) / 1e9,
                level: Double(level.age) / 1e9,
                unit: "s"
            ),
            .init("mean payload of each", Double(holding.bytes) / count, unit: "bytes"),
            .init("told by payload or window", Double(holding.known) / count),
        ]
        evidence.sources = holding.clients.map {
            .init($0.key.address, $0.key.family, count: Double($0.value) * seconds)
        }
        .sorted {
            $0.count == $1.count ? $0.address < $1.address : $0.count > $1.count
        }
        evidence.countedAs = "connection-seconds"
        evidence.ports = [(key.service.port, count)]
        evidence.samples = Array(window.samples.lazy.filter { key.service.isEnd(of: $0.packet) }.prefix(20))
        evidence.summary = holding.summary(key, scene, at: window.end)
        evidence.advice = key.hold.advice
        finding.evidence = evidence
        findings.append(finding)
    }
}

/// Connections of a service that are held in one way.
struct SlowHolding {
    struct Key: Hashable, Comparable {
        var service: Subject
        var hold: ThreatClass.Slow

        static func < (left: Key, right: Key) -> Bool {
            left.service == right.service ? left.hold.rawValue < right.hold.rawValue : left.service < right.service
        }
    }

    private(set) var count = 0
    /// Of these, those that count for the service as a whole.
    private(set) var countForService = 0
    private(set) var known = 0
    private(set) var clients: [SourceKey: Int] = [:]
    private(set) var bytes: UInt64 = 0
    /// Nanoseconds: since when the first of them is held.
    private(set) var since = Int64.max

    mutating func add(_ connection: SlowConnection) {
        count += 1
        if connection.isKnown, !(connection.hold == .body && connection.isChunked) { countForService += 1 }
        if connection.isKnown { known += 1 }
        clients[connection.key.source, default: 0] += 1
        bytes &+= connection.bytes
        since = min(since, connection.since)
    }

    func summary(_ key: Key, _ scene: Scene, at now: Int64) -> String {
        let program = scene.services[key.service.port].map { " (\($0.program))" } ?? ""
        let what =
            switch key.hold {
            case .headers: "requests whose head never ends"
            case .body: "requests whose body trickles in"
            case .read: "answers that are hardly read"
            }
        let (connections, clients) = (count == 1 ? "connection" : "connections", self.clients.count)
        return
            "\(clients) \(clients == 1 ? "client holds" : "clients hold") \(count) \(connections) of \(key.service)\(program) "
            + "with \(what), the longest for \((now - since) / 1_000_000_000) s."
    }
}

extension ThreatClass.Slow {
    fileprivate var advice: String {
        switch self {
        case .headers:
            "Limit the time for a request's head (Apache: RequestReadTimeout header; nginx: client_header_timeout) and the "
                + "connections of one address; block the clients named here."
        case .body:
            "Ask for a least rate of bodies (Apache: RequestReadTimeout body with MinRate; nginx: client_body_timeout), or let "
                + "a proxy take them whole; block the clients named here."
        case .read:
            "Limit the time for sending an answer (nginx: send_timeout; HAProxy: timeout client) and the connections of one "
                + "address; block the clients named here."
        }
    }
}

extension Subject {
    /// Whether a packet comes from this service or goes to it.
    fileprivate func isEnd(of packet: Packet) -> Bool {
        packet.destination == address && packet.destinationPort == port
            || packet.source == address && packet.sourcePort == port
    }
}
