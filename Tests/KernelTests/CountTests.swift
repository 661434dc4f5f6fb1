import BPF
import Glibc
import KernelABI
import Linux
import Support
import Testing

let needsRoot: ConditionTrait = .enabled(if: geteuid() == 0, "needs root")

/// One frame and what it must count.
struct CountCase: Sendable, CustomStringConvertible {
    let name: String
    let frame: [UInt8]
    let family: UInt32
    let `protocol`: UInt32?
    let flags: [UInt32]
    let fragment: Bool
    let malformed: Bool
    /// The port that counts on ingress, and that on egress.
    let ports: (kind: UInt32, destination: UInt16, source: UInt16)?

    var description: String { name }

    init(
        _ name: String,
        _ packet: PacketBuilder,
        cut length: Int? = nil,
        padding: Int = 0,
        _ family: UInt32,
        _ protocol: UInt32? = nil,
        flags: [UInt32] = [],
        fragment: Bool = false,
        malformed: Bool = false,
        ports: (kind: UInt32, destination: UInt16, source: UInt16)? = nil
    ) {
        self.name = name
        let bytes = packet.bytes
        frame = Array(bytes.prefix(length ?? bytes.count)) + [UInt8](repeating: 0, count: padding)
        self.family = family
        self.protocol = `protocol`
        self.flags = flags
        self.fragment = fragment
        self.malformed = malformed
        self.ports = ports
    }
}

@Suite("Counters of one frame", needsRoot) struct CountTests {
    static let web: (kind: UInt32, destination: UInt16, source: UInt16) = (WEIR_TCP, 443, 40000)
    static let name: (kind: UInt32, destination: UInt16, source: UInt16) = (WEIR_UDP, 53, 40000)
    static let link = PacketBuilder().ethernet()
    static let tcp4 = link.ipv4().tcp(to: 443)
    static let (v4, v6, other) = (WEIR_IPV4, WEIR_IPV6, WEIR_OTHER_FAMILY)

