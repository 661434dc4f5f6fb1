import KernelABI
import Packets
import Support
import Testing

@Suite struct PacketTests {
    @Test func isPlainAndSmall() {
        #expect(MemoryLayout<Packet>.size == 96)
        #expect(MemoryLayout<Packet>.stride == 96)
        func takesPlainValues<T: BitwiseCopyable>(_: T.Type) {}
        takesPlainValues(Packet.self)
    }

    @Test func tcpOverIPv4() {
        let packet = decode(
            frame.ipv4(from: "192.0.2.1", to: "198.51.100.7", ttl: 57)
                .tcp(
                    from: 51515,
                    to: 443,
                    flags: [.syn, .ack],
                    sequence: 0xFEDC_BA98,
                    acknowledgement: 0x0123_4567,
                    window: 1024,
                    options: [2, 4, 5, 180]
                )
                .payload(count: 10)
        )
        #expect(packet.outcome == .decoded)
        #expect(packet.family == .ipv4)
        #expect(packet.transport == .tcp)
        #expect(packet.protocolNumber == 6)
        #expect(packet.source == Address(ipv4: 0xC000_0201))
        #expect(packet.destination == Address(ipv4: 0xC633_6407))
        #expect(packet.timeToLive == 57)
        #expect(packet.hasPorts)
        #expect(packet.sourcePort == 51515)
        #expect(packet.destinationPort == 443)
        #expect(packet.flags == [.syn, .ack])
        #expect(packet.sequence == 0xFEDC_BA98)
        #expect(packet.acknowledgement == 0x0123_4567)
        #expect(packet.window == 1024)
        #expect(packet.ipLength == 20 + 24 + 10)
        #expect(packet.headerLength == 14 + 20 + 24)
        #expect(packet.payloadLength == 10)
        #expect(packet.capturedPayload == 58..<68)
        #expect(packet.frameLength == 68)
        #expect(packet.segments == 1)
        #expect(packet.bytes == 68)
        #expect(packet.vlan == nil)
        #expect(packet.fragment == .none)
        #expect(packet.etherType == 0x0800)
    }

    @Test func udpOverIPv6() {
        let packet = decode(
            frame.ipv6(from: "2001:db8::5", to: "ff02::fb", hopLimit: 255).udp(from: 5353, to: 5353).payload(count: 3)
        )
        #expect(packet.outcome == .decoded)
        #expect(packet.family == .ipv6)
        #expect(packet.transport == .udp)
        #expect(packet.source == Address(high: 0x2001_0DB8_0000_0000, low: 5))
        #expect(packet.destination == Address(high: 0xFF02_0000_0000_0000, low: 0xFB))
        #expect(packet.timeToLive == 255)
        #expect(packet.sourcePort == 5353)
        #expect(packet.destinationPort == 5353)
        #expect(packet.ipLength == 40 + 8 + 3)
        #expect(packet.headerLength == 14 + 40 + 8)
        #expect(packet.payloadLength == 3)
    }

    @Test(arguments: [(UInt8(8), UInt16(77)), (0, 77), (13, 77), (3, 0), (11, 0)])
    func icmp(type: UInt8, identifier: UInt16) {
        let packet = decode(frame.ipv4().icmp(type: type, code: 4, identifier: 77).payload(count: 28))
        #expect(packet.outcome == .decoded)
        #expect(packet.transport == .icmp)
        #expect(packet.icmpType == type)
        #expect(packet.icmpCode == 4)
        #expect(packet.icmpIdentifier == identifier)
        #expect(packet.payloadLength == 28)
        #expect(!packet.hasPorts)
    }

    @Test(arguments: [(UInt8(128), UInt16(9)), (129, 9), (135, 0), (8, 0)])
    func icmpv6(type: UInt8, identifier: UInt16) {
        let packet = decode(frame.ipv6().icmpv6(type: type, identifier: 9))
        #expect(packet.outcome == .decoded)
        #expect(packet.transport == .icmp)
        #expect(packet.icmpType == type)
        #expect(packet.icmpIdentifier == identifier)
    }

    /// Each family has its own ICMP; the other's number is just another protocol.
    @Test func icmpOfTheOtherFamily() {
        let inIPv4 = decode(frame.ipv4(protocol: 58).icmpv6())
        let inIPv6 = decode(frame.ipv6(nextHeader: 1).icmp())
        for packet in [inIPv4, inIPv6] {
            #expect(packet.outcome == .decoded)
            #expect(packet.transport == .other)
            #expect(packet.icmpType == 0)
        }
    }

