import Packets
import Support
import Testing

/// Decodes bytes as a frame captured whole, unless told otherwise, and reads on inside its tunnels.
func decodeInner(
    _ bytes: [UInt8],
    link: LinkType = .ethernet,
    wireLength: Int? = nil,
    strippedTag: UInt16? = nil,
    segmentSize: UInt16 = 0
) -> Packet {
    var packet = decode(
        bytes,
        link: link,
        wireLength: wireLength,
        strippedTag: strippedTag,
        segmentSize: segmentSize
    )
    packet.decodeInner(unsafe bytes.span.bytes)
    return packet
}

func decodeInner(_ packet: PacketBuilder, segmentSize: UInt16 = 0) -> Packet {
    decodeInner(packet.bytes, segmentSize: segmentSize)
}

/// What two readings of one packet share, wherever it stood.
struct Content: Equatable {
    var family: Family
    var ends: [Address]
    var ports: [UInt16]
    var transport: Transport
    var payload: UInt32
    var ipLength: UInt32
    var headers: [UInt32]

    init(_ packet: Packet) {
        family = packet.family
        ends = [packet.source, packet.destination]
        ports = [packet.sourcePort, packet.destinationPort]
        transport = packet.transport
        payload = packet.payloadLength
        ipLength = packet.ipLength
        headers = [packet.ipHeaderLength, UInt32(packet.transportHeaderLength)]
    }
}

/// What stands inside most tunnels here, and what it is without one.
private func inner(_ tunnel: PacketBuilder) -> PacketBuilder {
    tunnel.ipv4(from: "172.16.0.1", to: "172.16.0.2", options: [1, 1, 1, 1]).tcp(
        from: 1111,
        to: 2222,
        options: [1, 1, 1, 0]
    )
    .payload(count: 30)
}
private func inner6(_ tunnel: PacketBuilder) -> PacketBuilder {
    tunnel.ipv6(from: "fd00::1", to: "fd00::2").ipv6Extension(60).udp(from: 1111, to: 2222).payload(count: 30)
}
private let content = Content(decode(inner(PacketBuilder()).bytes, link: .rawIP))
private let content6 = Content(decode(inner6(PacketBuilder()).bytes, link: .rawIP))

