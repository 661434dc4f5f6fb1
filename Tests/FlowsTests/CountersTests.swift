import Flows
import KernelABI
import Packets
import Support
import Testing

private let frame = PacketBuilder().ethernet()

func decode(_ built: PacketBuilder, strippedTag: UInt16? = nil, segmentSize: UInt16 = 0) -> Packet {
    let bytes = built.bytes
    return Packet(
        decoding: unsafe bytes.span.bytes,
        wireLength: bytes.count,
        strippedTag: strippedTag,
        segmentSize: segmentSize
    )
}

private func count(_ packets: Packet...) -> DirectionCounters {
    var counters = DirectionCounters()
    for packet in packets { counters.count(packet) }
    return counters
}

@Suite struct CountersTests {
    /// The words are the kernel's struct, field for field.
    @Test func wordsStandWhereTheKernelHasThem() {
        #expect(MemoryLayout<DirectionCounters>.size == MemoryLayout<weir_direction>.size)
        let counters = DirectionCounters(words: DirectionCounters.Words { UInt64($0 + 1) })
        let kernel = unsafe unsafeBitCast(counters, to: weir_direction.self)
        func same(_ volume: Volume, _ other: weir_volume) -> Bool {
            volume.packets == other.packets && volume.bytes == other.bytes
        }
        #expect(counters.frames == kernel.frames)
        #expect(same(counters.total, kernel.total))
        #expect(same(counters.ipv4, kernel.family.0) && Family.ipv4.rawValue == WEIR_IPV4)
        #expect(same(counters.ipv6, kernel.family.1) && Family.ipv6.rawValue == WEIR_IPV6)
        #expect(same(counters.otherFamily, kernel.family.2) && Family.other.rawValue == WEIR_OTHER_FAMILY)
        #expect(same(counters.tcp, kernel.protocol.0) && Transport.tcp.rawValue == WEIR_TCP)
        #expect(same(counters.udp, kernel.protocol.1) && Transport.udp.rawValue == WEIR_UDP)
        #expect(same(counters.icmp, kernel.protocol.2) && Transport.icmp.rawValue == WEIR_ICMP)
        #expect(same(counters.otherProtocol, kernel.protocol.3) && Transport.other.rawValue == WEIR_OTHER_PROTOCOL)
        #expect(counters.syn == kernel.flags.0 && WEIR_SYN == 0)
        #expect(counters.synAck == kernel.flags.1 && WEIR_SYN_ACK == 1)
        #expect(counters.fin == kernel.flags.2 && WEIR_FIN == 2)
        #expect(counters.rst == kernel.flags.3 && WEIR_RST == 3)
        #expect(counters.sizes[0] == kernel.sizes.0)
        #expect(counters.sizes[7] == kernel.sizes.7)
        #expect(counters.fragments == kernel.fragments)
        #expect(counters.malformed == kernel.malformed)
        let bounds = [WEIR_SIZE_0, WEIR_SIZE_1, WEIR_SIZE_2, WEIR_SIZE_3, WEIR_SIZE_4, WEIR_SIZE_5, WEIR_SIZE_6]
        #expect(SizeBucket.bounds == bounds.map(UInt64.init))
    }

    @Test func familiesAndProtocols() {
        let counters = count(
            decode(frame.ipv4().tcp()),
            decode(frame.ipv4().udp().payload(count: 100)),
            decode(frame.ipv6().udp()),
            decode(frame.ipv6().icmpv6()),
            decode(frame.ipv4().gre()),
            decode(frame.arp())
        )
        #expect(counters.frames == 6)
        #expect(counters.total == Volume(packets: 6, bytes: 54 + 142 + 62 + 62 + 38 + 42))
        #expect(counters.ipv4 == Volume(packets: 3, bytes: 54 + 142 + 38))
        #expect(counters.ipv6 == Volume(packets: 2, bytes: 62 + 62))
        #expect(counters.otherFamily == Volume(packets: 1, bytes: 42))
        #expect(counters.tcp == Volume(packets: 1, bytes: 54))
        #expect(counters.udp == Volume(packets: 2, bytes: 142 + 62))
        #expect(counters.icmp == Volume(packets: 1, bytes: 62))
        #expect(counters.otherProtocol == Volume(packets: 1, bytes: 38))
        #expect(counters.malformed == 0)
    }

    @Test(
        arguments: [
            ([.syn], [1, 0, 0, 0]), ([.syn, .ack], [0, 1, 0, 0]), ([.fin, .ack], [0, 0, 1, 0]), ([.rst], [0, 0, 0, 1]),
            ([.ack, .psh], [0, 0, 0, 0]), ([], [0, 0, 0, 0]), ([.syn, .fin, .rst], [1, 0, 1, 1]),
            ([.syn, .ack, .fin, .rst, .psh, .urg, .ece, .cwr], [0, 1, 1, 1]),
        ] as [(PacketBuilder.Flags, [UInt64])]
    )
    func flags(flags: PacketBuilder.Flags, expected: [UInt64]) {
        let counters = count(decode(frame.ipv6().tcp(flags: flags)))
        #expect([counters.syn, counters.synAck, counters.fin, counters.rst] == expected)
    }

