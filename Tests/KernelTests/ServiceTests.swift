import BPF
import Glibc
import KernelABI
import Linux
import Support
import Synchronization
import Testing

@Suite("Services and their clients", needsRoot) struct ServiceTests {
    /// One connection's packets, in either family.
    struct Connection: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let client: [UInt8]
        private let v6: Bool
        let clientPort: UInt16

        static let v4 = Connection(testDescription: "IPv4", client: [10, 0, 0, 1], v6: false, clientPort: 40000)
        static let v6 = Connection(
            testDescription: "IPv6",
            client: [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1],
            v6: true,
            clientPort: 40000
        )

        func number(_ number: Int) -> Connection {
            Connection(
                testDescription: testDescription,
                client: Array(client.dropLast()) + [UInt8(number)],
                v6: v6,
                clientPort: clientPort
            )
        }

        func toService(_ flags: Flags, sequence: UInt32 = 99, acknowledgement: UInt32 = 0, payload: Int = 0)
            -> PacketBuilder
        {
            network(inward: true).tcp(
                from: clientPort,
                to: 443,
                flags: flags,
                sequence: sequence,
                acknowledgement: acknowledgement
            ).payload(count: payload)
        }

        func fromService(_ flags: Flags, sequence: UInt32 = 5000, payload: Int = 0) -> PacketBuilder {
            network(inward: false).tcp(
                from: 443,
                to: clientPort,
                flags: flags,
                sequence: sequence,
                acknowledgement: 100
            ).payload(count: payload)
        }