    @Test func sctp() {
        let packet = decode(frame.ipv4().sctp(from: 2905, to: 2906).payload(count: 16))
        #expect(packet.outcome == .decoded)
        #expect(packet.transport == .other)
        #expect(packet.protocolNumber == 132)
        #expect(packet.hasPorts)
        #expect(packet.sourcePort == 2905)
        #expect(packet.destinationPort == 2906)
        #expect(packet.payloadLength == 16)
    }

    @Test func arp() {
        let packet = decode(frame.vlan(3).arp(2, from: "10.1.2.3", to: "10.1.2.4"))
        #expect(packet.outcome == .decoded)
        #expect(packet.family == .other)
        #expect(packet.transport == .none)
        #expect(packet.arpOperation == 2)
        #expect(packet.source == Address(ipv4: 0x0A01_0203))
        #expect(packet.destination == Address(ipv4: 0x0A01_0204))
        #expect(packet.vlan == 3)
        #expect(packet.headerLength == 14 + 4 + 28)
        #expect(decode(frame.arp(hardwareType: 6)).outcome == .unknownARP)
        #expect(decode(Array(frame.arp().bytes.dropLast())).outcome == .unknownARP)
    }

    /// Tunnels count as themselves: what is inside is payload.
    @Test func tunnels() {
        let inner = PacketBuilder().ipv4(from: "172.16.0.1").tcp().payload(count: 5)
        let tunnels: [(PacketBuilder, UInt8, UInt32)] = [
            (frame.ipv4().gre().payload(inner.bytes), 47, 4 + 45),
            (frame.ipv4().payload(inner.bytes, ipProtocol: 4), 4, 45),
            (frame.ipv6().payload(inner.bytes, ipProtocol: 4), 4, 45),
            (frame.ipv4().ipv6().udp(), 41, 48),
            (frame.ipv6().payload(count: 24), 59, 24),
            (frame.ipv4().payload([1, 2, 3, 4], ipProtocol: 50), 50, 4),
        ]
        for (bytes, number, payload) in tunnels {
            let packet = decode(bytes)
            #expect(packet.outcome == .decoded)
            #expect(packet.protocolNumber == number)
            #expect(packet.transport == .other)
            #expect(!packet.hasPorts)
            #expect(packet.payloadLength == payload)
            #expect(packet.source != Address(ipv4: 0xAC10_0001))
        }
    }

    /// Ethernet pads short frames; the IP length says what belongs to the packet.
    @Test func paddingIsNotPayload() {
        let padded = frame.ipv4().tcp().bytes + [0, 0, 0, 0, 0, 0]
        let packet = decode(padded)
        #expect(packet.outcome == .decoded)
        #expect(packet.payloadLength == 0)
        #expect(packet.frameLength == 60)
        #expect(packet.bytes == 60)
    }

    /// Lengths are those of the wire, though little of the frame was captured.
    @Test func snapLengthChangesNoLength() {
        let whole = frame.ipv4().tcp().payload(count: 1000)
        let packet = decode(whole.bytes(snap: 64), wireLength: whole.bytes.count)
        #expect(packet.outcome == .decoded)
        #expect(packet.payloadLength == 1000)
        #expect(packet.frameLength == 1054)
        #expect(packet.capturedLength == 64)
        #expect(packet.capturedPayload == 54..<64)
        let headersOnly = decode(whole.bytes(snap: 54), wireLength: whole.bytes.count)
        #expect(headersOnly.outcome == .decoded)
        #expect(headersOnly.capturedPayload.isEmpty)
    }

    @Test func vlan() {
        #expect(decode(frame.vlan(100, priority: 5).ipv4().udp()).vlan == 100)
        let double = decode(frame.vlan(200, tpid: 0x88A8).vlan(100).ipv6().udp())
        #expect(double.vlan == 200)
        #expect(double.tagCount == 2)
        #expect(double.headerLength == 14 + 8 + 40 + 8)
        let stripped = decode(frame.vlan(100).ipv4().udp().bytes, strippedTag: 5 << 13 | 300)
        #expect(stripped.vlan == 300)
        #expect(stripped.tagCount == 2)
        #expect(stripped.bytes == UInt64(stripped.frameLength) + 4)
        #expect(decode(frame.vlan(0).ipv4().udp()).vlan == 0)
    }

