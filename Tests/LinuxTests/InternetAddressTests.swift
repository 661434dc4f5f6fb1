import Linux
import Testing

@Suite struct InternetAddressTests {
    @Test(arguments: [
        "0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::1", "::ffff:127.0.0.1",
    ])
    func textThereAndBack(text: String) throws {
        #expect(try #require(InternetAddress(text)).description == text)
    }

    @Test(arguments: ["", "1.2.3", "1.2.3.4.5", ":::", "localhost", "1.2.3.4 "])
    func otherTextIsRefused(text: String) {
        #expect(InternetAddress(text) == nil)
    }

    @Test func classes() throws {
        for text in ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.9.9.9"] {
            #expect(try #require(InternetAddress(text)).isLoopback, "\(text)")
        }
        for text in [
            "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "100.127.255.255", "169.254.1.1",
        ] {
            #expect(try #require(InternetAddress(text)).isPrivate, "\(text)")
        }
        for text in ["fc00::1", "fdff::1", "fe80::1", "febf::1", "::ffff:10.0.0.1"] {
            #expect(try #require(InternetAddress(text)).isPrivate, "\(text)")
        }
        for text in [
            "9.255.255.255", "11.0.0.0", "172.15.0.1", "172.32.0.1", "192.167.0.1", "100.63.0.1", "100.128.0.1",
            "fec0::1", "2001:db8::1",
        ] {
            let address = try #require(InternetAddress(text))
            #expect(!address.isPrivate && !address.isLoopback, "\(text)")
        }
        #expect(try #require(InternetAddress("224.0.0.251")).isMulticast)
        #expect(try #require(InternetAddress("ff02::fb")).isMulticast)
        #expect(try #require(InternetAddress("::")).isUnspecified)
    }

    @Test func harmlessText() {
        #expect(String(harmless: "sshd".utf8) == "sshd")
        #expect(String(harmless: "café ü 漢".utf8) == "café ü 漢")
        #expect(String(harmless: [0x1b, 0x5b, 0x33, 0x31, 0x6d, 0x0a, 0x61, 0xff, 0xc3]) == #"\x1b[31m\x0aa\xff\xc3"#)
        #expect(String(harmless: "a\u{202e}b\u{2028}c\u{9b}d".utf8) == #"a\u202eb\u2028c\x9bd"#)
        #expect(String(harmless: [0x61, 0, 0x62]) == "a")
        #expect(String(harmless: [UInt8](repeating: 0x61, count: 1000), limit: 64).utf8.count == 64)
        // An overlong form of a slash, and half of a surrogate pair.
        #expect(String(harmless: [0xc0, 0xaf, 0xed, 0xa0, 0x80]) == #"\xc0\xaf\xed\xa0\x80"#)
    }
}