        func network(inward: Bool) -> PacketBuilder {
            let last = client.last ?? 0
            let link = PacketBuilder().ethernet()
            if v6 {
                let near = "2001:db8::" + String(last, radix: 16)
                return inward ? link.ipv6(from: near, to: "2001:db8::ff") : link.ipv6(from: "2001:db8::ff", to: near)
            }
            let near = "10.0.0.\(last)"
            return inward ? link.ipv4(from: near, to: "10.0.0.255") : link.ipv4(from: "10.0.0.255", to: near)
        }
    }

    private func watching(clients: Int = 1024, layout: TableLayout? = nil) throws -> Counted {
        let counted = try Counted(clients: clients, layout: layout)
        counted.serve(WEIR_TCP, 443, as: 7)
        counted.serve(WEIR_UDP, 53, as: 4095)
        return counted
    }

    private func counts(_ counted: borrowing Counted, _ number: UInt32 = 7) throws -> [UInt64] {
        let service = try counted.service(number)
        return [service.syn_in, service.syn_ack_out, service.completed]
    }

    @Test("a handshake counts once, and its client enters with its third packet", arguments: [Connection.v4, .v6])
    func handshake(_ connection: Connection) throws {
        let counted = try watching()
        try counted.ingress(connection.toService([.syn]))
        #expect(try counts(counted) == [1, 0, 0])
        try counted.egress(connection.fromService([.syn, .ack], sequence: 5000))
        // A repeated answer stands for the same handshake.
        try counted.egress(connection.fromService([.syn, .ack], sequence: 5000))
        #expect(try counts(counted) == [1, 2, 0])
        #expect(counted.client(connection.client, WEIR_TCP, 443) == nil)

        let third = connection.toService([.ack], acknowledgement: 5001)
        try counted.ingress(third)
        #expect(try counts(counted) == [1, 2, 1])
        let entered = try counted.entered(connection.client, WEIR_TCP, 443)
        #expect(entered.entry.connections == 1 && entered.volume.out.packets == 0)
        #expect(entered.volume.in.packets == 1 && entered.volume.in.bytes == UInt64(third.bytes.count))

        try counted.ingress(third)
        let answer = connection.fromService([.ack], payload: 500)
        try counted.egress(answer)
        #expect(try counts(counted) == [1, 2, 1])
        let later = try counted.entered(connection.client, WEIR_TCP, 443)
        #expect(later.entry.connections == 1 && later.volume.in.packets == 2 && later.volume.out.packets == 1)
        #expect(later.volume.out.bytes == UInt64(answer.bytes.count))
    }

    @Test("the highest sequence number wraps")
    func wrap() throws {
        let counted = try watching()
        try counted.egress(Connection.v4.fromService([.syn, .ack], sequence: .max))
        try counted.ingress(Connection.v4.toService([.ack], acknowledgement: 0))
        #expect(try counts(counted) == [0, 1, 1])
    }

    @Test("a second connection of a client in the table counts too")
    func again() throws {
        let counted = try watching()
        for sequence: UInt32 in [5000, 9000] {
            try counted.egress(Connection.v4.fromService([.syn, .ack], sequence: sequence))
            try counted.ingress(Connection.v4.toService([.ack], acknowledgement: sequence + 1))
            // Long after, too.
            counted.counting.clients.sweep[0] += 1_000
        }
        #expect(try counts(counted) == [0, 2, 2])
        #expect(counted.client(Connection.v4.client, WEIR_TCP, 443)?.entry.connections == 2)
    }

    struct Impostor: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let packet: PacketBuilder
    }

    @Test(
        "nothing else completes a handshake",
        arguments: [
            Impostor(testDescription: "wrong number", packet: Connection.v4.toService([.ack], acknowledgement: 5000)),
            Impostor(testDescription: "RST", packet: Connection.v4.toService([.rst, .ack], acknowledgement: 5001)),
            Impostor(testDescription: "SYN+ACK", packet: Connection.v4.toService([.syn, .ack], acknowledgement: 5001)),
            Impostor(testDescription: "no ACK", packet: Connection.v4.toService([.psh], acknowledgement: 5001)),
            Impostor(
                testDescription: "another address",
                packet: Connection.v4.number(9).toService([.ack], acknowledgement: 5001)
            ),
            Impostor(
                testDescription: "another port",
                packet: Connection.v4.network(inward: true).tcp(from: 40001, to: 443, acknowledgement: 5001)
            ),
            Impostor(
                testDescription: "another service",
                packet: Connection.v4.network(inward: true).tcp(from: 40000, to: 80, acknowledgement: 5001)
            ),
        ]
    )
    func impostors(_ impostor: Impostor) throws {
        let counted = try watching()
        counted.serve(WEIR_TCP, 80, as: 8)
        try counted.egress(Connection.v4.fromService([.syn, .ack], sequence: 5000))
        try counted.ingress(impostor.packet)
        #expect(try counts(counted)[2] == 0)
        #expect(try counts(counted, 8)[2] == 0)
        #expect(counted.clients().count == 0)
        // The right one still does.
        try counted.ingress(Connection.v4.toService([.ack], acknowledgement: 5001))
        #expect(try counts(counted)[2] == 1)
    }

    @Test("payload of a service lets its client in, bare control packets do not")
    func payload() throws {
        let counted = try watching()
        try counted.ingress(Connection.v4.toService([.psh, .ack], acknowledgement: 1, payload: 100))
        for flags: Flags in [[.ack], [.fin, .ack], [.rst], [.syn, .ack]] {
            try counted.egress(Connection.v4.fromService(flags))
        }
        // Data in a SYN+ACK (TCP Fast Open) proves nothing of the client.
        try counted.egress(Connection.v4.fromService([.syn, .ack], payload: 9))
        #expect(counted.clients().count == 0)
        try counted.egress(Connection.v4.fromService([.ack], payload: 1))
        let entered = try counted.entered(Connection.v4.client, WEIR_TCP, 443)
        #expect(entered.entry.connections == 0 && entered.volume.out.packets == 1)
    }

    @Test("a UDP client enters once it was answered")
    func udp() throws {
        let counted = try watching()
        let link = PacketBuilder().ethernet()
        let question = link.ipv4(from: "10.0.0.1", to: "10.0.0.255").udp(from: 40000, to: 53).payload(count: 30)
        let answer = link.ipv4(from: "10.0.0.255", to: "10.0.0.1").udp(from: 53, to: 40000).payload(count: 300)
        try counted.ingress(question)
        #expect(counted.clients().count == 0)
        try counted.egress(answer)
        try counted.ingress(question)
        let client = try counted.entered([10, 0, 0, 1], WEIR_UDP, 53)
        #expect(client.volume.in.packets == 1 && client.volume.out.packets == 1 && client.entry.connections == 0)
        #expect(client.volume.out.bytes == UInt64(answer.bytes.count))
        #expect(try counts(counted, 4095) == [0, 0, 0])
    }

    @Test("a port where nothing listens has neither connections nor clients")
    func noService() throws {
        let counted = try watching()
        counted.serve(WEIR_TCP, 443, as: 0)
        try counted.ingress(Connection.v4.toService([.syn]))
        try counted.egress(Connection.v4.fromService([.ack], payload: 10))
        #expect(try counts(counted) == [0, 0, 0])
        #expect(counted.clients().count == 0)
    }

    /// IPv4 clients by number.
    private func answer(_ number: Int, payload: Int = 10) -> PacketBuilder {
        let address = "10.\(number >> 16).\(number >> 8 & 0xFF).\(number & 0xFF)"
        return PacketBuilder().ethernet().ipv4(from: "192.0.2.1", to: address).udp(from: 53, to: 40000)
            .payload(count: payload)
    }

    @Test("a full table turns clients away visibly and loses no total", arguments: TableLayout.allCases)
    func full(_ layout: TableLayout) throws {
        let counted = try watching(clients: 64, layout: layout)
        var sent: UInt64 = 0
        for round in 0..<2 {
            for number in 0..<200 {
                let answer = answer(number, payload: 100 + round)
                try counted.egress(answer)
                sent += UInt64(answer.bytes.count)
            }
        }
        // There are 96 slots, of which a few may be out of reach for all of these clients.
        let clients = counted.clients()
        #expect((90...96).contains(clients.count))
        #expect(clients.allSatisfy { $0.volume.out.packets == 2 })
        #expect(try counted.losses().clients_full == UInt64(2 * (200 - clients.count)))
        let total = try counted.port(WEIR_UDP, 53).out
        #expect(total.packets == 400 && total.bytes == sent)
    }

    @Test("the default table holds all of its 65,536 clients, and reading brings each once")
    func many() throws {
        let counted = try watching(clients: 65_536)
        let link = PacketBuilder().ethernet()
        for number in 0..<65_536 {
            let address = "10.\(number >> 16).\(number >> 8 & 0xFF).\(number & 0xFF)"
            try counted.egress(link.ipv4(from: "192.0.2.1", to: address).udp(from: 53, to: 40000).payload(count: 10))
        }
        let clients = counted.clients()
        #expect(clients.allSatisfy { $0.volume.out.packets == 1 })
        #expect(Set(clients.map(\.address)).count == clients.count)
        // Seeded at random: about one time in a hundred somebody finds both of his buckets full; two do so never.
        let full = try counted.losses().clients_full
        #expect(full <= 2 && clients.count + Int(full) == 65_536)
    }

    @Test("idle clients leave, and who comes again begins at zero", arguments: TableLayout.allCases)
    func leaving(_ layout: TableLayout) throws {
        let counted = try watching(clients: 64, layout: layout)
        func sweep(patience: UInt32 = 2) -> Int {
            var present = 0
            counted.counting.clients.sweep(patience: patience) { _, _ in present += 1 }
            return present
        }
        for number in 0..<50 { try counted.egress(answer(number)) }
        #expect(sweep() == 50 && sweep() == 50)
        // One is seen again, the others' patience ends in the sweep after the next.
        try counted.egress(answer(7))
        #expect(sweep() == 50)
        #expect(sweep() == 1)
        #expect(counted.clients().map(\.volume.out.packets) == [2])
        // While a slot is being left it is neither found nor given away, and its counters stay until it is free.
        for number in 0..<50 { try counted.egress(answer(number)) }
        let back = counted.clients()
        #expect(back.count + Int(try counted.losses().clients_full) == 50)
        #expect(back.count { $0.volume.out.packets == 1 } == back.count - 1)
        // Now the old slots are free, and cleared.
        #expect(sweep() == back.count)
        for number in 0..<50 { try counted.egress(answer(number)) }
        #expect(counted.clients().count == 50)
        #expect(try counted.port(WEIR_UDP, 53).out.packets == 151)
    }

    @Test("newcomers whom several CPUs see at once enter once", arguments: TableLayout.allCases)
    func together(_ layout: TableLayout) throws {
        let counted = try watching(clients: 65_536, layout: layout)
        let clients = 10_000
        let answers = (0..<clients).map { Program.TestFrame(answer($0).bytes) }
        let meeting = Meeting()
        let run: @Sendable (borrowing Program) throws -> Void = { egress in
            for answer in answers {
                meeting.wait(for: 2)
                try egress.run(answer)
            }
        }
        try inThreads(1, counted, run) { try run(counted.counting.egress) }
        let entered = counted.clients()
        #expect(entered.count == clients)
        #expect(entered.allSatisfy { $0.volume.out.packets == 2 })
    }

    /// Where threads wait for one another, busily, so that they go on at the same moment.
    private final class Meeting: Sendable {
        private let arrivals = Atomic(0)

        func wait(for threads: Int) {
            let mine = arrivals.add(1, ordering: .relaxed).oldValue
            let all = (mine / threads + 1) * threads
            while arrivals.load(ordering: .relaxed) < all {}
        }
    }

    @Test("clients that come and go at once with others mix nothing up", arguments: TableLayout.allCases)
    func coming(_ layout: TableLayout) throws {
        let counted = try watching(clients: 1024, layout: layout)
        let (clients, rounds) = (2_000, 20)
        let answers = (0..<clients).map { Program.TestFrame(answer($0).bytes) }
        func sweep() throws -> Int {
            var addresses: [[UInt8]] = []
            var packets: UInt64 = 0
            counted.counting.clients.sweep(patience: 0) { entry, volume in
                packets += volume.out.packets
                addresses.append(CountedClient(entry: entry, volume: volume).address)
            }
            #expect(Set(addresses).count == addresses.count)
            #expect(try packets <= counted.port(WEIR_UDP, 53).out.packets)
            // Longer than a program runs.
            usleep(3_000)
            return addresses.count
        }
        try inThreads(2, counted) { egress in
            for _ in 0..<rounds {
                for answer in answers { try egress.run(answer) }
            }
        } meanwhile: {
            let all = UInt64(2 * rounds * clients)
            while try counted.port(WEIR_UDP, 53).out.packets < all { _ = try sweep() }
        }
        for _ in 0..<3 { _ = try sweep() }
        #expect(counted.clients().isEmpty)
        // The table is as new: who enters begins at zero.
        for answer in answers.prefix(1_000) { try counted.egress(answer) }
        let back = counted.clients()
        #expect(back.count >= 998 && back.allSatisfy { $0.volume.out.packets == 1 })
    }

    /// Runs `body` in one thread or two, and beside them `meanwhile` in this one.
    private func inThreads(
        _ threads: Int,
        _ counted: borrowing Counted,
        _ body: @escaping @Sendable (borrowing Program) throws -> Void,
        meanwhile: () throws -> Void
    ) throws {
        let egress = counted.counting.egress.descriptor.rawValue
        let run: @Sendable () -> Void = {
            do {
                try body(Program(owning: Descriptor(owning: fcntl(egress, F_DUPFD_CLOEXEC, 0))))
            } catch {
                Issue.record(error)
            }
        }
        let first = try Worker(name: "first", run)
        let second = threads > 1 ? try Worker(name: "second", run) : nil
        try meanwhile()
        first.join()
        second?.join()
    }

    @Test("a table is no larger than asked for, and the least works", arguments: [1, 5, 6])
    func small(_ capacity: Int) throws {
        let counted = try watching(clients: capacity)
        for number in 0..<capacity { try counted.egress(answer(number)) }
        #expect(counted.clients().count == capacity)
    }
}