    @Test func asManyTagsAsTheKernelReads() {
        func tagged(_ count: Int) -> Packet {
            decode((0..<count).reduce(frame) { built, tag in built.vlan(UInt16(tag + 1)) }.ipv4().udp())
        }
        let limit = Int(WEIR_MAX_TAGS)
        #expect(tagged(limit).outcome == .decoded)
        #expect(tagged(limit).family == .ipv4)
        let more = tagged(limit + 1)
        #expect(more.outcome == .tooManyTags)
        #expect(more.family == .other)
        #expect(more.vlan == 1)
        #expect(Int(more.headerLength) == 14 + 4 * limit)
    }

    @Test(arguments: [0, 43, 60, 135, 139, 140] as [UInt8])
    func extensionHeader(kind: UInt8) {
        let packet = decode(frame.ipv6().ipv6Extension(kind, body: [UInt8](repeating: 0, count: 14)).tcp())
        #expect(packet.outcome == .decoded)
        #expect(packet.transport == .tcp)
        #expect(packet.hasPorts)
        #expect(packet.headerLength == 14 + 40 + 16 + 20)
        #expect(packet.ipLength == 40 + 16 + 20)
        #expect(packet.payloadLength == 0)
    }

    @Test func authenticationHeader() {
        let inIPv6 = decode(frame.ipv6().authentication().udp())
        #expect(inIPv6.outcome == .decoded)
        #expect(inIPv6.transport == .udp)
        #expect(inIPv6.headerLength == 14 + 40 + 24 + 8)
        let inIPv4 = decode(frame.ipv4().authentication().udp())
        #expect(inIPv4.transport == .other)
        #expect(inIPv4.protocolNumber == 51)
    }

    /// Reading stops at the limit, however long the chain: time does not grow with what a stranger sends.
    @Test(arguments: [9, 18, 36, 4000])
    func longChainsEndAtTheLimit(count: Int) {
        let limit = Int(WEIR_MAX_EXTENSION_HEADERS)
        func chain(_ count: Int) -> Packet {
            decode((0..<count).reduce(frame.ipv6()) { built, _ in built.ipv6Extension(60) }.udp())
        }
        #expect(chain(limit).outcome == .decoded)
        #expect(chain(limit).hasPorts)
        let long = chain(count)
        #expect(long.outcome == .tooManyExtensions)
        #expect(Int(long.headerLength) == 14 + 40 + 8 * limit)
        #expect(long.transport == .none)
        let tags = decode((0..<count).reduce(frame) { built, _ in built.vlan(1) }.arp())
        #expect(Int(tags.headerLength) == 14 + 4 * Int(WEIR_MAX_TAGS))
    }

    @Test func fragmentsOfIPv4() {
        let first = decode(frame.ipv4(moreFragments: true).udp(to: 53, length: 3000).payload(count: 64))
        #expect(first.outcome == .decoded)
        #expect(first.fragment == .first)
        #expect(first.destinationPort == 53)
        let later = decode(frame.ipv4(fragmentOffset: 9, protocol: 17).payload(count: 4))
        #expect(later.outcome == .decoded)
        #expect(later.fragment == .later)
        #expect(later.transport == .udp)
        #expect(!later.hasPorts)
        #expect(later.headerLength == 14 + 20)
        #expect(later.payloadLength == 4)
        for number: UInt8 in [6, 1, 132, 47] {
            let part = decode(frame.ipv4(moreFragments: true, fragmentOffset: 1, protocol: number).payload([1]))
            #expect(part.outcome == .decoded)
            #expect(part.fragment == .later)
        }
        #expect(decode(frame.ipv4(dontFragment: true).udp()).fragment == .none)
    }

    /// What puts fragments together, and nothing of it where there is nothing to put together.
    @Test func fragmentsSayWhereTheyBelong() {
        let bits: [(more: Bool, units: UInt16, fragment: Fragment)] = [
            (true, 0, .first), (true, 1, .later), (true, 0x1FFF, .later), (false, 0x1FFF, .later), (false, 0, .none),
        ]
        for (more, units, fragment) in bits {
            let ipv4 = frame.ipv4(identification: 0xBEEF, moreFragments: more, fragmentOffset: units, protocol: 17)
            let ipv6 = frame.ipv6().ipv6Fragment(
                offset: units,
                moreFragments: more,
                identification: 0xDEAD_BEEF,
                nextHeader: 17
            )
            let datagram = PacketBuilder().udp(length: 16).payload(count: 8).bytes
            for (built, identification) in [(ipv4, UInt32(0xBEEF)), (ipv6, 0xDEAD_BEEF)] {
                let packet = decode(built.payload(datagram))
                #expect(packet.outcome == .decoded)
                #expect(packet.fragment == fragment)
                #expect(packet.fragmentIdentification == (fragment == .none ? 0 : identification))
                #expect(packet.fragmentOffset == units * 8)
                #expect(packet.hasMoreFragments == more)
            }
        }
        let plain = decode(frame.ipv4(identification: 7, dontFragment: true).udp())
        #expect(plain.fragmentIdentification == 0)
        #expect(!plain.hasMoreFragments)
    }

