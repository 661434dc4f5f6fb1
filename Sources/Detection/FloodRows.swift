import Flows
import Packets

/// What a window's volumes say: who may be under a flood.
///
/// One pass over the rows, which stand in the order of their addresses: the sums of an address, of its prefix and of all need
/// no table.
struct FloodRows {
    /// In the order of their keys; those that came to a tenth of their level.
    private(set) var lanes: [FloodLane] = []
    /// Lanes near their level that found no room.
    private(set) var turnedAway: UInt64 = 0

    private let settings: FloodSettings
    private let seconds = Double(Observation.length) / 1e9
    private var prefix: Sum?
    /// Of the prefix, without addresses that have lanes at their level.
    private var prefixRest = TrafficVolume()
    private var all = Sum(Subject.all(.ipv4))
    private var services: [Service] = []
    /// Connections of the address whose rows lost their port for want of room: they may be of any service.
    private var stray = 0.0

    private struct Service {
        var port: UInt16
        var offered: TrafficVolume
        var answers = 0.0
        var completions = 0.0
    }

    /// Unsolicited traffic of many addresses.
    private struct Sum {
        let subject: Subject
        var volume = TrafficVolume()
        /// Of these packets, UDP.
        var datagrams = 0.0
        var hosts = 0
        var largest = 0.0

        init(_ subject: Subject) { self.subject = subject }

        mutating func add(_ other: TrafficVolume, datagrams: Double) {
            guard other.unaskedPackets > 0 else { return }
            volume += other
            self.datagrams += datagrams
            hosts += 1
            largest = max(largest, other.unaskedPackets)
        }
    }

    /// - Parameter settings: scaled.
    init(_ window: borrowing Observation, _ scene: Scene, _ settings: FloodSettings) {
        self.settings = settings
        let rows = window.volumes
        var place = 0
        while place < rows.count {
            let key = rows[place].key
            var end = place + 1
            while end < rows.count, rows[end].key.address == key.address, rows[end].key.family == key.family {
                end += 1
            }
            // What is for a group is for us too.
            if scene.isHome(key.address, key.family) != false || key.address.isMulticast(key.family) {
                take(rows[place..<end], key)
            }
            place = end
        }
        endPrefix()
        all.volume += window.missed.traffic
        add(all, .interface, level: settings.interface)
        trim()
    }

    /// Of the prefixes that are watched.
    static func prefixBits(_ family: Family) -> UInt8 { family == .ipv4 ? 24 : 64 }

    private mutating func take(_ rows: ArraySlice<(key: TrafficKey, volume: TrafficVolume)>, _ first: TrafficKey) {
        var kinds = [14 of TrafficVolume](repeating: TrafficVolume())
        services.removeAll(keepingCapacity: true)
        stray = 0
        let before = lanes.count
        var cursor = 0
        var last = TrafficClass.synchronize
        let host = Subject(first.address, first.family)
        for (key, volume) in rows {
            kinds[Int(key.kind.rawValue)] += volume
            if key.kind != last { (cursor, last) = (0, key.kind) }
            switch key.kind {
            case .synchronize: services.append(Service(port: key.port, offered: volume))
            case .answer, .completed:
                if key.kind == .completed, key.port == 0 { stray = volume.packets }
                while cursor < services.count, services[cursor].port < key.port { cursor += 1 }
                guard cursor < services.count, services[cursor].port == key.port else { break }
                if key.kind == .answer { services[cursor].answers = volume.packets }
                if key.kind == .completed { services[cursor].completions = volume.packets }
            case .request:
                guard settings.webPorts.contains(key.port) else { break }
                let subject = Subject(first.address, first.family, port: key.port)
                add(.init(subject: subject, kind: .requests), volume, volume.packets / seconds / settings.requests)
            case .reflection:
                guard !first.address.isMulticast(first.family) else { break }
                let key = FloodLane.Key(subject: host, kind: .reflection, port: key.port)
                let packets = volume.packets / settings.reflection
                let ratio = max(packets, volume.unaskedBits / settings.bits) / seconds
                guard ratio >= 0.1 else { break }
                add(key, volume, ratio)
                let datagrams = kinds[Int(TrafficClass.udp.rawValue)]
                lanes[lanes.count - 1].asked = datagrams.packets - datagrams.unaskedPackets
            default: break
            }
        }
        var loose = takeSynchronize(host)
        for kind in TrafficClass.allCases where kind >= .acknowledge { loose += kinds[Int(kind.rawValue)] }
        takeUnsolicited(host, kinds)
        let network = Subject(prefixOf: host.address, host.family, bits: Self.prefixBits(host.family))
        if prefix?.subject != network {
            endPrefix()
            prefixRest = TrafficVolume()
            prefix = Sum(network)
        }
        let datagrams = kinds[Int(TrafficClass.udp.rawValue)].unaskedPackets
        prefix?.add(loose, datagrams: datagrams)
        if lanes[before...].contains(where: { $0.raw >= 1 }) { return }
        all.add(loose, datagrams: datagrams)
        prefixRest += loose
    }

