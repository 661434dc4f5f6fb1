import Flows
import Packets

/// What services did for their clients: bounded, whoever comes.
struct CostTable: Sendable {
    /// Nanoseconds.
    static let bin: Int64 = 10_000_000_000
    static let minute: Int64 = 60_000_000_000

    private let settings: EDoSSettings
    var services: [CostService] = []
    private var places: [Subject: Int32] = [:]
    private(set) var clients: [CostClient] = []
    private var clientPlaces: [CostClient.Key: Int] = [:]
    /// By prefix: /24 and /48.
    private(set) var groups: [CostClient] = []
    private var groupPlaces: [CostClient.Key: Int] = [:]
    private(set) var turnedAway: UInt64 = 0
    /// Whether room was made in the minute: once is enough, or a crowd that nobody can list would cost more than it says.
    private var hasThinnedClients = false
    private var hasThinnedGroups = false
    /// Minutes and days, as numbers.
    private(set) var minute = Int64.min
    private var day: Int64 = 0

    init(_ settings: EDoSSettings) { self.settings = settings }

    /// Counts a record of a flow to the service that it asks.
    mutating func add(_ flow: FlowDigest, _ scene: Scene) {
        guard flow.isAnswered, let place = service(of: flow, scene) else { return }
        services[Int(place)].add(CostUsage(bytes: Double(flow.backward.bytes), requests: Double(flow.newRequests)))
        // Who only knocked is no client.
        guard flow.forwardPayload > 0 || flow.backwardPayload > 0 else { return }
        let key = CostClient.Key(service: place, family: flow.family, address: flow.initiator)
        if let row = clientPlaces[key] ?? admit(key) {
            clients[row].minute.add(flow, requestBytes: settings.requestBytes)
        } else {
            turnedAway += 1
            guard let row = group(of: key) else { return }
            groups[row].minute.add(flow, requestBytes: settings.requestBytes)
        }
    }

    /// A row for a client that has none; nil where there is no room.
    private mutating func admit(_ key: CostClient.Key) -> Int? {
        if clients.count == settings.clients { thinOut() }
        guard clients.count < settings.clients else { return nil }
        clientPlaces[key] = clients.count
        clients.append(CostClient(key, before: services[Int(key.service)].total))
        return clients.count - 1
    }

    /// The responder is the service, if it is ours to pay for.
    private mutating func service(of flow: FlowDigest, _ scene: Scene) -> Int32? {
        let key = Subject(flow.responder, flow.family, port: flow.responderPort)
        if let known = places[key] { return isInside(flow, scene) ? nil : known }
        guard scene.isHome(flow.responder, flow.family) ?? isOurs(flow), !isInside(flow, scene) else { return nil }
        // The first packet of a connection that was silent for long may be the service's.
        let isTurned =
            flow.protocolNumber == 6 && flow.synchronisations == 0
            && places[Subject(flow.initiator, flow.family, port: flow.initiatorPort)] != nil
        guard !isTurned else { return nil }
        guard services.count < settings.services else {
            turnedAway += 1
            return nil
        }
        let place = Int32(services.count)
        places[key] = place
        services.append(CostService(key, minute: minute, day: day))
        return place
    }

    /// Where nobody knows which addresses are ours: what a host of a private network asks of a public one is not.
    private func isOurs(_ flow: FlowDigest) -> Bool {
        flow.responder.isLocal(flow.family) || !flow.initiator.isLocal(flow.family)
    }

    /// Whether the traffic stays inside: nobody is paid for it.
    private func isInside(_ flow: FlowDigest, _ scene: Scene) -> Bool {
        if flow.initiator == flow.responder { return true }
        if !settings.countsInternal, scene.isHome(flow.initiator, flow.family) == true { return true }
        return flow.initiator.isLocal(flow.family) && settings.internalPorts.contains(flow.responderPort)
    }

    /// Ends 10 s.
    mutating func foldBin() {
        let floor = settings.floor / 360 / 4
        for place in services.indices { services[place].foldBin(settings.requestBytes, floor: floor) }
    }

    /// Counts connections that are held.
    mutating func hold(_ service: Subject, hours: Double) {
        if let place = places[service] { services[Int(place)].add(CostUsage(connectionHours: hours)) }
    }

    /// Begins the first minute.
    mutating func start(_ number: Int64, day: Int64) { (minute, self.day) = (number, day) }

    /// Ends the minute.
    /// - Parameter day: number of the day, by the wall's clock, that it was in.
    mutating func foldMinute(day: Int64) {
        self.day = day
        foldClients()
        for place in groups.indices {
            groups[place].fold(minute, before: before(groups[place]), pause: settings.pause)
        }
        for place in services.indices { services[place].fold(minute, day: day) }
        minute += 1
        (hasThinnedClients, hasThinnedGroups) = (false, false)
        if minute % 10 == 0 { forget() }
    }

