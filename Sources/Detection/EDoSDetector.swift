import Flows
import Packets

/// Finds what costs money though nothing is flooded: economic denial of sustainability.
///
/// It counts what services send and are asked, as ``CostTable``, and judges every minute, by four classes:
/// - `edos.leech`: one client, or one group by prefix, causes most of a service's cost for hours, like a machine: its
///   requests bring the same each time, or its minutes are even over few connections. People behind one address vary more; a
///   download or a backup ends before.
/// - `edos.sustained`: the load stays above what is usual in this hour of the week (CUSUM), and clients cause it that stay and
///   work like machines: a flash crowd's come and go.
/// - `edos.pulsing`: the load comes and goes with a period of 1 to 30 minutes.
/// - `edos.holding`: connections that ask for nothing stay open.
///
/// and `change.volume`: the load is not what it was at this hour on other days, whoever causes it.
///
/// Severity: medium at the floor of cost, one step more for ten and for a hundred times as much; at least high where the
/// budget of the month is not kept. `change.volume` is low.
/// Confidence: 0.5; 0.2 more if the service's usual load is known; up to 0.3 by how far the weakest condition is above its
/// level, all of it at twice the level.
struct EDoSDetector: Detector {
    let settings: EDoSSettings
    private(set) var table: CostTable
    private(set) var connections: EDoSConnections
    /// What is usual, kept over restarts: see ``Detection/baselines``.
    var baselines: Baselines
    /// Number of the 10 s that are not over.
    private var bin = Int64.min
    /// Whether anything was seen in the minute.
    private var isSeen = false

    /// - Parameter scale: see ``DetectionSettings/scale``.
    init(_ settings: EDoSSettings, scale: Double) {
        self.settings = settings.scaled(by: scale)
        table = CostTable(self.settings)
        connections = EDoSConnections(capacity: settings.connections)
        baselines = Baselines(capacity: settings.baselines)
    }

    var turnedAway: UInt64 { table.turnedAway + connections.turnedAway + baselines.turnedAway }

    mutating func judge(_ window: Observation, _ scene: Scene, _ findings: inout [Finding]) {
        advance(to: window.start.quotient(by: CostTable.bin), window, scene, &findings)
        isSeen = true
        for flow in window.flows {
            table.add(flow, scene)
            connections.add(flow, scene)
        }
    }

    private mutating func advance(
        to target: Int64,
        _ window: Observation,
        _ scene: Scene,
        _ findings: inout [Finding]
    ) {
        if bin != .min, target - bin > Int64(CostSeries.capacity) {
            // Nothing for two hours: what it was is no longer known.
            table = CostTable(settings)
            bin = .min
        }
        if bin == .min {
            bin = target
            let minute = target.quotient(by: 6)
            table.start(minute, day: day(of: minute, scene))
        }
        while bin < target {
            table.foldBin()
            bin += 1
            guard bin % 6 == 0 else { continue }
            let found = closeMinute(window, scene)
            // Of minutes that are told late, only the last counts.
            if target - bin < 6 { findings += found }
            isSeen = false
        }
    }

    /// Ends a minute and judges it.
    private mutating func closeMinute(_ window: Observation, _ scene: Scene) -> [Finding] {
        let minute = table.minute
        let time = (minute + 1) * CostTable.minute
        let held = connections.fold(at: time)
        for (service, rows) in held { table.hold(service, hours: Double(rows.count) / 60) }
        table.foldMinute(day: day(of: minute, scene))
        // A minute in which nobody looked says nothing.
        guard isSeen else { return [] }
        let heldBy = Dictionary(uniqueKeysWithValues: held.map { ($0.service, $0.held) })
        let clients = members(table.clients, at: minute)
        let groups = members(table.groups.filter(\.isShared), at: minute)
        var findings: [Finding] = []
        for place in table.services.indices {
            let service = table.services[place]
            let held = heldBy[service.key] ?? []
            guard service.state != nil || isNotable(service) || !held.isEmpty else { continue }
            let hour = hour(of: minute, scene)
            var state = service.state ?? EDoSState(hour: hour, baselines[service.key], settings)
            let load = service.latest.load(settings.requestBytes) * 60
            state.add(load, at: time, hour: hour, service.key, &baselines, settings)
            let look = Look(
                service: service,
                time: time,
                clients: clients[place],
                groups: groups[place],
                held: held,
                window: window
            )
            let found = judge(look, &state)
            let isOpen = scene.troubled.contains(service.key) || scene.troubled.contains(service.key.host)
            state.note(isTroubled: isOpen || found.contains { state.isTrouble($0.ratio) }, at: time)
            table.services[place].state = state
            findings += found.filter { $0.ratio >= 0.1 }
        }
        return findings
    }

    /// Whether a service does so much that it is judged: a hundredth of the floor.
    private func isNotable(_ service: CostService) -> Bool {
        service.rate.load(settings.requestBytes) >= settings.floor / 100
    }

    /// Clients that are there, by the place of their service, with how much they are like a machine.
    private func members(_ rows: [CostClient], at minute: Int64) -> [[Member]] {
        var members = [[Member]](repeating: [], count: table.services.count)
        for row in rows {
            guard let episode = row.episode, minute - episode.last <= settings.pause else { continue }
            let likeness = episode.likeness(settings)
            guard episode.length >= settings.stayTime / 10, likeness >= 0.1 else { continue }
            members[Int(row.key.service)].append(Member(client: row, episode: episode, likeness: likeness))
        }
        return members
    }

    private func day(of minute: Int64, _ scene: Scene) -> Int64 { hour(of: minute, scene).quotient(by: 24) }

    private func hour(of minute: Int64, _ scene: Scene) -> Int64 {
        (minute * CostTable.minute + scene.wallOffset).quotient(by: 60 * CostTable.minute)
    }
}

extension Int64 {
    /// Rounded down.
    func quotient(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