    @Test(arguments: [
        (frame.ipv4().tcp(), 20, 20), (frame.ipv4(options: [1, 1, 1, 1]).tcp(options: [1, 1, 1, 1, 1]), 24, 28),
        (frame.ipv4(options: [UInt8](repeating: 1, count: 40)).tcp(options: [UInt8](repeating: 1, count: 40)), 60, 60),
        (frame.ipv4().udp().payload(count: 9), 20, 8), (frame.ipv4().icmp().payload(count: 9), 20, 8),
        (frame.ipv4().sctp().payload(count: 9), 20, 12), (frame.ipv4().gre().ipv4().udp(), 20, 0),
        (frame.ipv6().udp(), 40, 8), (frame.ipv6().ipv6Extension(0).authentication().tcp(), 40 + 8 + 24, 20),
        (frame.ipv6().ipv6Fragment(moreFragments: true).icmpv6(), 48, 8),
        (frame.ipv6().ipv6Fragment(offset: 5, nextHeader: 6).payload(count: 60), 48, 0),
        (frame.ipv4(fragmentOffset: 5, protocol: 6).payload(count: 60), 20, 0),
        (frame.ipv4().udp(length: 7), 0, 0), (frame.ipv6().ipv6Extension(60, units: 9).udp(), 0, 0),
        (frame.arp(), 0, 0),
    ])
    func headerLengths(of built: PacketBuilder, ip: UInt32, transport: UInt8) {
        let packet = decode(built)
        #expect(packet.ipHeaderLength == ip)
        #expect(packet.transportHeaderLength == transport)
        let padded = decode(built.bytes + [0, 0, 0])
        #expect(padded.ipHeaderLength == ip)
        #expect(padded.transportHeaderLength == transport)
    }

    @Test func fragmentsOfIPv6() {
        let first = decode(frame.ipv6().ipv6Fragment(moreFragments: true).udp(to: 53, length: 3000).payload(count: 8))
        #expect(first.outcome == .decoded)
        #expect(first.fragment == .first)
        #expect(first.destinationPort == 53)
        let later = decode(frame.ipv6().ipv6Fragment(offset: 2, nextHeader: 58).payload(count: 4))
        #expect(later.outcome == .decoded)
        #expect(later.fragment == .later)
        #expect(later.transport == .icmp)
        #expect(later.headerLength == 14 + 40 + 8)
        let atomic = decode(frame.ipv6().ipv6Fragment().tcp(flags: [.syn]))
        #expect(atomic.fragment == .none)
        #expect(atomic.flags == [.syn])
        let extensionBehind = decode(frame.ipv6().ipv6Fragment(offset: 2, nextHeader: 60).payload(count: 4))
        #expect(extensionBehind.transport == .other)
        #expect(extensionBehind.outcome == .decoded)
    }

