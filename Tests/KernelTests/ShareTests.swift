import BPF
import Flows
import Packets
import Support
import Testing

/// As on a received frame, a test run takes the link header away before the program sees the frame.
@Suite("Fanout by shard", needsRoot) struct ShareTests {
    static let link = PacketBuilder().ethernet()
    static let map = ShardMap(seed: 0x5EED, workers: 64)

    private func ring(_ packet: PacketBuilder, _ sharing: borrowing Sharing) throws -> Int {
        Int(try sharing.program.run(Program.TestFrame(packet.bytes)).answer)
    }

    private func shard(_ packet: PacketBuilder, _ map: ShardMap = map) -> Int {
        let bytes = packet.bytes
        return map.shard(of: Packet(decoding: unsafe bytes.span.bytes, wireLength: bytes.count))
    }

    /// One flow's two directions.
    struct Kind: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let packets: @Sendable (_ client: Int, _ port: UInt16) -> [PacketBuilder]
    }

    private static func four(_ client: Int) -> String { "10.\(client >> 8 & 0xFF).\(client & 0xFF).7" }
    private static func six(_ client: Int) -> String { "2001:db8::\(String(client + 1, radix: 16))" }

    static let kinds = [
        Kind(testDescription: "TCP") { client, port in
            [
                link.ipv4(from: four(client), to: "192.0.2.1").tcp(from: port, to: 443).payload(count: 9),
                link.ipv4(from: "192.0.2.1", to: four(client)).tcp(from: 443, to: port, flags: [.syn, .ack]),
            ]
        },
        Kind(testDescription: "UDP") { client, port in
            [
                link.ipv4(from: four(client), to: "192.0.2.1", options: [1, 1, 1, 1]).udp(from: port, to: 53),
                link.ipv4(from: "192.0.2.1", to: four(client)).udp(from: 53, to: port).payload(count: 80),
            ]
        },
        Kind(testDescription: "SCTP") { client, port in
            [
                link.ipv4(from: four(client), to: "192.0.2.1").sctp(from: port, to: 3868),
                link.ipv4(from: "192.0.2.1", to: four(client)).sctp(from: 3868, to: port).payload(count: 20),
            ]
        },
        Kind(testDescription: "ICMP") { client, _ in
            [
                link.ipv4(from: four(client), to: "192.0.2.1").icmp(),
                link.ipv4(from: "192.0.2.1", to: four(client)).icmp(),
            ]
        },
        Kind(testDescription: "GRE") { client, _ in
            [
                link.ipv4(from: four(client), to: "192.0.2.1").gre().ipv4().tcp(),
                link.ipv4(from: "192.0.2.1", to: four(client)).gre().ipv4().udp(),
            ]
        },
        Kind(testDescription: "IPv6 TCP") { client, port in
            [
                link.ipv6(from: six(client)).tcp(from: port, to: 443),
                link.ipv6(from: "2001:db8::2", to: six(client)).ipv6Extension(0).tcp(from: 443, to: port),
            ]
        },
        Kind(testDescription: "IPv6 UDP, SCTP, ICMPv6") { client, port in
            [
                link.ipv6(from: six(client)).udp(from: port, to: 53),
                link.ipv6(from: six(client)).ipv6Extension(60).sctp(from: port, to: 3868),
                link.ipv6(from: six(client)).icmpv6(),
            ]
        },
        Kind(testDescription: "later fragments") { client, port in
            [
                link.ipv4(from: four(client), fragmentOffset: 4).udp(from: port, to: 53),
                link.ipv6(from: six(client)).ipv6Fragment(offset: 4).udp(from: port, to: 53),
            ]
        },
        Kind(testDescription: "malformed") { client, port in
            [
                link.ipv4(from: four(client), totalLength: 9).tcp(from: port, to: 443),
                link.ipv4(from: four(client), totalLength: 30).tcp(from: port, to: 443),
                link.ipv6(from: six(client), payloadLength: 4000).udp(from: port, to: 53),
            ]
        },
    ]

    @Test("the kernel's ring is the shard that user space computes, for both directions", arguments: kinds)
    func shards(_ kind: Kind) throws {
        let sharing = try Sharing(keys: Self.map.keys, rings: 64)
        var seen: Set<Int> = []
        for client in 0..<300 {
            for packet in kind.packets(client, UInt16(1024 + client * 211)) {
                let expected = shard(packet)
                #expect(try ring(packet, sharing) == expected, "client \(client)")
                seen.insert(expected)
            }
        }
        #expect(seen.count > 48)
    }

    @Test("a ring serves its worker's shards", arguments: [1, 2, 3, 7])
    func rings(_ rings: Int) throws {
        let map = ShardMap(seed: 99, workers: rings)
        let sharing = try Sharing(keys: map.keys, rings: rings)
        for client in 0..<200 {
            for packet in Self.kinds[0].packets(client, 40000) {
                #expect(try ring(packet, sharing) == map.worker(of: shard(packet, map)))
            }
        }
    }

    @Test("all pieces of a fragmented IPv4 datagram meet in one ring")
    func fragments() throws {
        let sharing = try Sharing(keys: Self.map.keys, rings: 64)
        for client in 0..<100 {
            let source = Self.four(client)
            let first = Self.link.ipv4(from: source, moreFragments: true).udp(from: 4000, to: 53).payload(count: 24)
            let later = Self.link.ipv4(from: source, fragmentOffset: 4).udp(from: 4000, to: 53)
            #expect(try ring(first, sharing) == shard(later))
            #expect(try ring(later, sharing) == shard(later))
        }
    }

    @Test("what is no IP packet goes to the first ring")
    func other() throws {
        let sharing = try Sharing(keys: Self.map.keys, rings: 64)
        #expect(try ring(Self.link.arp(), sharing) == 0)
        #expect(try ring(Self.link.payload(count: 60), sharing) == 0)
    }
}
