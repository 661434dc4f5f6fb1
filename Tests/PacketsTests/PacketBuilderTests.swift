import Support
import Testing

/// The builder is what the other tests trust, so its sums are held against packets that others computed.
@Suite struct PacketBuilderTests {
    /// The worked example of the IPv4 header checksum that textbooks use: 192.168.0.1 to 192.168.0.199, B861.
    @Test func ipv4Checksum() {
        let packet = PacketBuilder()
            .ipv4(from: "192.168.0.1", to: "192.168.0.199", identification: 0, dontFragment: true, totalLength: 0x73)
            .udp()
        #expect(Array(packet.bytes.prefix(12)) == [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xB8, 0x61])
    }

    /// A sum over the pseudo-header and all of the segment, its checksum included, is all ones (RFC 9293 section 3.1).
    @Test(arguments: [0, 1, 2, 1000])
    func transportChecksums(payload: Int) {
        let ipv4 = PacketBuilder().ipv4()
        let ipv6 = PacketBuilder().ipv6()
        let packets: [([UInt8], Int, UInt32)] = [
            (ipv4.tcp(options: [1]).payload(count: payload).bytes, 20, 6),
            (ipv4.udp().payload(count: payload).bytes, 20, 17),
            (ipv6.tcp().payload(count: payload).bytes, 40, 6),
            (ipv6.udp().payload(count: payload).bytes, 40, 17),
            (ipv6.icmpv6().payload(count: payload).bytes, 40, 58),
        ]
        for (bytes, header, number) in packets {
            var words = Array(bytes[(header == 20 ? 12 : 8)...])
            if words.count % 2 == 1 { words.append(0) }
            var sum = number + UInt32(bytes.count - header)
            for index in stride(from: 0, to: words.count, by: 2) {
                sum += UInt32(words[index]) << 8 | UInt32(words[index + 1])
            }
            while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
            #expect(sum == 0xFFFF)
        }
    }

    @Test func namesWhatFollows() {
        let bytes = PacketBuilder().ethernet().vlan(5, priority: 7).ipv6().ipv6Extension(0).ipv6Fragment().tcp().bytes
        #expect(Array(bytes[12..<18]) == [0x81, 0, 0xE0, 5, 0x86, 0xDD])
        #expect(bytes[18 + 6] == 0)
        #expect(bytes[18 + 40] == 44)
        #expect(bytes[18 + 48] == 6)
        #expect(bytes[18 + 4] == 0 && bytes[18 + 5] == 8 + 8 + 20)
        #expect(bytes.count == 14 + 4 + 40 + 8 + 8 + 20)
    }
}