    static let whole: [CountCase] = [
        CountCase("ARP", link.arp(), other),
        CountCase("802.3 length", PacketBuilder().ethernet(type: 46).payload(count: 46), other),
        CountCase("MPLS", PacketBuilder().ethernet(type: 0x8847).payload(count: 46), other),
        CountCase("ethertype 0", PacketBuilder().ethernet(type: 0).payload(count: 46), other),
        CountCase("ACK", tcp4, v4, WEIR_TCP, ports: web),
        CountCase("SYN", link.ipv4().tcp(to: 443, flags: [.syn]), v4, WEIR_TCP, flags: [WEIR_SYN], ports: web),
        CountCase(
            "SYN+ACK",
            link.ipv4().tcp(to: 443, flags: [.syn, .ack]),
            v4,
            WEIR_TCP,
            flags: [WEIR_SYN_ACK],
            ports: web
        ),
        CountCase("FIN", link.ipv4().tcp(to: 443, flags: [.fin, .ack]), v4, WEIR_TCP, flags: [WEIR_FIN], ports: web),
        CountCase("RST", link.ipv4().tcp(to: 443, flags: [.rst]), v4, WEIR_TCP, flags: [WEIR_RST], ports: web),
        CountCase(
            "all flags",
            link.ipv4().tcp(to: 443, flags: Flags(rawValue: 0xFF)),
            v4,
            WEIR_TCP,
            flags: [WEIR_SYN_ACK, WEIR_FIN, WEIR_RST],
            ports: web
        ),
        CountCase("no flags", link.ipv4().tcp(to: 443, flags: []), v4, WEIR_TCP, ports: web),
        CountCase("TCP options", link.ipv4().tcp(to: 443, options: [2, 4, 5, 180]), v4, WEIR_TCP, ports: web),
        CountCase("UDP", link.ipv4().udp().payload(count: 100), v4, WEIR_UDP, ports: name),
        CountCase("ICMP", link.ipv4().icmp(), v4, WEIR_ICMP),
        CountCase("SCTP", link.ipv4().sctp(), v4, WEIR_OTHER_PROTOCOL),
        CountCase("GRE", link.ipv4().gre().ipv4().tcp(), v4, WEIR_OTHER_PROTOCOL),
        CountCase("IP in IP", link.ipv4().ipv4().tcp(), v4, WEIR_OTHER_PROTOCOL),
        CountCase("ICMPv6's number in IPv4", link.ipv4(protocol: 58).payload(count: 8), v4, WEIR_OTHER_PROTOCOL),
        CountCase("IPv4 options", link.ipv4(options: [7, 7, 4, 0, 0, 0, 0]).tcp(to: 443), v4, WEIR_TCP, ports: web),
        CountCase("IPv4 without payload", link.ipv4(protocol: 253).payload([]), v4, WEIR_OTHER_PROTOCOL),
        CountCase("first fragment", link.ipv4(moreFragments: true).tcp(to: 443), v4, WEIR_TCP, ports: web),
        CountCase(
            "first fragment of a longer datagram",
            link.ipv4(moreFragments: true).udp(length: 3000),
            v4,
            WEIR_UDP,
            ports: name
        ),
        CountCase("later fragment", link.ipv4(fragmentOffset: 3).tcp(to: 443), v4, WEIR_TCP, fragment: true),
        CountCase(
            "later fragment of 1 byte",
            link.ipv4(fragmentOffset: 3, protocol: 17).payload([1]),
            v4,
            WEIR_UDP,
            fragment: true
        ),
        CountCase("padding", tcp4, padding: 6, v4, WEIR_TCP, ports: web),
        CountCase("tag", link.vlan(7).ipv4().tcp(to: 443), v4, WEIR_TCP, ports: web),
        CountCase("QinQ", link.vlan(7, tpid: 0x88A8).vlan(8).ipv6().udp(), v6, WEIR_UDP, ports: name),
        CountCase(
            "four tags",
            link.vlan(1, tpid: 0x9100).vlan(2).vlan(3).vlan(4).ipv4().tcp(to: 443),
            v4,
            WEIR_TCP,
            ports: web
        ),
        CountCase("IPv6 TCP", link.ipv6().tcp(to: 443, flags: [.syn]), v6, WEIR_TCP, flags: [WEIR_SYN], ports: web),
        CountCase("ICMPv6", link.ipv6().icmpv6(), v6, WEIR_ICMP),
        CountCase("ICMP's number in IPv6", link.ipv6(nextHeader: 1).payload(count: 8), v6, WEIR_OTHER_PROTOCOL),
        CountCase("no next header", link.ipv6(nextHeader: 59).payload([]), v6, WEIR_OTHER_PROTOCOL),
        CountCase("ESP", link.ipv6(nextHeader: 50).payload(count: 8), v6, WEIR_OTHER_PROTOCOL),
        CountCase(
            "every extension header",
            link.ipv6().ipv6Extension(0).ipv6Extension(60).ipv6Extension(43).authentication().ipv6Extension(135)
                .ipv6Extension(139).ipv6Extension(140).ipv6Fragment().tcp(to: 443),
            v6,
            WEIR_TCP,
            ports: web
        ),
        CountCase(
            "long extension",
            link.ipv6().ipv6Extension(60, body: [UInt8](repeating: 0, count: 2046)).udp(),
            v6,
            WEIR_UDP,
            ports: name
        ),
        CountCase(
            "IPv6 first fragment",
            link.ipv6().ipv6Fragment(moreFragments: true).udp(length: 2000),
            v6,
            WEIR_UDP,
            ports: name
        ),
        CountCase("IPv6 later fragment", link.ipv6().ipv6Fragment(offset: 9).udp(), v6, WEIR_UDP, fragment: true),
        CountCase(
            "IPv6 later fragment that names an extension header",
            link.ipv6().ipv6Fragment(offset: 9, nextHeader: 60)
                .payload(count: 9),
            v6,
            WEIR_OTHER_PROTOCOL,
            fragment: true
        ),
        CountCase("UDP length 0 in IPv6", link.ipv6().udp(length: 0), v6, WEIR_UDP, ports: name),
        CountCase(
            "payload length 0 before hop-by-hop",
            link.ipv6(payloadLength: 0).ipv6Extension(0).tcp(to: 443),
            v6,
            WEIR_TCP,
            ports: web
        ),
        CountCase("port 0 and 65535", link.ipv4().tcp(from: 65535, to: 0), v4, WEIR_TCP, ports: (WEIR_TCP, 0, 65535)),
    ]

