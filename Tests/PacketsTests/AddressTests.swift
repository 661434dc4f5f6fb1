import Packets
import Testing

@Suite struct AddressTests {
    /// The examples of RFC 5952 and the traps around them.
    @Test(
        arguments: [
            (0x2001_0DB8_0000_0000, 0x0000_0000_0002_0001, "2001:db8::2:1"),
            (0x2001_0DB8_0000_0001, 0x0001_0001_0001_0001, "2001:db8:0:1:1:1:1:1"),
            (0x2001_0000_0000_0001, 0x0000_0000_0000_0001, "2001:0:0:1::1"),
            (0x2001_0DB8_0000_0000, 0x0001_0000_0000_0001, "2001:db8::1:0:0:1"),
            (0, 0, "::"),
            (0, 1, "::1"),
            (0x0001_0000_0000_0000, 0, "1::"),
            (0, 0xFFFF_0A00_0001, "::ffff:10.0.0.1"),
            (0xFE80_0000_0000_0000, 0x0211_22FF_FE33_4455, "fe80::211:22ff:fe33:4455"),
        ] as [(UInt64, UInt64, String)]
    )
    func text(high: UInt64, low: UInt64, expected: String) {
        #expect(Address(high: high, low: low).description == expected)
    }

    /// A mapped address in a real IPv6 header must not read like the IPv4 host it imitates.
    @Test func familyDecidesTheText() {
        let address = Address(ipv4: 0x7F00_0001)
        #expect(address.text(as: .ipv4) == "127.0.0.1")
        #expect(address.text(as: .other) == "127.0.0.1")
        #expect(address.text(as: .ipv6) == "::ffff:127.0.0.1")
    }

    @Test func order() {
        let rising = [
            Address.zero, Address(high: 0, low: 1), Address(ipv4: 1), Address(ipv4: 2), Address(high: 1, low: 0),
            Address(high: 1 << 63, low: 0),
        ]
        #expect(rising.shuffled().sorted() == rising)
    }
}
