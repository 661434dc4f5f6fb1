import BPF
import KernelABI
import Linux
import Support
import Testing

@Suite("Sampling filter", needsRoot) struct SampleTests {
    static let link = PacketBuilder().ethernet()
    static let data = link.ipv4().tcp(to: 443).payload(count: 400)
    static let back = link.ipv4(from: "10.0.0.2", to: "10.0.0.1").tcp(from: 443, to: 40000).payload(count: 40)
    static let syn = link.ipv4().tcp(to: 443, flags: [.syn])

    /// The snap length that the filter answers. The kernel's test run takes 14 bytes before the filter sees the frame.
    private func offer(_ packet: PacketBuilder, to sampling: borrowing Sampling, times: Int32 = 1) throws -> Int32 {
        let frame = [UInt8](repeating: 0, count: 12) + [0x88, 0xB5] + packet.bytes
        return try sampling.filter.run(Program.TestFrame(frame), times: times).answer
    }

    private func sampled(_ sampling: borrowing Sampling, _ kind: UInt32) throws -> [UInt64] {
        let found = try #require(try sampling.sampled.value(for: kind))
        return [found.offered, found.kept]
    }

    struct Kind: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let packet: PacketBuilder
        let `class`: UInt32
        var isFirst = true
    }

    static let kinds = [
        Kind(testDescription: "SYN", packet: syn, class: WEIR_CLASS_HANDSHAKE),
        Kind(testDescription: "FIN", packet: link.ipv6().tcp(flags: [.fin, .ack]), class: WEIR_CLASS_HANDSHAKE),
        Kind(testDescription: "RST", packet: link.vlan(3).ipv4().tcp(flags: [.rst]), class: WEIR_CLASS_HANDSHAKE),
        Kind(testDescription: "ICMP", packet: link.ipv4().icmp(), class: WEIR_CLASS_ICMP),
        Kind(testDescription: "ICMPv6", packet: link.ipv6().ipv6Extension(0).icmpv6(), class: WEIR_CLASS_ICMP),
        Kind(testDescription: "TCP", packet: data, class: WEIR_CLASS_FIRST),
        Kind(testDescription: "UDP", packet: link.ipv6().udp(), class: WEIR_CLASS_FIRST),
        Kind(testDescription: "later fragment", packet: link.ipv4(fragmentOffset: 4).udp(), class: WEIR_CLASS_FIRST),
        Kind(testDescription: "GRE", packet: link.ipv4().gre().ipv4().tcp(flags: [.syn]), class: WEIR_CLASS_FIRST),
        Kind(testDescription: "ARP", packet: link.arp(), class: WEIR_CLASS_REST, isFirst: false),
        Kind(
            testDescription: "malformed",
            packet: link.ipv4(headerWords: 4).tcp(flags: [.syn]),
            class: WEIR_CLASS_REST,
            isFirst: false
        ),
    ]

    @Test("the class decides what is counted, the flow how much is kept", arguments: kinds)
    func classes(_ kind: Kind) throws {
        let sampling = try Sampling()
        #expect(try offer(kind.packet, to: sampling) == (kind.isFirst ? 1600 : 256))
        for number in 0..<WEIR_CLASSES {
            #expect(try sampled(sampling, number) == (number == kind.class ? [1, 1] : [0, 0]))
        }
    }

    @Test("a frame without an Ethernet header")
    func rawIP() throws {
        let sampling = try Sampling(rawIP: true)
        _ = try offer(PacketBuilder().ipv4().tcp(flags: [.syn]), to: sampling)
        #expect(try sampled(sampling, WEIR_CLASS_HANDSHAKE) == [1, 1])
    }

    @Test("the first 8 frames of a flow, both directions together")
    func first() throws {
        let sampling = try Sampling()
        for number in 0..<20 {
            let snap = try offer(number % 3 == 0 ? Self.back : Self.data, to: sampling)
            #expect(snap == (number < 8 ? 1600 : 256))
        }
        #expect(try sampled(sampling, WEIR_CLASS_FIRST) == [8, 8])
        #expect(try sampled(sampling, WEIR_CLASS_REST) == [12, 12])
        // Another port is another flow.
        #expect(try offer(Self.link.ipv4().tcp(from: 40001, to: 443), to: sampling) == 1600)
    }

    @Test("N = 0 keeps nothing and counts what was offered")
    func none() throws {
        let sampling = try Sampling()
        sampling.parameters[0].one_in = 0
        for kind in Self.kinds { #expect(try offer(kind.packet, to: sampling) == 0) }
        let classes = try (0..<WEIR_CLASSES).map { try sampled(sampling, $0) }
        #expect(classes.map { $0[1] } == [0, 0, 0, 0])
        #expect(classes.map { $0[0] }.reduce(0, +) == UInt64(Self.kinds.count))
    }

    @Test("snap lengths are what user space asks for")
    func snap() throws {
        let sampling = try Sampling()
        sampling.parameters[0] = weir_sampling(one_in: 1, budget: 10, snap: 128, snap_first: 2000)
        #expect(try offer(Self.syn, to: sampling) == 2000)
        #expect(try offer(Self.link.arp(), to: sampling) == 128)
    }

    @Test("of the rest one in N passes")
    func rest() throws {
        let sampling = try Sampling()
        sampling.parameters[0].one_in = 64
        _ = try offer(Self.data, to: sampling, times: 64_008)
        // 8 are first; of 64,000 pass 1,000 on average, standard deviation 31.4.
        #expect(try sampled(sampling, WEIR_CLASS_FIRST) == [8, 8])
        let rest = try sampled(sampling, WEIR_CLASS_REST)
        #expect(rest[0] == 64_000)
        #expect((1000 - 190...1000 + 190).contains(rest[1]), "kept \(rest[1])")
    }

    @Test("above its budget a class is sampled too, so that a flood cannot ride in on its flags", arguments: [1, 2])
    func budget(_ kind: UInt32) throws {
        let sampling = try Sampling()
        sampling.parameters[0] = weir_sampling(one_in: 100, budget: 500, snap: 256, snap_first: 1600)
        let start = Clock.monotonic.now()
        if kind == WEIR_CLASS_ICMP {
            _ = try offer(Self.link.ipv4().icmp(), to: sampling, times: 50_000)
        } else {
            // A flow for each frame, as spoofed floods have.
            for number in 0..<50_000 {
                let source = "10.\(number >> 16).\(number >> 8 & 0xFF).\(number & 0xFF)"
                _ = try offer(Self.link.ipv4(from: source).udp(), to: sampling)
            }
        }
        let found = try sampled(sampling, kind)
        #expect(found[0] > 49_000)
        // One budget for each second that was touched, and one in 100 above it: 500 on average, standard deviation 22.
        let seconds = UInt64((Clock.monotonic.now() - start) / 1_000_000_000 + 2)
        #expect(found[1] >= 500 && found[1] <= 500 * seconds + 640, "kept \(found[1]) in \(seconds) s")
    }
}
