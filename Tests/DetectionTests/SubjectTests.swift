import Packets
import Testing

@testable import Detection

struct SubjectTests {
    @Test func `Prefixes keep their leading bits`() {
        let four = Address(ipv4: 0xC0A8_0AFE)
        #expect(four.prefix(24, .ipv4) == Address(ipv4: 0xC0A8_0A00))
        #expect(four.prefix(32, .ipv4) == four)
        #expect(four.prefix(0, .ipv4) == Address(ipv4: 0))
        let six = Address(high: 0x2001_0DB8_FFFF_FFFF, low: .max)
        #expect(six.prefix(0, .ipv6) == .zero)
        #expect(six.prefix(48, .ipv6) == Address(high: 0x2001_0DB8_FFFF_0000, low: 0))
        #expect(six.prefix(64, .ipv6) == Address(high: 0x2001_0DB8_FFFF_FFFF, low: 0))
        #expect(six.prefix(65, .ipv6) == Address(high: 0x2001_0DB8_FFFF_FFFF, low: 1 << 63))
        #expect(six.prefix(128, .ipv6) == six)
    }

    @Test func `A prefix holds addresses of its own family only`() {
        let prefix = Prefix(Address(ipv4: 0x0A00_0000), .ipv4, bits: 8)
        #expect(prefix.contains(Address(ipv4: 0x0AFF_0001), .ipv4))
        #expect(!prefix.contains(Address(ipv4: 0x0B00_0001), .ipv4))
        // A mapped address in a real IPv6 header.
        #expect(!prefix.contains(Address(ipv4: 0x0AFF_0001), .ipv6))
    }

    @Test func `Subjects as people write them`() {
        let four = Address(ipv4: 0xC000_0201)
        let six = Address(high: 0x2001_0DB8_0000_0000, low: 1)
        #expect("\(Subject(four, .ipv4))" == "192.0.2.1")
        #expect("\(Subject(four, .ipv4, port: 80))" == "192.0.2.1:80")
        #expect("\(Subject(six, .ipv6, port: 443))" == "[2001:db8::1]:443")
        #expect("\(Subject(prefixOf: four, .ipv4, bits: 24))" == "192.0.2.0/24")
        #expect("\(Subject.all(.ipv4))" == "0.0.0.0/0")
    }
}