    @Test(arguments: [
        (frame.payload([], etherType: 0x88CC), Outcome.unknownEtherType),
        (frame.payload(count: 10), .unknownEtherType),
        (PacketBuilder().ethernet(type: 38).payload(count: 38), .unknownEtherType),
        (PacketBuilder().payload(count: 13), .malformedLink),
        (PacketBuilder(), .malformedLink),
        (frame.payload([0, 1, 8], etherType: 0x8100), .malformedTag),
        (frame.payload(count: 19, etherType: 0x0800), .malformedIPv4),
        (frame.ipv4(version: 6).udp(), .malformedIPv4),
        (frame.ipv4(headerWords: 4).udp(), .malformedIPv4),
        (frame.ipv4(headerWords: 8).udp(), .malformedIPv4),
        (frame.ipv4(totalLength: 19).udp(), .lengthIPv4),
        (frame.ipv4(totalLength: 29).udp(), .lengthIPv4),
        (frame.ipv4(totalLength: 0).udp(), .lengthIPv4),
        (frame.payload(count: 39, etherType: 0x86DD), .malformedIPv6),
        (frame.ipv6(version: 4).udp(), .malformedIPv6),
        (frame.ipv6(payloadLength: 9).udp(), .lengthIPv6),
        (frame.ipv6(payloadLength: 0).udp(), .malformedUDP),
        (frame.ipv6().payload([17, 0, 0, 0, 0, 0, 0], ipProtocol: 60), .malformedExtension),
        (frame.ipv6().ipv6Extension(60, units: 2).udp(), .malformedExtension),
        (frame.ipv6().authentication(units: 12).udp(), .malformedExtension),
        (frame.ipv6().payload(count: 7, ipProtocol: 44), .malformedExtension),
        (frame.ipv4().payload(count: 19, ipProtocol: 6), .malformedTCP),
        (frame.ipv4().tcp(headerWords: 4), .malformedTCP),
        (frame.ipv4().tcp(headerWords: 6), .malformedTCP),
        (frame.ipv4(totalLength: 39).tcp(), .malformedTCP),
        (frame.ipv4().payload(count: 7, ipProtocol: 17), .malformedUDP),
        (frame.ipv4().udp(length: 7), .malformedUDP),
        (frame.ipv4().udp(length: 9), .malformedUDP),
        (frame.ipv4().udp(length: 0), .malformedUDP),
        (frame.ipv6().udp(length: 0), .decoded),
        (frame.ipv4().udp(length: 8).payload(count: 5), .decoded),
        (frame.ipv4().payload(count: 7, ipProtocol: 1), .malformedICMP),
        (frame.ipv6().payload(count: 7, ipProtocol: 58), .malformedICMP),
        (frame.ipv4().payload(count: 11, ipProtocol: 132), .malformedSCTP),
    ])
    func outcome(of built: PacketBuilder, is expected: Outcome) {
        let packet = decode(built)
        #expect(packet.outcome == expected)
        #expect(violations(of: packet, bytes: built.bytes.count, wireLength: built.bytes.count) == [])
    }

    /// What stood before the fault counts, nothing after it.
    @Test func malformedPacketsGoAsFarAsTheyGo() {
        let tcp = decode(frame.ipv4().payload(count: 19, ipProtocol: 6))
        #expect(tcp.family == .ipv4)
        #expect(tcp.transport == .tcp)
        #expect(!tcp.hasPorts)
        #expect(tcp.flags.isEmpty)
        #expect(tcp.headerLength == 34)
        let length = decode(frame.ipv4(totalLength: 29).udp())
        #expect(length.family == .ipv4)
        #expect(length.transport == .none)
        #expect(length.source == .zero)
        let chain = decode(frame.ipv6().ipv6Extension(60, units: 2).udp())
        #expect(chain.transport == .none)
        #expect(chain.headerLength == 54)
    }