    // The kernel's test run refuses frames that end inside an IP header right behind the link's: those have a tag.
    static let broken: [CountCase] = [
        CountCase("cut tag", link.vlan(7).ipv4(), cut: 17, other, malformed: true),
        CountCase("five tags", link.vlan(1).vlan(2).vlan(3).vlan(4).vlan(5).ipv4().tcp(), other, malformed: true),
        CountCase("no IPv4 header", link.vlan(1).ipv4(), cut: 18, v4, malformed: true),
        CountCase("cut IPv4", link.vlan(1).ipv4(), cut: 37, v4, malformed: true),
        CountCase("IPv4 with version 5", link.ipv4(version: 5).tcp(), v4, malformed: true),
        CountCase("header of 16 bytes", link.ipv4(headerWords: 4).tcp(), v4, malformed: true),
        CountCase("header longer than the frame", link.ipv4(headerWords: 15).tcp(), v4, malformed: true),
        CountCase("total length below the header", link.ipv4(totalLength: 19).tcp(), v4, malformed: true),
        CountCase("total length 0", link.ipv4(totalLength: 0).tcp(), v4, malformed: true),
        CountCase("total length above the frame", link.ipv4(totalLength: 41).tcp(), v4, malformed: true),
        CountCase("TCP cut by the total length", link.ipv4(totalLength: 39).tcp(), v4, WEIR_TCP, malformed: true),
        CountCase("TCP header of 16 bytes", link.ipv4().tcp(headerWords: 4), v4, WEIR_TCP, malformed: true),
        CountCase("TCP header above its packet", link.ipv4().tcp(headerWords: 6), v4, WEIR_TCP, malformed: true),
        CountCase(
            "tiny first fragment",
            link.ipv4(moreFragments: true, protocol: 6).payload(count: 8),
            v4,
            WEIR_TCP,
            malformed: true
        ),
        CountCase("cut UDP", link.ipv4(protocol: 17).payload(count: 7), v4, WEIR_UDP, malformed: true),
        CountCase("UDP length 7", link.ipv4().udp(length: 7), v4, WEIR_UDP, malformed: true),
        CountCase("UDP length 0 in IPv4", link.ipv4().udp(length: 0), v4, WEIR_UDP, malformed: true),
        CountCase("UDP length above its packet", link.ipv4().udp(length: 9), v4, WEIR_UDP, malformed: true),
        CountCase("cut ICMP", link.ipv4(protocol: 1).payload(count: 7), v4, WEIR_ICMP, malformed: true),
        CountCase("cut ICMPv6", link.ipv6(nextHeader: 58).payload(count: 7), v6, WEIR_ICMP, malformed: true),
        CountCase("cut SCTP", link.ipv4(protocol: 132).payload(count: 11), v4, WEIR_OTHER_PROTOCOL, malformed: true),
        CountCase("cut IPv6", link.vlan(1).ipv6(), cut: 57, v6, malformed: true),
        CountCase("IPv6 with version 4", link.ipv6(version: 4).tcp(), v6, malformed: true),
        CountCase("payload length above the frame", link.ipv6(payloadLength: 21).tcp(), v6, malformed: true),
        CountCase("payload length 0", link.ipv6(payloadLength: 0).tcp(), v6, WEIR_TCP, malformed: true),
        CountCase("extension above its packet", link.ipv6().ipv6Extension(60, units: 9).tcp(), v6, malformed: true),
        CountCase("cut extension", link.ipv6(nextHeader: 0).payload(count: 7), v6, malformed: true),
        CountCase(
            "nine extension headers",
            (0..<9).reduce(link.ipv6()) { packet, _ in packet.ipv6Extension(60) }.tcp(),
            v6,
            malformed: true
        ),
    ]

    @Test("in both directions", arguments: [whole, broken])
    func single(_ tests: [CountCase]) throws {
        let counted = try Counted()
        for test in tests { try single(test, counted) }
    }

    private func single(_ test: CountCase, _ counted: borrowing Counted) throws {
        try counted.reset()
        var expected = Totals()
        expected.expect(
            bytes: test.frame.count,
            family: test.family,
            protocol: test.protocol,
            flags: test.flags,
            fragment: test.fragment,
            malformed: test.malformed
        )
        try counted.ingress(Program.TestFrame(test.frame))
        #expect(try counted.rx() == expected, "\(test)")
        #expect(try counted.tx() == Totals(), "\(test)")
        try counted.egress(Program.TestFrame(test.frame))
        #expect(try counted.tx() == expected, "\(test)")
        #expect(try counted.rx() == expected, "\(test)")

        let moved = try counted.countedPorts()
        if let ports = test.ports {
            let (near, far) = (ports.kind << 16 | UInt32(ports.destination), ports.kind << 16 | UInt32(ports.source))
            #expect(moved.count == 2, "\(test)")
            #expect(moved[near]?.in.packets == 1 && moved[near]?.in.bytes == UInt64(test.frame.count), "\(test)")
            #expect(moved[near]?.out.packets == 0, "\(test)")
            #expect(moved[far]?.out.packets == 1 && moved[far]?.out.bytes == UInt64(test.frame.count), "\(test)")
            #expect(moved[far]?.in.packets == 0, "\(test)")
        } else {
            #expect(moved.isEmpty, "\(test)")
        }
        for index in moved.keys { try counted.counting.ports.set(weir_port(), for: index) }
    }