    /// The service's load before the minute.
    private func before(_ client: CostClient) -> Double {
        services[Int(client.key.service)].total.load(settings.requestBytes)
    }

    private mutating func foldClients() {
        for place in clients.indices {
            if clients[place].minute.records > 0 { addToGroup(place) }
            clients[place].fold(minute, before: before(clients[place]), pause: settings.pause)
        }
    }

    private mutating func addToGroup(_ place: Int) {
        guard let row = group(of: clients[place].key) else { return }
        groups[row].minute += clients[place].minute
    }

    /// The row of a client's group, new or known; nil where there is no room.
    private mutating func group(of client: CostClient.Key) -> Int? {
        var key = client
        key.address = client.address.prefix(settings.groupBits(key.family), key.family)
        if let row = groupPlaces[key] {
            if groups[row].member != client.address { groups[row].isShared = true }
            return row
        }
        if groups.count == settings.groups, !hasThinnedGroups {
            hasThinnedGroups = true
            turnedAway += Self.thinOut(&groups, &groupPlaces) { _ in }
        }
        guard groups.count < settings.groups else {
            turnedAway += 1
            return nil
        }
        groupPlaces[key] = groups.count
        groups.append(CostClient(key, before: services[Int(key.service)].total))
        groups[groups.count - 1].member = client.address
        return groups.count - 1
    }

    /// Makes room among the clients: groups keep what those that go did in the minute.
    private mutating func thinOut() {
        guard !hasThinnedClients else { return }
        hasThinnedClients = true
        var gone: [CostClient] = []
        turnedAway += Self.thinOut(&clients, &clientPlaces) { gone.append($0) }
        for client in gone where client.minute.records > 0 {
            if let row = group(of: client.key) { groups[row].minute += client.minute }
        }
    }

    /// Drops the half that is missed the least.
    private static func thinOut(
        _ rows: inout [CostClient],
        _ places: inout [CostClient.Key: Int],
        _ drop: (CostClient) -> Void
    ) -> UInt64 {
        let worths = rows.map(\.worth)
        let order = rows.indices.sorted { left, right in
            worths[left] == worths[right] ? rows[left].key < rows[right].key : worths[left] > worths[right]
        }
        let kept = order.prefix(rows.count / 2).sorted()
        let dropped = order.dropFirst(rows.count / 2)
        for place in dropped { drop(rows[place]) }
        rows = kept.map { rows[$0] }
        places = index(rows)
        return UInt64(dropped.count)
    }

    private static func index(_ rows: [CostClient]) -> [CostClient.Key: Int] {
        Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1.key, $0) })
    }

    /// Drops clients that are gone for two hours; when services fill half of their room, those that did little and are gone.
    private mutating func forget() {
        let now = minute
        let isGone: (CostClient) -> Bool = { $0.minute.records == 0 && now - ($0.episode?.last ?? now) > 120 }
        clients.removeAll(where: isGone)
        groups.removeAll(where: isGone)
        if services.count > settings.services / 2 { forgetServices() }
        clientPlaces = Self.index(clients)
        groupPlaces = Self.index(groups)
    }

    private mutating func forgetServices() {
        var moved = [Int32](repeating: -1, count: services.count)
        var kept: [CostService] = []
        for place in services.indices {
            let service = services[place]
            let isSmall = service.total.load(settings.requestBytes) < settings.floor / 10
            if isSmall, minute - service.last > 10 { continue }
            if minute - service.last > 1_440 { continue }
            moved[place] = Int32(kept.count)
            kept.append(service)
        }
        services = kept
        places = Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($1.key, Int32($0)) })
        for rows in [\CostTable.clients, \CostTable.groups] {
            self[keyPath: rows].removeAll { moved[Int($0.key.service)] < 0 }
            for place in self[keyPath: rows].indices {
                self[keyPath: rows][place].key.service = moved[Int(self[keyPath: rows][place].key.service)]
            }
        }
    }
}

extension Address {
    /// Whether it is of a private network, of this link, or of this host (RFC 1918, 6598, 3927, 4193, 4291).
    func isLocal(_ family: Family) -> Bool {
        guard family == .ipv4 else { return high >> 57 == 0x7E || high >> 54 == 0x3FA || high == 0 && low == 1 }
        let number = UInt32(truncatingIfNeeded: low)
        return number >> 24 == 10 || number >> 24 == 127 || number >> 20 == 0xAC1 || number >> 16 == 0xC0A8
            || number >> 16 == 0xA9FE || number >> 22 == 0x191
    }
}
