import Flows
import Packets
import Support
import Testing

@Suite struct TrafficDistributionsTests {
    private let frame = PacketBuilder().ethernet()

    private func decode(_ builder: PacketBuilder, segmentSize: UInt16 = 0) -> Packet {
        let bytes = builder.bytes
        let span = unsafe bytes.span.bytes
        return Packet(decoding: span, wireLength: bytes.count, segmentSize: segmentSize)
    }

    /// A scan: one source, one destination, many ports.
    @Test func seesWhatVaries() {
        var distributions = TrafficDistributions(seed: 1)
        for port in 1...256 as ClosedRange<UInt16> {
            distributions.count(decode(frame.ipv4(from: "10.0.0.1", to: "10.0.0.2").tcp(from: 40_000, to: port)))
        }
        #expect(distributions.sources.entropy.bits == 0)
        #expect(distributions.destinations.entropy.bits == 0)
        #expect(distributions.sourcePorts.entropy.bits == 0)
        #expect(distributions.destinationPorts.entropy.bits == 8)
        #expect(distributions.destinationPorts.entropy.distinct == 256)
        #expect(distributions.sizes.entropy.distinct == 1)
        #expect(distributions.sizes.entropy.packets == 256)
    }

    /// A flood from 64 sources of two families.
    @Test func addressesOfBothFamilies() {
        var distributions = TrafficDistributions(seed: 1)
        for number in 0..<32 {
            distributions.count(decode(frame.ipv4(from: "10.0.0.\(number)", to: "10.0.1.1").udp()))
            distributions.count(
                decode(frame.ipv6(from: "2001:db8::\(String(number, radix: 16))", to: "2001:db8:1::1").udp())
            )
        }
        #expect(distributions.sources.entropy.bits == 6)
        #expect(distributions.destinations.entropy.bits == 1)
        #expect(distributions.sizes.entropy.distinct == 2)
    }

    @Test func portsOnlyWhereThereAreSome() {
        var distributions = TrafficDistributions(seed: 1)
        distributions.count(decode(frame.ipv4().icmp()))
        distributions.count(decode(frame.ipv4().udp(from: 1, to: 2)))
        distributions.count(decode(frame.arp()))
        #expect(distributions.sources.packets == 2)
        #expect(distributions.sourcePorts.packets == 1)
        #expect(distributions.destinationPorts.packets == 1)
        #expect(distributions.sizes.packets == 2)
    }

    /// A frame of several segments counts each of them, the last with its own size.
    @Test func segmentsArePackets() {
        var distributions = TrafficDistributions(seed: 1)
        let packet = decode(
            frame.ipv4().tcp().payload([UInt8](repeating: 0, count: 2_500)),
            segmentSize: 1_000
        )
        #expect(packet.segments == 3)
        distributions.count(packet)
        #expect(distributions.sources.packets == 3)
        #expect(distributions.sizes.entropy.packets == 3)
        #expect(distributions.sizes.entropy.distinct == 2)
    }

    /// However packets are shared out among workers, the merged figures are the same.
    @Test(arguments: [2, 3, 5])
    func mergesAreTheWhole(workers: Int) {
        var random = SeededGenerator(seed: 4)
        var whole = TrafficDistributions(seed: 3)
        var parts = [TrafficDistributions](repeating: TrafficDistributions(seed: 3), count: workers)
        for _ in 0..<6_000 {
            let source = "10.\(UInt8.random(in: 0...9, using: &random)).\(UInt8.random(in: 0...255, using: &random)).1"
            let packet = decode(
                frame.ipv4(from: source).udp(from: UInt16.random(in: 0...9_999, using: &random), to: 53)
            )
            whole.count(packet)
            parts[Int.random(in: 0..<workers, using: &random)].count(packet)
        }
        #expect(whole.sources.entropy.sampling > 1)
        var merged = TrafficDistributions(seed: 3)
        for part in parts.shuffled(using: &random) { merged.merge(part) }
        #expect(merged == whole)
        merged.reset()
        #expect(merged == TrafficDistributions(seed: 3))
    }

    /// Another seed keeps other keys, and finds the same.
    @Test func seedsAgreeWithinTheirErrors() {
        let packets = (0..<20_000).map { number in
            decode(frame.ipv4(from: "10.\(number % 7).\(number / 250).\(number % 250)").udp())
        }
        let entropies = (1...5 as ClosedRange<UInt64>).map { seed in
            var distributions = TrafficDistributions(seed: seed)
            for packet in packets { distributions.count(packet) }
            return distributions.sources.entropy
        }
        for entropy in entropies {
            #expect(abs(entropy.bits - entropies[0].bits) < 5 * (entropy.error + entropies[0].error))
        }
        #expect(Set(entropies.map(\.bits)).count > 1)
    }
}