    /// A driver may hand over a frame whose headers are all outside of the linear part.
    @Test("headers outside of the linear part", arguments: [whole, broken])
    func scattered(_ tests: [CountCase]) throws {
        let counted = try Counted()
        for test in tests { try scattered(test, counted) }
    }

    private func scattered(_ test: CountCase, _ counted: borrowing Counted) throws {
        try counted.reset()
        var expected = Totals()
        expected.expect(
            bytes: test.frame.count,
            family: test.family,
            protocol: test.protocol,
            flags: test.flags,
            fragment: test.fragment,
            malformed: test.malformed
        )
        do {
            try counted.ingress(Program.TestFrame(test.frame, linear: 14))
        } catch BPFError.system(let error) where error.errno.rawValue == EINVAL {
            try Test.cancel("this kernel cannot make such a frame: Linux 6.18")
        }
        #expect(try counted.rx() == expected, "\(test)")
    }

    @Test(
        "sizes at each bucket's bounds",
        arguments: [60, 64, 65, 127, 128, 255, 256, 511, 512, 1023, 1024, 1518, 1519, 3712]
    )
    func sizes(_ size: Int) throws {
        let counted = try Counted()
        try counted.ingress(Self.link.ipv4().udp().payload(count: size - 42))
        var expected = Totals()
        expected.expect(bytes: size, family: Self.v4, protocol: WEIR_UDP)
        #expect(try counted.rx() == expected)
    }

