import Capture
import Detection
import Flows
import Linux
import Reports
import Synchronization

/// What the sensor's threads share: the latest snapshot for those who ask, and the commands they gave.
final class SensorState: Sendable {
    struct Command: Sendable {
        enum Kind {
            case start
            case stop
        }

        var kind: Kind
        var answer: @Sendable (Result<Void, ControlError>) -> Void
    }

    private struct Snapshot {
        var status: SensorStatus?
        var ports: PortList?
        var names: [UInt32: String] = [:]
        /// Open ones, and those that closed last; nil when nothing is judged.
        var incidents: [Incident]?
        var turnedAway: UInt64 = 0
        var home: [Prefix] = []
        var recordings: IncidentRecordings
        var feed: PacketFeed
        var flows: RecentFlows
        var commands: [Command] = []
        var isFinished = false
    }

    let version: String
    /// Random, of this run; in every incident's id.
    let id: String
    let workers: [SamplingWorker]
    let shardMap: ShardMap
    /// Wakes the coordinator.
    let wake: Event
    /// Bytes of all rings that are open.
    private let rings = Atomic<UInt64>(0)
    private let snapshot: Mutex<Snapshot>

    /// Makes and starts the workers.
    /// - Parameters:
    ///   - seed: secret, so that no stranger can choose the shard his packets meet in.
    ///   - packets: kept for the packet view.
    ///   - records: flow records kept, and as many on their way from the workers.
    ///   - recording: bytes for the packets before incidents; 0: none are kept.
    init(
        version: String,
        workers count: Int,
        seed: UInt64,
        packets: Int = 1_000,
        flows: FlowSettings = FlowSettings(),
        records: Int = 4_096,
        recording: Int = 8 << 20,
        recordsPayload: Bool = false
    ) throws(SystemError) {
        self.version = version
        var generator = SystemRandomNumberGenerator()
        id = String(generator.next() as UInt64, radix: 16)
        let map = ShardMap(seed: seed, workers: count)
        var workers: [SamplingWorker] = []
        for number in 0..<count {
            workers.append(
                try SamplingWorker(
                    number: number,
                    workers: count,
                    shardMap: map,
                    recent: packets,
                    flows: flows,
                    records: max(1, records / count),
                    recording: recording / 4 * 3 / count,
                    recordsPayload: recordsPayload
                )
            )
        }
        for worker in workers { try worker.start(peers: workers) }
        self.workers = workers
        shardMap = map
        wake = try Event()
        snapshot = Mutex(
            Snapshot(
                recordings: IncidentRecordings(capacity: recording / 4),
                feed: PacketFeed(capacity: packets, workers: count),
                flows: RecentFlows(capacity: records)
            )
        )
    }

    var ringBytes: UInt64 { rings.load(ordering: .relaxed) }
    func addRingBytes(_ bytes: Int) { rings.wrappingAdd(UInt64(bytes), ordering: .relaxed) }
    func dropRingBytes(_ bytes: Int) { rings.wrappingSubtract(UInt64(bytes), ordering: .relaxed) }

    func update(_ status: SensorStatus, _ ports: PortList, names: [(UInt32, String)]) {
        snapshot.withLock {
            $0.status = status
            $0.ports = ports
            // Names of interfaces that are gone stay for the packets still in view; indices are never reused soon.
            if $0.names.count > 1_024 { $0.names.removeAll() }
            for (index, name) in names { $0.names[index] = name }
        }
    }

    func send(_ command: Command) {
        let isFinished = snapshot.withLock { snapshot in
            if !snapshot.isFinished { snapshot.commands.append(command) }
            return snapshot.isFinished
        }
        guard !isFinished else { return command.answer(.failure(.failed("the sensor is stopping"))) }
        wake.signal()
    }

    func takeCommands() -> [Command] {
        snapshot.withLock { snapshot in
            defer { snapshot.commands.removeAll() }
            return snapshot.commands
        }
    }

    /// Refuses the commands that nobody will carry out any more.
    func finish() {
        snapshot.withLock { $0.isFinished = true }
        for command in takeCommands() { command.answer(.failure(.failed("the sensor is stopping"))) }
    }

