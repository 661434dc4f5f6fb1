import BPF
import Flows
import Keeper
import KernelABI
import Linux
import Packets

/// Reads what the counting programs count, and tells them which ports are services. Needs no privilege.
///
/// The kernel's totals are never reset: what was counted in between is the difference of two readings.
final class KernelCounters {
    private let maps: CountingMaps
    private var services = ServiceNumbers()
    private static let sweepPeriod: Int64 = 10_000_000_000
    /// Clients that were idle for so many sweeps, five minutes, leave; their bytes then belong to the service's others.
    private static let clientPatience: UInt32 = 30
    private var lastSweep: Int64 = 0
    /// Entries of the clients' table at the last sweep.
    private(set) var clients = 0
    private var users: [UInt32: ServiceClients] = [:]

    init(_ maps: consuming CountingMaps) {
        self.maps = maps
    }

    /// An interface's totals since its entry was made; nil when there is none.
    func interface(_ index: UInt32) -> InterfaceCounters? {
        (try? maps.interfaces.value(for: index)).flatMap(\.self).map(InterfaceCounters.init)
    }

    /// Drops an interface's entry after its programs were detached.
    func forget(interface index: UInt32) {
        _ = try? maps.interfaces.remove(index)
    }

    /// What passed a local port since the maps were made.
    func port(_ transport: SocketTransport, _ port: UInt16) -> PortCounters? {
        (try? maps.ports.value(for: Self.key(transport, port))).flatMap(\.self).map(PortCounters.init)
    }

    /// New connections of a TCP service since it began to listen.
    func connections(of port: UInt16) -> ServiceCounters? {
        guard let number = services.number(of: Self.key(.tcp, port)) else { return nil }
        return total(of: number).map { $0.since(services.start(of: number)) }
    }

    /// Tells the programs which ports are services now.
    func setServices(_ sockets: [ListeningSocket]) {
        let changes = services.update(to: Set(sockets.map { Self.key($0.transport, $0.port) })) { number in
            total(of: number) ?? ServiceCounters()
        }
        for (key, number) in changes { maps.serviceOf[Int(key)] = number }
    }

    /// Ports that listen and have no number, because there are more than the table holds. They are counted as ports.
    var unnumbered: Int { services.unnumbered }

    /// Clients turned away because the table was full, and frames that arrived on an interface without an entry.
    var losses: weir_losses? { (try? maps.losses.value(for: 0)).flatMap(\.self) }

    /// Every ten seconds: lets idle clients leave, and sums up who uses which service.
    func sweepClients(now: Int64) {
        guard now - lastSweep >= Self.sweepPeriod else { return }
        lastSweep = now
        var services: [UInt32: ServiceClients] = [:]
        clients = 0
        maps.clients.sweep(patience: Self.clientPatience) { client, volume in
            clients += 1
            services[client.service, default: ServiceClients()].add(client, PortCounters(volume))
        }
        for (key, var service) in services {
            // The total is read after its parts, so that the rest is never below zero.
            let total = (try? maps.ports.value(for: key)).flatMap(\.self).map(PortCounters.init) ?? PortCounters()
            service.others = total.since(service.named)
            services[key] = service
        }
        self.users = services
    }

    /// Who used a service at the last sweep; nil when nobody did.
    func clients(of transport: SocketTransport, _ port: UInt16) -> ServiceClients? { users[Self.key(transport, port)] }

    /// Bytes of kernel memory of all maps.
    var memory: UInt64 { maps.memory }

    private func total(of number: UInt16) -> ServiceCounters? {
        (try? maps.services.value(for: UInt32(number))).flatMap(\.self).map(ServiceCounters.init)
    }

    private static func key(_ transport: SocketTransport, _ port: UInt16) -> UInt32 {
        (transport == .tcp ? WEIR_TCP : WEIR_UDP) << 16 | UInt32(port)
    }
}

/// The clients of one service: the busiest by name, and what all others together moved.
struct ServiceClients {
    struct Client {
        var address: Address
        var counters: PortCounters
        var connections: UInt64
    }

