import Packets
import Support
import Testing

/// Links beside Ethernet: what stands behind their headers reads as it does behind Ethernet's.
@Suite struct LinkTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let link: LinkType
        let around: PacketBuilder
        let trailer: Int

        init(_ name: String, _ link: LinkType, _ around: PacketBuilder, trailer: Int = 0) {
            (testDescription, self.link, self.around, self.trailer) = (name, link, around, trailer)
        }
    }

    private static let link = PacketBuilder()
    private static let tap = PacketBuilder().radiotap

    static let cases: [Case] = [
        Case("PPP", .ppp, link.ppp()),
        Case("PPP with address bytes", .ppp, link.ppp(hasAddress: true)),
        Case("PPP, compressed", .ppp, link.ppp(isCompressed: true)),
        Case("PPP with address bytes, compressed", .ppp, link.ppp(hasAddress: true, isCompressed: true)),
        Case("Cisco HDLC", .ppp, link.ciscoHDLC()),
        Case("Cisco HDLC, to all", .ppp, link.ciscoHDLC(address: 0x8F).vlan(3)),
        Case("PPPoE", .pppoe, link.pppoe().ppp()),
        Case("802.11 to the access point", .wireless, link.wireless().snap()),
        Case("802.11 to the station", .wireless, link.wireless(distribution: 2).snap()),
        Case("802.11 ad hoc", .wireless, link.wireless(distribution: 0).snap(organisation: [0, 0, 0xF8])),
        Case("802.11 with four addresses", .wireless, link.wireless(distribution: 3).snap()),
        Case("802.11 with QoS", .wireless, link.wireless(kind: 0x88).snap().vlan(3)),
        Case("802.11 with QoS and order", .wireless, link.wireless(distribution: 3, kind: 0x88, flags: 0x80).snap()),
        Case("radiotap", .radiotap, link.radiotap().wireless().snap()),
        Case("radiotap with a checksum", .radiotap, link.radiotap(flags: 0x10).wireless().snap(), trailer: 4),
        Case(
            "radiotap with a timestamp, a checksum and many words",
            .radiotap,
            link.radiotap(flags: 0x10, hasTimestamp: true, moreWords: 4).wireless(kind: 0x88).snap(),
            trailer: 4
        ),
        Case(
            "radiotap with padding",
            .radiotap,
            link.radiotap(flags: 0x20).wireless(kind: 0x88, padding: 2).snap()
        ),
    ]

    @Test(arguments: cases)
    func reads(_ link: Case) {
        let bare = PacketBuilder()
        for ip in [bare.ipv4(), bare.ipv6()] {
            let inside = ip.udp(to: 9).payload(count: 20).bytes
            let type: UInt16 = inside[0] >> 4 == 4 ? 0x0800 : 0x86DD
            let bytes =
                link.around.payload(inside, etherType: type).bytes + [UInt8](repeating: 0xEE, count: link.trailer)
            let packet = decode(bytes, link: link.link)
            #expect(packet.outcome == .decoded)
            #expect(Content(packet) == Content(decode(inside, link: .rawIP)))
            #expect(packet.etherType == type)
            #expect(Int(packet.headerLength) + 20 + link.trailer == bytes.count)
            for count in 0..<bytes.count {
                let part = Array(bytes.prefix(count))
                let (cut, short) = (
                    decode(part, link: link.link, wireLength: bytes.count), decode(part, link: link.link)
                )
                #expect(violations(of: cut, bytes: count, wireLength: bytes.count) == [])
                #expect(violations(of: short, bytes: count, wireLength: count) == [])
                #expect(!cut.outcome.isMalformed)
                #expect(short.outcome != .decoded || link.trailer > 0)
            }
        }
    }

    @Test(arguments: [
        (LinkType.ppp, PacketBuilder().ppp(number: 0xC021).payload(count: 4), Outcome.unknownEtherType),
        (.ppp, PacketBuilder().payload([0xFF, 0x03]), .malformedLink),
        (.ppp, PacketBuilder().payload([0xFF, 0x03, 0x00]), .malformedLink),
        (.ppp, PacketBuilder().payload([0x0F, 0x00, 0x08]), .malformedLink),
        (.ppp, PacketBuilder().ppp().mpls(3).ipv4().udp(), .unknownEtherType),
        (.pppoe, PacketBuilder().pppoe(code: 9).payload(count: 4), .unknownEtherType),
        (.pppoe, PacketBuilder().pppoe(length: 99).ppp().ipv4().udp(), .unknownEtherType),
        (.pppoe, PacketBuilder().payload(count: 5), .malformedLink),
        (.wireless, PacketBuilder().wireless(kind: 0x80).payload(count: 30), .unknownEtherType),
        (.wireless, PacketBuilder().wireless(kind: 0xD4), .unknownEtherType),
        (.wireless, PacketBuilder().wireless(kind: 0x48), .unknownEtherType),
        (.wireless, PacketBuilder().wireless(kind: 0x09).snap().ipv4().udp(), .unknownEtherType),
        (.wireless, PacketBuilder().wireless(flags: 0x40).snap().ipv4().udp(), .unknownEtherType),
        (.wireless, PacketBuilder().wireless(flags: 0x04).snap().ipv4().udp(), .unknownEtherType),
        (.wireless, PacketBuilder().wireless(fragment: 1).snap().ipv4().udp(), .unknownEtherType),
        (.wireless, PacketBuilder().wireless(kind: 0x88, isAggregate: true).snap().ipv4().udp(), .unknownEtherType),
        (.wireless, PacketBuilder().wireless().snap(organisation: [0, 1, 2]).ipv4().udp(), .unknownEtherType),
        (.wireless, PacketBuilder().wireless().payload([0x42, 0x42, 3, 0, 0, 0, 0, 0]), .unknownEtherType),
        (.wireless, PacketBuilder().wireless(), .unknownEtherType),
        (.wireless, PacketBuilder().payload([8]), .malformedLink),
        (.wireless, PacketBuilder().payload([8, 1, 0]), .malformedLink),
        (.radiotap, PacketBuilder().radiotap(version: 1).wireless().snap().ipv4().udp(), .malformedLink),
        (.radiotap, PacketBuilder().radiotap(length: 7).wireless().snap().ipv4().udp(), .malformedLink),
        (.radiotap, PacketBuilder().radiotap(length: 900).wireless().snap().ipv4().udp(), .malformedLink),
        (.radiotap, PacketBuilder().radiotap(flags: 0x10).wireless().snap().ipv4().udp(), .lengthIPv4),
        (.radiotap, PacketBuilder().radiotap(flags: 0x10).payload([8, 1]), .malformedLink),
        (
            .radiotap, PacketBuilder().radiotap(moreWords: 2000, length: 8).wireless().snap().ipv4().udp(),
            .unknownEtherType
        ),
    ])
    func outcome(_ link: LinkType, of built: PacketBuilder, is expected: Outcome) {
        let packet = decode(built.bytes, link: link)
        #expect(packet.outcome == expected)
        #expect(packet.family == (expected == .lengthIPv4 ? .ipv4 : .other))
        #expect(violations(of: packet, bytes: built.bytes.count, wireLength: built.bytes.count) == [])
    }

    @Test(
        arguments: [
            (1, LinkType.ethernet), (9, .ppp), (50, .ppp), (104, .ppp), (51, .pppoe), (105, .wireless),
            (127, .radiotap),
            (0, .loopback), (108, .loopback), (12, .rawIP), (101, .rawIP), (113, .linuxCooked), (276, .linuxCooked2),
            (147, .unknown), (8, .unknown), (119, .unknown), (.max, .unknown),
        ] as [(UInt32, LinkType)]
    )
    func number(_ number: UInt32, is link: LinkType) {
        #expect(LinkType(number: number) == link)
    }
}
