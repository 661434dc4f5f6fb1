import BPF
import KernelABI
import Support
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

    private func watching(clients: Int = 1024) throws -> Counted {
        let counted = try Counted(clients: clients)
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
        #expect(try counted.client(connection.client, WEIR_TCP, 443) == nil)

        let third = connection.toService([.ack], acknowledgement: 5001)
        try counted.ingress(third)
        #expect(try counts(counted) == [1, 2, 1])
        let entered = try #require(try counted.client(connection.client, WEIR_TCP, 443))
        #expect(entered.connections == 1 && entered.in.packets == 1 && entered.in.bytes == UInt64(third.bytes.count))
        #expect(entered.out.packets == 0 && entered.last_seen > 0)

        try counted.ingress(third)
        let answer = connection.fromService([.ack], payload: 500)
        try counted.egress(answer)
        #expect(try counts(counted) == [1, 2, 1])
        let later = try #require(try counted.client(connection.client, WEIR_TCP, 443))
        #expect(later.connections == 1 && later.in.packets == 2 && later.out.packets == 1)
        #expect(later.out.bytes == UInt64(answer.bytes.count) && later.last_seen >= entered.last_seen)
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
        }
        #expect(try counts(counted) == [0, 2, 2])
        #expect(try counted.client(Connection.v4.client, WEIR_TCP, 443)?.connections == 2)
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
        #expect(try entries(counted) == 0)
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
        #expect(try entries(counted) == 0)
        try counted.egress(Connection.v4.fromService([.ack], payload: 1))
        let entered = try #require(try counted.client(Connection.v4.client, WEIR_TCP, 443))
        #expect(entered.connections == 0 && entered.out.packets == 1)
    }

    @Test("a UDP client enters once it was answered")
    func udp() throws {
        let counted = try watching()
        let link = PacketBuilder().ethernet()
        let question = link.ipv4(from: "10.0.0.1", to: "10.0.0.255").udp(from: 40000, to: 53).payload(count: 30)
        let answer = link.ipv4(from: "10.0.0.255", to: "10.0.0.1").udp(from: 53, to: 40000).payload(count: 300)
        try counted.ingress(question)
        #expect(try entries(counted) == 0)
        try counted.egress(answer)
        try counted.ingress(question)
        let client = try #require(try counted.client([10, 0, 0, 1], WEIR_UDP, 53))
        #expect(client.in.packets == 1 && client.out.packets == 1 && client.connections == 0)
        #expect(client.out.bytes == UInt64(answer.bytes.count))
        #expect(try counts(counted, 4095) == [0, 0, 0])
    }

    @Test("a port where nothing listens has neither connections nor clients")
    func noService() throws {
        let counted = try watching()
        counted.serve(WEIR_TCP, 443, as: 0)
        try counted.ingress(Connection.v4.toService([.syn]))
        try counted.egress(Connection.v4.fromService([.ack], payload: 10))
        #expect(try counts(counted) == [0, 0, 0])
        #expect(try entries(counted) == 0)
    }

    @Test("a full table turns clients away visibly and loses no total")
    func full() throws {
        let counted = try watching(clients: 4)
        var sent: UInt64 = 0
        for round in 0..<2 {
            for number in 1...10 {
                let answer = Connection.v4.number(number).fromService([.ack], payload: 100 + round)
                try counted.egress(answer)
                sent += UInt64(answer.bytes.count)
            }
        }
        #expect(try entries(counted) == 4)
        let losses = try counted.losses()
        #expect(losses.clients_full == 12 && losses.client_errors == 0)
        let total = try counted.port(WEIR_TCP, 443).out
        #expect(total.packets == 20 && total.bytes == sent)
        #expect(try clientTotals(counted).packets == 8)

        // One leaves with its totals, and its place is free at once.
        let gone = try #require(try counted.counting.clients.take(weir_client_key([10, 0, 0, 1], WEIR_TCP, 443)))
        #expect(gone.out.packets == 2)
        #expect(try counted.counting.clients.take(weir_client_key([10, 0, 0, 1], WEIR_TCP, 443)) == nil)
        try counted.egress(Connection.v4.number(10).fromService([.ack], payload: 1))
        #expect(try counted.client([10, 0, 0, 10], WEIR_TCP, 443)?.out.packets == 1)
        #expect(try counted.losses().clients_full == 12)
    }

    @Test("the default table holds all of its 65,536 clients, and reading brings each once")
    func many() throws {
        let counted = try watching(clients: 65_536)
        let link = PacketBuilder().ethernet()
        for number in 0..<65_600 {
            let address = "10.\(number >> 16).\(number >> 8 & 0xFF).\(number & 0xFF)"
            try counted.egress(link.ipv4(from: "192.0.2.1", to: address).udp(from: 53, to: 40000).payload(count: 10))
        }
        var seen = Set<[UInt8]>()
        try counted.counting.clients.forEach { key, client in
            var key = key
            let address = unsafe withUnsafeBytes(of: &key.address) { unsafe Array($0) }
            #expect(seen.insert(address).inserted && client.out.packets == 1)
        }
        // The kernel keeps a spare entry for each CPU, which may serve too.
        let full = try counted.losses().clients_full
        #expect(seen.count >= 65_536 && UInt64(seen.count) + full == 65_600)
    }

    private func entries(_ counted: borrowing Counted) throws -> Int {
        var count = 0
        try counted.counting.clients.forEach { _, _ in count += 1 }
        return count
    }

    private func clientTotals(_ counted: borrowing Counted) throws -> weir_volume {
        var total = weir_volume()
        try counted.counting.clients.forEach { _, client in
            total.packets += client.in.packets + client.out.packets
            total.bytes += client.in.bytes + client.out.bytes
        }
        return total
    }
}