    /// - Returns: the SYNs that led to no connection, as unsolicited.
    private mutating func takeSynchronize(_ host: Subject) -> TrafficVolume {
        var loose = TrafficVolume()
        var rest = TrafficVolume()
        var (answers, completions) = (0.0, 0.0)
        for service in services {
            let halfOpen = max(0, service.offered.packets - service.completions - (service.port == 0 ? 0 : stray))
            let share = service.offered.packets > 0 ? halfOpen / service.offered.packets : 0
            loose += TrafficVolume(packets: halfOpen, bytes: service.offered.bytes * share, isAsked: false)
            let ratio = halfOpen / seconds / settings.synchronize
            if service.port != 0, ratio >= 0.1 {
                var lane = FloodLane(
                    .init(subject: Subject(host.address, host.family, port: service.port), kind: .synchronize),
                    raw: ratio,
                    volume: service.offered
                )
                lane.answers = service.answers
                lane.completions = service.completions + stray
                lanes.append(lane)
            } else {
                rest += service.offered
                answers += service.answers
                completions += service.completions
            }
        }
        let ratio = max(0, rest.packets - completions) / seconds / settings.hostSynchronize
        if ratio >= 0.1 {
            var lane = FloodLane(.init(subject: host, kind: .hostSynchronize), raw: ratio, volume: rest)
            lane.answers = answers
            lane.completions = completions
            lanes.append(lane)
        }
        return loose
    }

    private mutating func takeUnsolicited(_ host: Subject, _ kinds: borrowing [14 of TrafficVolume]) {
        var acknowledge = kinds[Int(TrafficClass.acknowledge.rawValue)]
        acknowledge += kinds[Int(TrafficClass.data.rawValue)]
        addUnsolicited(host, .acknowledge, acknowledge)
        addUnsolicited(host, .finish, kinds[Int(TrafficClass.finish.rawValue)])
        addUnsolicited(host, .reset, kinds[Int(TrafficClass.reset.rawValue)])
        addUnsolicited(host, .irregular, kinds[Int(TrafficClass.irregular.rawValue)])
        addUnsolicited(host, .udp, kinds[Int(TrafficClass.udp.rawValue)])
        addUnsolicited(host, .icmp, kinds[Int(TrafficClass.icmp.rawValue)])
        addUnsolicited(host, .fragment, kinds[Int(TrafficClass.fragment.rawValue)])
        addUnsolicited(host, .protocols, kinds[Int(TrafficClass.other.rawValue)])
    }

    private mutating func addUnsolicited(_ host: Subject, _ kind: FloodLane.Kind, _ volume: TrafficVolume) {
        let isICMP = kind == .icmp
        // Of ICMP too much is too much, asked for or not.
        let total = isICMP ? volume.packets : volume.unaskedPackets
        let few = volume.unaskedPackets / (isICMP ? settings.icmp : settings.unsolicited)
        let ratio = max(few, total / settings.volume, volume.unaskedBits / settings.bits) / seconds
        if ratio >= 0.1 { add(.init(subject: host, kind: kind), volume, ratio) }
    }

    private mutating func add(_ key: FloodLane.Key, _ volume: TrafficVolume, _ ratio: Double) {
        if ratio >= 0.1 { lanes.append(FloodLane(key, raw: ratio, volume: volume)) }
    }

    private mutating func add(_ sum: Sum, _ kind: FloodLane.Kind, level: Double) {
        let rate = max(sum.volume.unaskedPackets / level, sum.volume.unaskedBits / settings.bits) / seconds
        guard rate >= 0.1 else { return }
        var lane = FloodLane(.init(subject: sum.subject, kind: kind), raw: rate, volume: sum.volume)
        lane.answers = sum.datagrams
        lane.hosts = sum.hosts
        lanes.append(lane)
    }

    private mutating func endPrefix() {
        guard let sum = prefix else { return }
        prefix = nil
        guard sum.hosts >= settings.prefixHosts, sum.largest < sum.volume.unaskedPackets / 2 else { return }
        add(sum, .prefix, level: settings.prefix)
        if lanes.last?.key.kind == .prefix, let raw = lanes.last?.raw, raw >= 1 { all.volume -= prefixRest }
    }

    /// Leaves the largest, in the order of their keys.
    private mutating func trim() {
        lanes.sort { $0.raw == $1.raw ? $0.key < $1.key : $0.raw > $1.raw }
        if lanes.count > settings.lanes {
            turnedAway = UInt64(lanes[settings.lanes...].count { $0.raw >= 0.7 })
            lanes.removeSubrange(settings.lanes...)
        }
        for place in lanes.indices.prefix(settings.closeLanes) { lanes[place].isClose = lanes[place].raw >= 0.7 }
        lanes.sort { $0.key < $1.key }
    }
}

extension Address {
    /// Whether it is one of a group, or of all (RFC 1112, RFC 4291).
    func isMulticast(_ family: Family) -> Bool {
        family == .ipv4 ? low & 0xF000_0000 == 0xE000_0000 || low & 0xFFFF_FFFF == 0xFFFF_FFFF : high >> 56 == 0xFF
    }
}