@Suite struct TunnelTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let tunnel: Tunnel
        /// All that stands around the inner IP packet.
        let around: PacketBuilder

        init(_ name: String, _ tunnel: Tunnel, _ around: PacketBuilder) {
            (testDescription, self.tunnel, self.around) = (name, tunnel, around)
        }
    }

    static let outer = frame.ipv4()
    static let mirror = frame.ipv4().gre(sequence: 5)

    static let cases: [Case] = [
        Case("MPLS", .mpls, frame.mpls(16)),
        Case("MPLS, 8 labels, in a VLAN", .mpls, frame.vlan(3).mpls(1, 2, 3, 4, 5, 6, 7, 8)),
        Case("Ethernet in MPLS", .mpls, frame.mpls(16, controlWord: true).ethernet()),
        Case("Ethernet in MPLS without a control word", .mpls, frame.mpls(16).ethernet()),
        Case("Ethernet in MPLS to an unusual address", .mpls, frame.mpls(16).ethernet(to: [0xA2, 0, 0, 0, 0, 1])),
        Case("MPLS in IP", .mpls, outer.mpls(16)),
        Case("PPPoE", .pppoe, frame.pppoe().ppp()),
        Case("PPPoE, compressed", .pppoe, frame.vlan(3).pppoe().ppp(hasAddress: true, isCompressed: true)),
        Case("GRE", .gre, outer.gre()),
        Case("GRE with all fields", .gre, frame.ipv6().gre(checksum: 1, key: 2, sequence: 3)),
        Case("GRE with a key", .gre, outer.gre(key: 2)),
        Case("Ethernet in GRE", .gre, outer.gre(key: 7).ethernet().vlan(9)),
        Case("MPLS in GRE", .mpls, outer.gre().mpls(4, 5)),
        Case("802.11 in GRE", .gre, outer.gre(type: 0x8200).wireless(kind: 0x88).snap()),
        Case("GRE in UDP", .gre, outer.udp(to: 4754).gre(key: 1)),
        Case("PPTP", .gre, outer.pptp(sequence: 1, acknowledgement: 2).ppp(hasAddress: true)),
        Case("PPTP, bare", .gre, outer.pptp().ppp(isCompressed: true)),
        Case("ERSPAN I", .erspan, outer.gre(type: 0x88BE).ethernet()),
        Case("ERSPAN II", .erspan, mirror.erspan2(vlan: 7).ethernet().vlan(7)),
        Case("ERSPAN III", .erspan, mirror.erspan3().ethernet()),
        Case(
            "ERSPAN III with a platform header",
            .erspan,
            mirror.erspan3(platform: [1, 2, 3, 4, 5, 6, 7, 8]).ethernet()
        ),
        Case("IP in IPv4", .ipInIP, outer),
        Case("IP in IPv6", .ipInIP, frame.ipv6().ipv6Extension(60, body: [4, 1, 4, 1, 0, 0])),
        Case("VXLAN", .vxlan, outer.udp(to: 4789).vxlan().ethernet()),
        Case("VXLAN on the old port", .vxlan, frame.ipv6().udp(to: 8472).vxlan().ethernet().vlan(4)),
        Case("VXLAN with a group policy", .vxlan, outer.udp(to: 4789).vxlan(flags: 0x8848_1234).ethernet()),
        Case("VXLAN that names its inside", .vxlan, outer.udp(to: 4790).vxlan(flags: 0x0C00_0003).ethernet()),
        Case("Geneve", .geneve, outer.udp(to: 6081).geneve(options: [UInt8](repeating: 1, count: 252)).ethernet()),
        Case("IP in Geneve", .geneve, outer.udp(to: 6081).geneve()),
        Case("GTP-U", .gtpu, outer.udp(from: 2152, to: 2152).gtp()),
        Case("GTP-U with a sequence", .gtpu, outer.udp(to: 2152).gtp(sequence: 7)),
        Case(
            "GTP-U with extensions",
            .gtpu,
            outer.udp(to: 2152).gtp(extensions: [[0, 9], [UInt8](repeating: 7, count: 10)])
        ),
        Case("EtherIP", .etherIP, outer.etherIP().ethernet()),
    ]

    @Test(arguments: cases)
    func readsTheInside(of tunnel: Case) {
        for (built, expected) in [(inner(tunnel.around), content), (inner6(tunnel.around), content6)] {
            let bytes = built.bytes
            let (outer, packet) = (decode(bytes), decodeInner(bytes))
            #expect(packet.outcome == .decoded)
            #expect(packet.tunnel == tunnel.tunnel)
            #expect(packet.tunnelDepth == (tunnel.testDescription == "MPLS in GRE" ? 2 : 1))
            #expect(Content(packet) == expected)
            #expect(Int(packet.headerLength) + Int(packet.payloadLength) == bytes.count)
            #expect(packet.capturedPayload == bytes.count - 30..<bytes.count)
            #expect(packet.bytes == outer.bytes)
            #expect(packet.segments == 1)
            #expect(violations(of: packet, bytes: bytes.count, wireLength: bytes.count) == [])
            #expect(outer.tunnel == .none)
            #expect(outer.tunnelDepth == 0)
        }
    }

    /// Bytes that the outer headers do not cover, such as Ethernet's padding, are not the inside's.
    @Test(arguments: cases)
    func paddingIsNotInside(of tunnel: Case) {
        let packet = decodeInner(inner(tunnel.around).bytes + [0, 0, 0, 0, 0, 0])
        #expect(packet.tunnel == tunnel.tunnel)
        #expect(Content(packet) == content)
    }

    /// Cut anywhere, a frame gives what was whole: the inside, or the outside as it was.
    @Test(arguments: cases)
    func everyCut(of tunnel: Case) {
        let bytes = inner(tunnel.around).bytes
        for count in 0..<bytes.count {
            let part = Array(bytes.prefix(count))
            for wireLength in [count, bytes.count] {
                let (outer, packet) = (
                    decode(part, wireLength: wireLength), decodeInner(part, wireLength: wireLength)
                )
                #expect(violations(of: packet, bytes: count, wireLength: wireLength) == [])
                if packet.tunnelDepth == 0 {
                    #expect("\(packet)" == "\(outer)")
                } else {
                    #expect(Content(packet) == content)
                }
            }
        }
        #expect(decodeInner(Array(bytes.prefix(bytes.count - 30)), wireLength: bytes.count).tunnel == tunnel.tunnel)
    }

    @Test func teredo() {
        func inside(_ outer: PacketBuilder) -> PacketBuilder {
            outer.ipv6(from: "2001:0:53aa:64c::1", to: "2001:db8::2").tcp(from: 5, to: 6).payload(count: 3)
        }
        let around = [
            Self.outer.udp(to: 3544).teredo(), Self.outer.udp(from: 3544, to: 40001).teredo(hasOrigin: true),
            Self.outer.udp(to: 3544).teredo(authentication: ([1, 2], [3]), hasOrigin: true),
            Self.outer.udp(to: 3544).teredo(authentication: ([], [])),
        ]
        for around in around {
            let packet = decodeInner(inside(around))
            #expect(packet.tunnel == .teredo)
            #expect(packet.family == .ipv6)
            #expect(packet.destinationPort == 6)
            #expect(packet.payloadLength == 3)
            #expect(decodeInner(inner6(around)).tunnel == .none, "no address of Teredo")
        }
        let solicitation = Self.outer.udp(to: 3544).teredo(authentication: ([], []))
        #expect(decodeInner(solicitation.ipv6(from: "fe80::ffff", to: "ff02::2").icmpv6(type: 133)).tunnel == .teredo)
        #expect(decodeInner(inside(Self.outer.udp(to: 3545).teredo())).tunnel == .none)
    }

    @Test func theInnermostCounts() {
        let nested = Self.outer.udp(to: 4789).vxlan().ethernet().ipv4().gre().ipv6()
        let packet = decodeInner(inner(nested))
        #expect(packet.tunnel == .ipInIP)
        #expect(packet.tunnelDepth == 3)
        #expect(Content(packet) == content)
        let broken = decodeInner(nested.ipv4(totalLength: 19).udp())
        #expect(broken.tunnel == .gre)
        #expect(broken.tunnelDepth == 2)
        #expect(broken.family == .ipv6)
    }

    /// However deep a stranger builds, the time is that of the limit.
    @Test(arguments: [4, 5, 50, 500])
    func depthIsBounded(layers: Int) {
        let nest = (0..<layers).reduce(frame) { built, layer in built.ipv4(from: "10.0.\(layer / 250).\(layer % 250)") }
        let packet = decodeInner(nest.ipv4(from: "192.0.2.1").udp())
        #expect(Int(packet.tunnelDepth) == Packet.mostTunnels)
        #expect(packet.source == Address(ipv4: layers == 4 ? 0xC000_0201 : 0x0A00_0004))
        #expect(packet.transport == (layers == 4 ? .udp : .other))
        #expect(packet.outcome == .decoded)
        let labels = (0..<layers).reduce(frame) { built, label in built.mpls(UInt32(label), isLast: false) }
        #expect(decodeInner(inner(labels.mpls(7))).tunnel == (layers < 8 ? .mpls : .none))
        let extensions = [[UInt8]](repeating: [0, 0], count: layers)
        #expect(
            decodeInner(inner(Self.outer.udp(to: 2152).gtp(extensions: extensions))).tunnel
                == (layers <= 8 ? .gtpu : .none)
        )
    }

    /// Whatever is not quite a tunnel stays the packet that it was.
    @Test(arguments: [
        inner(frame.mpls(16, isLast: false)),
        frame.mpls(16).payload([0x45]),
        inner(frame.pppoe(code: 7).ppp()),
        inner(frame.pppoe(version: 0x12).ppp()),
        inner(frame.pppoe(length: 2000).ppp()),
        inner(frame.pppoe(length: 20).ppp()),
        frame.pppoe().ppp(number: 0xC021).payload(count: 20),
        inner(outer.gre(flags: 0x4000)),
        inner(outer.gre(flags: 0x0800)),
        inner(outer.gre(flags: 0x0002)),
        inner(outer.gre(type: 0x8300)),
        inner(outer.pptp(length: 2000).ppp()),
        inner(mirror.erspan2(version: 2).ethernet()),
        inner(mirror.erspan3(kind: 2).ethernet()),
        inner(outer.udp(to: 4789).vxlan(flags: 0).ethernet()),
        inner(outer.udp(to: 4789).vxlan(flags: 0x0800_0001).ethernet()),
        inner(outer.udp(to: 4789).vxlan(reserved: 1).ethernet()),
        inner(outer.udp(from: 4789, to: 4788).vxlan().ethernet()),
        outer.udp(to: 4789).vxlan().ethernet().arp(),
        outer.udp(to: 4789).vxlan().ethernet().payload(count: 60),
        inner(outer.udp(to: 6081).geneve(version: 1)),
        inner(outer.udp(to: 6081).geneve(type: 0x8847)),
        inner(outer.udp(to: 6081).geneve(words: 1)),
        inner(outer.udp(to: 2152).gtp(type: 254)),
        inner(outer.udp(to: 2152).gtp(flags: 0x38)),
        inner(outer.udp(to: 2152).gtp(flags: 0x20)),
        inner(outer.udp(to: 2152).gtp(length: 2000)),
        inner(outer.udp(to: 2152).gtp(length: 20)),
        outer.udp(to: 2152).gtp().payload(count: 40),
        outer.payload(count: 30, ipProtocol: 4),
        outer.payload(count: 60, ipProtocol: 41),
        inner(outer.etherIP(version: 2).ethernet()),
        outer.udp(to: 3544).payload(count: 60),
        inner(frame.ipv4(fragmentOffset: 4, protocol: 4)),
        outer.payload(inner(PacketBuilder()).bytes, ipProtocol: 41),
    ])
    func staysOutside(_ built: PacketBuilder) {
        let packet = decodeInner(built)
        #expect(packet.tunnel == .none)
        #expect("\(packet)" == "\(decode(built))")
    }

    /// Names asked from a port that tunnels use, and the answers to it.
    @Test func namesAreNotTunnels() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<20_000 {
            let port = ([2152, 3544, 4754, 4789, 6081, 8472] as [UInt16]).randomElement(using: &random) ?? 0
            let words = (0..<10).map { _ in UInt64.random(in: 0...UInt64.max, using: &random) }
            var question = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) } }
            question.replaceSubrange(2..<12, with: [0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
            let bytes = Self.shell(port) + question
            let packet = decodeInner(bytes)
            #expect(packet.tunnel == .none && packet.sourcePort == 53)
        }
    }

    /// The headers of an answer of 80 bytes.
    private static func shell(_ port: UInt16) -> [UInt8] {
        Array(frame.ipv4().udp(from: 53, to: port).payload(count: 80).bytes.dropLast(80))
    }

    @Test func insideAFirstFragment() {
        let whole = Self.outer.udp(to: 4789).vxlan().ethernet().ipv4(from: "172.16.0.1").tcp(to: 5).payload(count: 1400)
        let first = Array(whole.bytes[34..<34 + 800])
        let built = frame.ipv4(identification: 77, moreFragments: true, protocol: 17).payload(first)
        let packet = decodeInner(built)
        #expect(packet.tunnel == .vxlan)
        #expect(packet.payloadLength == 1400)
        #expect(packet.fragment == .none)
        #expect(packet.capturedPayload.upperBound == built.bytes.count)
        let later = decodeInner(frame.ipv4(fragmentOffset: 100, protocol: 17).payload(first))
        #expect(later.tunnel == .none)
        #expect(later.fragment == .later)
        let divided = Self.outer.gre().ipv4(identification: 9, moreFragments: true, fragmentOffset: 3, protocol: 6)
        let inside = decodeInner(divided.payload(count: 8))
        #expect(inside.tunnel == .gre)
        #expect(inside.fragment == .later)
        #expect(inside.fragmentIdentification == 9)
    }

    /// A mirror that cuts frames says so; their lengths are still the frames'.
    @Test func cutMirrors() {
        let mirrored = frame.ipv4(from: "172.16.0.1").udp(to: 9).payload(count: 1000).bytes
        func packet(isCut: Bool) -> Packet {
            decodeInner(Self.mirror.erspan2(isCut: isCut).payload(Array(mirrored.prefix(100)), etherType: 0x6558))
        }
        #expect(packet(isCut: true).payloadLength == 1000)
        #expect(packet(isCut: true).capturedPayload.count == 100 - 42)
        #expect(packet(isCut: false).tunnel == .none)
    }

    /// Each segment comes with all headers, the inner ones too.
    @Test func segments() {
        let built = Self.outer.udp(to: 4789).vxlan().ethernet().ipv4().tcp().payload(count: 3000)
        let packet = decodeInner(built, segmentSize: 1000)
        #expect(packet.segments == 3)
        #expect(packet.bytes == 3 * (14 + 20 + 8 + 8 + 14 + 20 + 20) + 3000)
    }

    @Test func insideNamedByNumber() {
        let around = Self.outer.udp(to: 4790)
        #expect(Content(decodeInner(inner(around.vxlan(flags: 0x0C00_0001)))) == content)
        #expect(Content(decodeInner(inner6(around.vxlan(flags: 0x0C00_0002)))) == content6)
        #expect(decodeInner(inner(around.vxlan(flags: 0x0C00_0004))).tunnel == .none)
    }

    @Test func vlanIsTheOutermost() {
        #expect(decodeInner(inner(frame.vlan(5).ipv4().gre().ethernet().vlan(6))).vlan == 5)
        #expect(decodeInner(inner(frame.ipv4().gre().ethernet().vlan(6))).vlan == 6)
        let stripped = decodeInner(inner(frame.ipv4().gre()).bytes, strippedTag: 7)
        #expect(stripped.vlan == 7)
        #expect(stripped.bytes == UInt64(stripped.frameLength) + 4)
    }

    @Test func otherLinks() {
        let bytes = inner(PacketBuilder().ipv4().gre()).bytes
        #expect(Content(decodeInner(bytes, link: .rawIP)) == content)
        let ppp = inner(PacketBuilder().ppp().mpls(9)).bytes
        #expect(Content(decodeInner(ppp, link: .ppp)) == content)
        #expect(decode(ppp, link: .ppp).outcome == .unknownEtherType)
    }
}
