import Flows

/// The connections that may be held, in bounded room.
struct SlowConnections: Sendable {
    private(set) var entries: [SlowConnection] = []
    private var places: [SlowConnection.Key: Int] = [:]
    private let settings: SlowSettings
    private(set) var turnedAway: UInt64 = 0

    init(_ settings: SlowSettings) { self.settings = settings }

    /// Takes a record of a TCP flow.
    /// - Returns: whether its connection is busy and not held.
    mutating func take(_ flow: FlowDigest, at now: Int64) -> Bool {
        let key = SlowConnection.Key(flow)
        if flow.synchronisations == 0 {
            let reversed = SlowConnection.Key(reversed: flow)
            if let place = places[reversed] {
                if flow.end == .closed || !entries[place].goOn(flow, at: now) { remove(at: place) }
                return false
            }
        }
        let place = places[key]
        guard flow.end != .closed else {
            if let place { remove(at: place) }
            return false
        }
        let connection = SlowConnection(flow, after: place.map { entries[$0] }, at: now, settings)
        switch (connection, place) {
        case (let connection?, let place?): entries[place] = connection
        case (nil, let place?): remove(at: place)
        case (let connection?, nil): add(connection)
        case (nil, nil): break
        }
        return connection == nil && flow.end != .idle
    }

    /// Forgets what nothing was heard of.
    mutating func advance(to now: Int64) {
        for place in entries.indices.reversed() where now - entries[place].last >= settings.forget { remove(at: place) }
    }

    private mutating func add(_ connection: SlowConnection) {
        guard entries.count < settings.connections else { return turnedAway += 1 }
        places[connection.key] = entries.count
        entries.append(connection)
    }

    private mutating func remove(at place: Int) {
        places[entries[place].key] = nil
        let last = entries.removeLast()
        guard place < entries.count else { return }
        entries[place] = last
        places[last.key] = place
    }
}