    @Test func sizesFallIntoTheirBuckets() {
        for (bucket, bound) in SizeBucket.bounds.enumerated() {
            let last = count(decode(frame.payload(count: Int(bound) - 14)))
            let next = count(decode(frame.payload(count: Int(bound) - 13)))
            for index in last.sizes.indices {
                #expect(last.sizes[index] == (index == bucket ? 1 : 0))
                #expect(next.sizes[index] == (index == bucket + 1 ? 1 : 0))
            }
        }
    }

    /// Three packets of 1,054, 1,054 and 554 bytes came as one frame.
    @Test func segmentsCountAsPackets() {
        let counters = count(decode(frame.ipv4().tcp(flags: [.fin, .ack]).payload(count: 2500), segmentSize: 1000))
        let volume = Volume(packets: 3, bytes: 1054 + 1054 + 554)
        #expect(counters.frames == 1)
        #expect(counters.total == volume)
        #expect(counters.ipv4 == volume)
        #expect(counters.tcp == volume)
        #expect(counters.fin == 1)
        #expect(counters.sizes[5] == 2)
        #expect(counters.sizes[4] == 1)
    }

    @Test func strippedTagsComeBack() {
        let built = frame.ipv4().tcp().payload(count: 2500)
        #expect(count(decode(built, strippedTag: 7)).total.bytes == 14 + 40 + 2500 + 4)
        let segmented = count(decode(built, strippedTag: 7, segmentSize: 1000))
        #expect(segmented.total.bytes == 2500 + 3 * (54 + 4))
        #expect(segmented.sizes[5] == 2)
        #expect(segmented.sizes[4] == 1)
    }

    @Test func fragmentsAndMalformed() {
        let later = frame.ipv4(fragmentOffset: 4, protocol: 17).payload(count: 40)
        let counters = count(
            decode(later),
            decode(frame.ipv4(moreFragments: true).udp(length: 500)),
            decode(frame.ipv4().udp(length: 500)),
            decode(frame.ipv4(version: 5).tcp()),
            decode(PacketBuilder().payload(count: 5))
        )
        #expect(counters.fragments == 1)
        #expect(counters.malformed == 3)
        #expect(counters.udp.packets == 3)
        #expect(counters.tcp.packets == 0)
        #expect(counters.ipv4.packets == 4)
        #expect(counters.otherFamily.packets == 1)
        #expect(counters.total.packets == 5)
    }

    /// What the snap length cut is not malformed, and counts with its whole length.
    @Test func truncatedIsNotMalformed() {
        let bytes = frame.ipv4().tcp().payload(count: 100).bytes
        let part = Array(bytes.prefix(40))
        let counters = count(Packet(decoding: unsafe part.span.bytes, wireLength: bytes.count))
        #expect(counters.malformed == 0)
        #expect(counters.total == Volume(packets: 1, bytes: 154))
        #expect(counters.tcp == Volume(packets: 1, bytes: 154))
    }

    @Test func directionsStayApart() {
        var counters = InterfaceCounters()
        counters.count(decode(frame.ipv4().udp()), .rx)
        counters.count(decode(frame.ipv6().udp()), .tx)
        #expect(counters.rx == count(decode(frame.ipv4().udp())))
        #expect(counters.tx == count(decode(frame.ipv6().udp())))
        #expect(counters.rx != counters.tx)
    }

    @Test func differencesAndSums() {
        let earlier = count(decode(frame.ipv4().udp()))
        var later = earlier
        later.count(decode(frame.ipv6().tcp(flags: [.syn])))
        #expect(later.since(earlier) == count(decode(frame.ipv6().tcp(flags: [.syn]))))
        #expect(earlier + later.since(earlier) == later)
        #expect(later.since(later) == DirectionCounters())
        #expect(earlier.since(later) == DirectionCounters())
    }

    @Test func portsAreTheLocalOnes() {
        var table = PortTable()
        let request = decode(frame.ipv4().tcp(from: 50_000, to: 65_535))
        let answer = decode(frame.ipv4().tcp(from: 65_535, to: 50_000).payload(count: 10))
        table.count(request, .rx)
        table.count(answer, .tx)
        let port = table[.tcp, 65_535]
        #expect(port.received == Volume(packets: 1, bytes: 54))
        #expect(port.sent == Volume(packets: 1, bytes: 64))
        #expect(table[.tcp, 50_000] == PortCounters())
        #expect(table[.udp, 65_535] == PortCounters())
        table.count(decode(frame.ipv4().sctp(to: 9)), .rx)
        table.count(decode(frame.ipv4(fragmentOffset: 1, protocol: 17).payload([0, 9, 0, 9])), .rx)
        table.count(decode(frame.ipv4().udp(to: 9, length: 3)), .rx)
        #expect(table[.udp, 9] == PortCounters())
        table.count(decode(frame.ipv6().udp(to: 0)), .rx)
        #expect(table[.udp, 0].received.packets == 1)
    }
}