    /// The latest status; before there is one, the caller waits for it.
    func status() async -> SensorStatus {
        while true {
            let latest = snapshot.withLock { ($0.status, $0.incidents, $0.turnedAway) }
            if var status = latest.0 {
                status.threats = latest.1.map { ThreatCounts($0, turnedAway: latest.2) }
                return status
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    var ports: PortList { snapshot.withLock { $0.ports } ?? PortList(time: .now, tcp: [], udp: []) }

    // MARK: Incidents

    /// - Parameters:
    ///   - turnedAway: what detectors had no room for, since the start.
    ///   - home: this host's own addresses.
    func update(_ incidents: IncidentTable, turnedAway: UInt64, home: [Prefix]) {
        let all = (incidents.open.values + incidents.closed).sorted(by: Self.isNewer)
        snapshot.withLock {
            $0.incidents = all
            $0.turnedAway = turnedAway
            $0.home = home
        }
    }

    private static func isNewer(_ left: Incident, than right: Incident) -> Bool {
        left.opened == right.opened ? left.id < right.id : left.opened > right.opened
    }

    /// What incidents are shown with.
    var threatContext: ThreatContext {
        snapshot.withLock { ThreatContext(interfaces: $0.names, ports: $0.ports, home: $0.home) }
    }

    private var incidents: [Incident] { snapshot.withLock { $0.incidents ?? [] } }

    func threats(_ query: ThreatQuery) -> ThreatList {
        let (now, context) = (WallTime.now, threatContext)
        return ThreatList(
            time: now,
            threats: incidents.filter { query.asksFor($0, now: now) }.map { Threat($0, context, .brief) }
        )
    }

    func threat(id: String) -> Threat? {
        incidents.first { $0.id == id }.map { Threat($0, threatContext) }
    }

    /// The newest open incidents, at most `count`, and how many are open.
    func openThreats(_ count: Int) -> (newest: [Threat], total: Int) {
        let open = incidents.filter { $0.state != .closed }
        let context = threatContext
        return (open.prefix(count).map { Threat($0, context, .brief) }, open.count)
    }

    /// What the workers' recorders hold.
    private var recorded: Recording {
        var recording = Recording()
        for worker in workers { worker.withState { $0.recorder.copy(to: &recording) } }
        return recording
    }

    /// Keeps the packets before incidents that opened.
    func record(_ events: [IncidentEvent]) {
        let opened = events.filter { $0.incident.state == .opened }
        guard !opened.isEmpty else { return }
        let recorded = recorded
        guard !recorded.isEmpty else { return }
        // In a storm the recorders hold something of each, but the time for all would be too long.
        for event in opened.prefix(8) {
            let part = IncidentRecordings.about(event.incident, in: recorded)
            snapshot.withLock { $0.recordings.add(part, of: event.incident) }
        }
    }

    /// Headers of the packets about an incident, as a capture file; nil when it is not held.
    func capture(of id: String) -> [UInt8]? {
        guard let incident = incidents.first(where: { $0.id == id }) else { return nil }
        let now = recorded
        let (kept, names) = snapshot.withLock { ($0.recordings[id], $0.names) }
        return IncidentRecordings.join(kept, about: incident, with: now).pcapng(names)
    }

    // MARK: Flows and packets

    func add(_ flows: [FlowRecord]) { snapshot.withLock { $0.flows.add(flows) } }

    /// The latest flow records, oldest first, with the number of the first of them.
    func flows(count: Int, after sequence: UInt64?) -> (first: UInt64, records: [FlowRecord]) {
        snapshot.withLock { $0.flows.latest(count, after: sequence) }
    }

    func packets(count: Int, after sequence: UInt64?) -> PacketList {
        snapshot.withLock { snapshot in
            snapshot.feed.update(from: workers)
            return snapshot.feed.list(count: count, after: sequence, names: snapshot.names)
        }
    }
}

extension ThreatCounts {
    init(_ incidents: [Incident], turnedAway: UInt64) {
        self.init()
        let open = incidents.filter { $0.state != .closed }
        self.open = open.count
        highest = open.map(\.severity).max()
        closed = incidents.count - open.count
        self.turnedAway = turnedAway
    }
}