    private static let limit = 5
    /// The busiest first.
    private(set) var busiest: [Client] = []
    private(set) var count = 0
    /// The sum over all clients in the table.
    private(set) var named = PortCounters()
    /// The service's total less that: clients that left, that found the table full, that never completed a handshake.
    var others = PortCounters()

    mutating func add(_ client: weir_client, _ counters: PortCounters) {
        count += 1
        named += counters
        let bytes = counters.received.bytes &+ counters.sent.bytes
        func weight(_ client: Client) -> UInt64 { client.counters.received.bytes &+ client.counters.sent.bytes }
        if busiest.count == Self.limit, let least = busiest.last, weight(least) >= bytes { return }
        let address = Address(high: UInt64(bigEndian: client.address.0), low: UInt64(bigEndian: client.address.1))
        let place = busiest.firstIndex { weight($0) < bytes } ?? busiest.count
        busiest.insert(Client(address: address, counters: counters, connections: UInt64(client.connections)), at: place)
        if busiest.count > Self.limit { busiest.removeLast() }
    }
}

/// Gives listening ports the numbers that the programs count them under. A plain value.
struct ServiceNumbers {
    private var numbers: [UInt32: UInt16] = [:]
    private var free: [UInt16] = Array((1..<UInt16(WEIR_SERVICES)).reversed())
    /// A number's totals go on when another port gets it: what stood there then is its start.
    private var starts: [UInt16: ServiceCounters] = [:]
    private(set) var unnumbered = 0

    func number(of port: UInt32) -> UInt16? { numbers[port] }

    func start(of number: UInt16) -> ServiceCounters { starts[number] ?? ServiceCounters() }

    /// - Returns: the ports whose number changed, 0 for those that are services no more.
    mutating func update(
        to ports: Set<UInt32>,
        total: (UInt16) -> ServiceCounters
    ) -> [(port: UInt32, number: UInt16)] {
        var changes: [(port: UInt32, number: UInt16)] = []
        for (port, number) in numbers where !ports.contains(port) {
            numbers[port] = nil
            // Reused last, so that a service that restarts meets its own number or a fresh one.
            free.insert(number, at: 0)
            changes.append((port, 0))
        }
        unnumbered = 0
        for port in ports.sorted() where numbers[port] == nil {
            guard let number = free.popLast() else {
                unnumbered += 1
                continue
            }
            starts[number] = total(number)
            numbers[port] = number
            changes.append((port, number))
        }
        return changes
    }
}

// MARK: - From the kernel's structs

extension InterfaceCounters {
    init(_ interface: weir_interface) {
        self.init(rx: DirectionCounters(interface.rx), tx: DirectionCounters(interface.tx))
    }

    /// What an interface's own counters say: packets and bytes, nothing by header.
    init(from start: LinkStatistics, to now: LinkStatistics) {
        func direction(_ packets: UInt64, _ bytes: UInt64) -> DirectionCounters {
            var words = DirectionCounters.Words(repeating: 0)
            (words[1], words[2]) = (packets, bytes)
            return DirectionCounters(words: words)
        }
        self.init(
            rx: direction(now.receivedPackets &- start.receivedPackets, now.receivedBytes &- start.receivedBytes),
            tx: direction(now.sentPackets &- start.sentPackets, now.sentBytes &- start.sentBytes)
        )
    }
}

extension DirectionCounters {
    /// Word by word: both have the same 31 in the same order, which a test holds.
    init(_ direction: weir_direction) {
        self.init(words: unsafe unsafeBitCast(direction, to: Words.self))
    }
}

extension PortCounters {
    init(_ port: weir_port) {
        self.init(
            received: Volume(packets: port.in.packets, bytes: port.in.bytes),
            sent: Volume(packets: port.out.packets, bytes: port.out.bytes)
        )
    }
}

extension ServiceCounters {
    init(_ service: weir_service) {
        self.init(offered: service.syn_in, answered: service.syn_ack_out, completed: service.completed)
    }
}