    struct Segmented: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let packet: PacketBuilder
        let headers: Int
        let `protocol`: UInt32
        let family: UInt32
    }

    @Test(
        "segmentation offload repeats the headers",
        arguments: [
            Segmented(testDescription: "TCP", packet: tcp4, headers: 54, protocol: WEIR_TCP, family: v4),
            Segmented(
                testDescription: "TCP with options in a tag",
                packet: link.vlan(5).ipv4(options: [1, 1, 1, 1]).tcp(
                    to: 443,
                    options: [UInt8](repeating: 1, count: 12)
                ),
                headers: 14 + 4 + 24 + 32,
                protocol: WEIR_TCP,
                family: v4
            ),
            Segmented(testDescription: "IPv6", packet: link.ipv6().tcp(), headers: 74, protocol: WEIR_TCP, family: v6),
            Segmented(
                testDescription: "IPv6 with an extension header",
                packet: link.ipv6().ipv6Extension(60).tcp(),
                headers: 82,
                protocol: WEIR_TCP,
                family: v6
            ),
            Segmented(testDescription: "UDP", packet: link.ipv4().udp(), headers: 42, protocol: WEIR_UDP, family: v4),
        ],
        [3, 0]
    )
    func segments(_ test: Segmented, told: UInt32) throws {
        let counted = try Counted()
        // 2 x 1000 + 300 bytes in 3 packets; with 0 told, as for an injected frame, the number follows from the sizes.
        let frame = test.packet.payload(count: 2300).bytes
        try #require(frame.count == test.headers + 2300)
        try counted.ingress(Program.TestFrame(frame, segmentSize: 1000, segments: told))
        var expected = Totals()
        expected.expect(
            packets: 3,
            bytes: frame.count + 2 * test.headers,
            family: test.family,
            protocol: test.protocol,
            sizes: [Totals.bucket(test.headers + 1000): 2, Totals.bucket(test.headers + 300): 1]
        )
        #expect(try counted.rx() == expected)
    }

    @Test("a segmented frame without a total length is whole (BIG TCP)")
    func bigTCP() throws {
        let counted = try Counted()
        let frame = Self.link.ipv4(totalLength: 0).tcp(to: 443).payload(count: 2000).bytes
        try counted.ingress(Program.TestFrame(frame, segmentSize: 1000, segments: 2))
        let totals = try counted.rx()
        #expect(totals.malformed == 0)
        #expect(totals.protocol[Int(WEIR_TCP)] == Totals.Pair(packets: 2, bytes: UInt64(2054 + 54)))
    }

    @Test("without an Ethernet header")
    func rawIP() throws {
        let counted = try Counted(options: WEIR_INTERFACE_RAW_IP | WEIR_INTERFACE_LOCAL_PORTS)
        let four = PacketBuilder().ipv4().tcp(to: 443)
        let six = PacketBuilder().ipv6().udp()
        let neither = PacketBuilder().payload([UInt8](repeating: 0x50, count: 30))
        for packet in [four, six, neither] { try counted.ingress(packet) }
        var expected = Totals()
        expected.expect(bytes: 40, family: Self.v4, protocol: WEIR_TCP)
        expected.expect(bytes: 48, family: Self.v6, protocol: WEIR_UDP)
        expected.expect(bytes: 30, family: Self.other)
        #expect(try counted.rx() == expected)
        #expect(try counted.port(WEIR_TCP, 443).in.bytes == 40)
    }

    @Test("an interface of a stack counts for itself only")
    func stacked() throws {
        let counted = try Counted(options: 0)
        counted.serve(WEIR_TCP, 443, as: 1)
        try counted.ingress(Self.link.ipv4().tcp(to: 443, flags: [.syn]))
        #expect(try counted.rx().total.packets == 1)
        #expect(try counted.port(WEIR_TCP, 443).in.packets == 0)
        #expect(try counted.service(1).syn_in == 0)
    }

    @Test("a frame of an interface that is not watched is a loss")
    func unknownInterface() throws {
        let counted = try Counted()
        try counted.counting.interfaces.remove(Counted.interface)
        try counted.ingress(Self.tcp4)
        try counted.egress(Self.tcp4)
        #expect(try counted.losses().interface_unknown == 2)
        #expect(try counted.port(WEIR_TCP, 443).in.packets == 0)
    }

    @Test("interfaces whose indices compete for a place count each for itself, up to the table's size")
    func competingInterfaces() throws {
        let counted = try Counted()
        // Loopback's places are taken by the first of these but for the last; then every entry is taken.
        let table = (0..<UInt32(7)).map { 1 + WEIR_PLACES * ($0 + 1) }
        try counted.counting.interfaces.remove(Counted.interface)
        for index in table { try counted.counting.interfaces.set(weir_interface(), for: index) }
        try counted.reset()
        try counted.ingress(Self.tcp4)
        #expect(try counted.rx().total.packets == 1)
        for index in table {
            #expect(try #require(try counted.counting.interfaces.value(for: index)).rx.frames == 0)
        }
        let fits = BPFError.system(SystemError("a further watched interface, 8193", Errno(rawValue: E2BIG)))
        #expect(throws: fits) { try counted.counting.interfaces.set(weir_interface(), for: 1 + WEIR_PLACES * 8) }
        #expect(try counted.counting.interfaces.remove(table[3]))
        #expect(try !counted.counting.interfaces.remove(table[3]))
        #expect(try counted.counting.interfaces.value(for: table[3]) == nil)
        try counted.ingress(Self.tcp4)
        #expect(try counted.rx().total.packets == 2)

        for index in 20..<76 { try counted.counting.interfaces.set(weir_interface(), for: UInt32(index)) }
        let full = BPFError.system(SystemError("a further watched interface, 76", Errno(rawValue: E2BIG)))
        try counted.counting.interfaces.set(weir_interface(), for: 99)
        #expect(throws: full) { try counted.counting.interfaces.set(weir_interface(), for: 76) }
        try counted.ingress(Self.tcp4)
        #expect(try counted.rx().total.packets == 3)
    }

    @Test("one table of ports for all CPUs, or one for each", arguments: TableLayout.allCases)
    func tableLayouts(_ layout: TableLayout) throws {
        let counted = try Counted(layout: layout)
        var expected: [UInt32: UInt64] = [:]
        for port: UInt16 in [0, 1, 63, 64, 1023, 40000, 65535] {
            for _ in 0..<3 { try counted.ingress(Self.link.ipv4().tcp(from: 7, to: port)) }
            try counted.ingress(Self.link.ipv4().udp(from: 7, to: port))
            expected[WEIR_TCP << 16 | UInt32(port)] = 3
            expected[WEIR_UDP << 16 | UInt32(port)] = 1
        }
        #expect(try counted.countedPorts().mapValues(\.in.packets) == expected)
    }
}

typealias Flags = PacketBuilder.Flags
