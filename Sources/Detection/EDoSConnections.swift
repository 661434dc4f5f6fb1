import Flows
import Packets

/// Connections that ask for nothing and stay: bounded, whoever holds them.
///
/// TCP, open for a minute, to whom the service has said nothing while the client sends hardly anything, or whose client takes
/// no more of the answer. A connection that the active time-out cuts into several flows stays one.
struct EDoSConnections: Sendable {
    struct Key: Hashable, Sendable {
        var initiator: Address
        var responder: Address
        var initiatorPort: UInt16
        var responderPort: UInt16
        var family: Family
    }

    /// One that is held.
    struct Held: Sendable {
        var key: Key
        /// Nanoseconds: its first packet and its latest.
        var since: Int64
        var last: Int64

        var client: Address { key.initiator }
        var service: Subject { Subject(key.responder, key.family, port: key.responderPort) }
        var family: Family { key.family }
    }

    private static let minute: Int64 = 60_000_000_000
    /// Payload bytes a second from the client from which on it is an upload.
    private static let upload = 100.0

    private let capacity: Int
    private var rows: [Held] = []
    private var places: [Key: Int] = [:]
    private(set) var turnedAway: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    mutating func add(_ flow: FlowDigest, _ scene: Scene) {
        guard flow.protocolNumber == 6 else { return }
        let goesOn = flow.end == .interim || flow.end == .active
        // Nearly all flows end here.
        guard goesOn && Self.holds(flow) || !rows.isEmpty else { return }
        let key = Key(
            initiator: flow.initiator,
            responder: flow.responder,
            initiatorPort: flow.initiatorPort,
            responderPort: flow.responderPort,
            family: flow.family
        )
        if let place = places[key] {
            if goesOn, Self.holds(flow) || flow.duration < Self.minute && flow.backwardPayload == 0 {
                rows[place].last = flow.last
            } else {
                remove(place)
            }
        } else if goesOn, Self.holds(flow), flow.duration >= Self.minute,
            scene.isHome(flow.responder, flow.family) ?? true
        {
            guard rows.count < capacity else {
                turnedAway += 1
                return
            }
            places[key] = rows.count
            rows.append(Held(key: key, since: flow.first, last: flow.last))
        }
    }

    private static func holds(_ flow: FlowDigest) -> Bool {
        if flow.zeroWindows >= 3 { return true }
        let isAsking = flow.forwardPayload > 0 || flow.synchronisations > 0
        let seconds = max(1, Double(flow.duration) / 1e9)
        let isUpload = Double(flow.forwardPayload) / seconds >= upload
        return flow.isAnswered && flow.backwardPayload == 0 && isAsking && !isUpload
    }

    private mutating func remove(_ place: Int) {
        places[rows[place].key] = nil
        let last = rows.removeLast()
        guard place < rows.count else { return }
        rows[place] = last
        places[last.key] = place
    }

    /// Those of each service, services in order; what was not heard of for two minutes is gone.
    mutating func fold(at time: Int64) -> [(service: Subject, held: [Held])] {
        for place in rows.indices.reversed() where time - rows[place].last > 2 * Self.minute { remove(place) }
        guard !rows.isEmpty else { return [] }
        let groups = Dictionary(grouping: rows) { $0.service }
        return groups.sorted { $0.key < $1.key }.map { group in
            (group.key, group.value.sorted { $0.since == $1.since ? $0.client < $1.client : $0.since < $1.since })
        }
    }
}
