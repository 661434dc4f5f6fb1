import Flows
import Packets
import Support
import Testing

@Suite struct ShardMapTests {
    private let frame = PacketBuilder().ethernet()
    private let map = ShardMap(seed: 1, workers: 3)

    @Test func bothDirectionsShareAShard() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<500 {
            let (a, b) = ("10.0.0.\(UInt8.random(in: 0...3, using: &random))", "10.0.0.1")
            let (p, q) = (UInt16.random(in: 0...9, using: &random), UInt16.random(in: 0...9, using: &random))
            let forward = decode(frame.ipv4(from: a, to: b).udp(from: p, to: q))
            let backward = decode(frame.ipv4(from: b, to: a).udp(from: q, to: p))
            #expect(map.shard(of: forward) == map.shard(of: backward))
        }
    }

    /// Over many seeds, what must differ lands in different shards about 63 times in 64.
    private func differing(_ one: Packet, _ other: Packet) -> Int {
        (0..<640 as Range<UInt64>).filter { seed in
            let map = ShardMap(seed: seed, workers: 1)
            return map.shard(of: one) != map.shard(of: other)
        }.count
    }

    @Test func everyPartOfTheKeyMatters() {
        let packet = decode(frame.ipv4().udp(from: 1, to: 2))
        #expect(differing(packet, packet) == 0)
        let others = [
            decode(frame.ipv6(from: "::ffff:10.0.0.1", to: "::ffff:10.0.0.2").udp(from: 1, to: 2)),
            decode(frame.ipv4().tcp(from: 1, to: 2)),
            decode(frame.ipv4().udp(from: 2, to: 1)),
            decode(frame.ipv4().udp(from: 1, to: 3)),
            decode(frame.ipv4(from: "10.0.0.3").udp(from: 1, to: 2)),
            decode(frame.ipv4(to: "10.0.0.3").udp(from: 1, to: 2)),
        ]
        for other in others {
            #expect(differing(packet, other) > 600)
        }
    }

    @Test func seedsDifferAndRepeat() {
        let packets = (0..<200).map { decode(frame.ipv4().udp(from: UInt16($0))) }
        let shards = packets.map { ShardMap(seed: 1, workers: 1).shard(of: $0) }
        #expect(packets.map { ShardMap(seed: 1, workers: 7).shard(of: $0) } == shards)
        #expect(packets.map { ShardMap(seed: 2, workers: 1).shard(of: $0) } != shards)
    }

    /// Neighbouring addresses and ports, as scans and floods have them, spread evenly: chi-square with 63 degrees of
    /// freedom stays below 115 (one in ten thousand).
    @Test(arguments: [1, 2, 3] as [UInt64])
    func spreadsEvenly(seed: UInt64) {
        let map = ShardMap(seed: seed, workers: 1)
        let ports = (0..<8_000).map { decode(frame.ipv4().tcp(to: UInt16($0))) }
        let sources = (0..<8_000).map { decode(frame.ipv4(from: "10.9.\($0 / 250).\($0 % 250)").tcp()) }
        let sources6 = (1...8_000).map { decode(frame.ipv6(from: "2001:db8::" + String($0, radix: 16)).tcp()) }
        for packets in [ports, sources, sources6] {
            var counts = [Double](repeating: 0, count: ShardMap.shards)
            for packet in packets { counts[map.shard(of: packet)] += 1 }
            let expected = Double(packets.count) / Double(ShardMap.shards)
            let chi = counts.reduce(0) { $0 + ($1 - expected) * ($1 - expected) / expected }
            #expect(chi < 115, "seed \(seed)")
        }
    }

    @Test func everyShardHasOneWorker() {
        for workers in [1, 3, 64] {
            let map = ShardMap(seed: 1, workers: workers)
            let owners = Set((0..<ShardMap.shards).map(map.worker(of:)))
            #expect(owners == Set(0..<workers))
        }
    }
}