    /// A frame cut by the snap length is never malformed, the same bytes as a whole frame are never truncated.
    @Test(arguments: [
        frame.ipv4().tcp(options: [1, 1, 1, 1]).payload(count: 4),
        frame.vlan(1).vlan(2).ipv6().ipv6Extension(0).ipv6Extension(60).authentication().udp().payload(count: 4),
        frame.ipv6().ipv6Fragment(moreFragments: true).icmpv6(),
        frame.ipv4(options: [1, 1, 1, 1]).icmp().payload(count: 4),
        frame.ipv4().sctp(),
        frame.arp(),
    ])
    func everyCut(of built: PacketBuilder) {
        let whole = built.bytes
        #expect(decode(whole).outcome == .decoded)
        for count in 0..<whole.count {
            let part = Array(whole.prefix(count))
            let cut = decode(part, wireLength: whole.count)
            #expect(cut.outcome.isTruncated || cut.outcome == .decoded)
            #expect(violations(of: cut, bytes: count, wireLength: whole.count) == [])
            if cut.outcome == .decoded { #expect(cut.payloadLength == decode(whole).payloadLength) }
            let short = decode(part)
            #expect(!short.outcome.isTruncated)
            #expect(violations(of: short, bytes: count, wireLength: count) == [])
        }
    }

    /// A wire length below what was captured is a lie of the file: the bytes are there.
    @Test func wireLengthIsAtLeastWhatWasCaptured() {
        let bytes = frame.ipv4().udp().payload(count: 9).bytes
        let packet = decode(bytes, wireLength: 3)
        #expect(packet.outcome == .decoded)
        #expect(Int(packet.frameLength) == bytes.count)
    }

    @Test(arguments: [
        // payload, size, segments, headers are 14 + 20 + 20
        (3000, UInt16(1000), UInt32(3)), (3001, 1000, 4), (999, 1000, 1), (0, 1000, 1), (1, 0, 1), (60_000, 1, 60_000),
    ])
    func segments(payload: Int, size: UInt16, expected: UInt32) {
        let packet = decode(frame.ipv4().tcp().payload(count: payload), segmentSize: size)
        #expect(packet.segments == expected)
        #expect(packet.bytes == UInt64(54 + payload) + UInt64(expected - 1) * 54)
    }

    /// Each segment had the tag that the card took away.
    @Test func segmentsWithAStrippedTag() {
        let packet = decode(frame.ipv4().tcp().payload(count: 2500).bytes, strippedTag: 1, segmentSize: 1000)
        #expect(packet.segments == 3)
        #expect(packet.bytes == 2500 + 3 * (54 + 4))
        #expect(packet.bytesOfFullSegment == 1058)
    }

    /// Longer than 16 bits can say: the length field is zero and the frame's length counts.
    @Test func bigTCP() {
        let ipv4 = decode(frame.ipv4(totalLength: 0).tcp().payload(count: 90_000), segmentSize: 1448)
        #expect(ipv4.outcome == .decoded)
        #expect(ipv4.payloadLength == 90_000)
        #expect(ipv4.segments == 63)
        let ipv6 = decode(frame.ipv6(payloadLength: 0).tcp().payload(count: 90_000))
        #expect(ipv6.outcome == .decoded)
        #expect(ipv6.payloadLength == 90_000)
        let tunnel = frame.ipv4(totalLength: 0).udp(length: 0).payload(count: 90_000).bytes
        #expect(decode(tunnel, segmentSize: 1448).payloadLength == 90_000)
        #expect(decode(tunnel).outcome == .decoded)
        let jumbo = decode(frame.ipv6(payloadLength: 0).ipv6Extension(0).udp(length: 0).payload(count: 30))
        #expect(jumbo.outcome == .decoded)
        #expect(jumbo.payloadLength == 30)
    }

    @Test func linkTypes() {
        let ipv4 = PacketBuilder().ipv4().udp().bytes
        let ipv6 = PacketBuilder().ipv6().udp().bytes
        let cooked: [UInt8] = [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]
        let cooked2: [UInt8] = [0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]
        let tables: [(LinkType, [UInt8], Family, Outcome)] = [
            (.rawIP, ipv4, .ipv4, .decoded), (.rawIP, ipv6, .ipv6, .decoded),
            (.rawIP, [0x50], .other, .unknownEtherType), (.rawIP, [], .other, .malformedLink),
            (.loopback, [2, 0, 0, 0] + ipv4, .ipv4, .decoded), (.loopback, [0, 0, 0, 2] + ipv4, .ipv4, .decoded),
            (.loopback, [0, 0, 0, 30] + ipv6, .ipv6, .decoded), (.loopback, [10, 0, 0, 0] + ipv6, .ipv6, .decoded),
            (.loopback, [7, 0, 0, 0], .other, .unknownEtherType), (.loopback, [2, 0, 0], .other, .malformedLink),
            (.linuxCooked, cooked + [0x08, 0] + ipv4, .ipv4, .decoded),
            (.linuxCooked, cooked + [0x81, 0, 0, 1, 0x86, 0xDD] + ipv6, .ipv6, .decoded),
            (.linuxCooked, cooked, .other, .malformedLink),
            (.linuxCooked2, [0x86, 0xDD] + cooked2 + ipv6, .ipv6, .decoded),
            (.linuxCooked2, cooked2, .other, .malformedLink),
            (.unknown, ipv4, .other, .unknownLinkType), (.unknown, [], .other, .unknownLinkType),
        ]
        for (link, bytes, family, outcome) in tables {
            let packet = decode(bytes, link: link)
            #expect(packet.family == family, "\(link)")
            #expect(packet.outcome == outcome, "\(link)")
            #expect(violations(of: packet, bytes: bytes.count, wireLength: bytes.count) == [])
        }
        #expect(LinkType(number: 1) == .ethernet)
        #expect(LinkType(number: 101) == .rawIP)
        #expect(LinkType(number: 113) == .linuxCooked)
        #expect(LinkType(number: 276) == .linuxCooked2)
        #expect(LinkType(number: 0) == .loopback)
        #expect(LinkType(number: 147) == .unknown)
    }
}
