import Host
import Linux
import Testing

@Suite struct PortRangesTests {
    @Test func listsAndRanges() throws {
        let ranges = try PortRanges("1-1024, 8000-9000 ,53/udp,5000/TCP")
        #expect(ranges.description == "1-1024,8000-9000,53/udp,5000/tcp")
        for port: UInt16 in [1, 22, 1024, 8000, 8500, 9000, 5000] { #expect(ranges.contains(port, .tcp)) }
        for port: UInt16 in [1025, 7999, 9001, 65_535] { #expect(!ranges.contains(port, .tcp)) }
        #expect(!ranges.contains(5000, .udp))
        #expect(try PortRanges("53/udp").contains(53, .udp))
        #expect(try !PortRanges("53/udp").contains(53, .tcp))
        #expect(try PortRanges("65535").contains(65_535, .udp))
        #expect(try PortRanges(" ").isEmpty)
    }

    @Test(arguments: [
        ("22,,80", PortRangesError.emptyEntry),
        ("22,", .emptyEntry),
        ("0", .notAPort("0")),
        ("65536", .notAPort("65536")),
        ("ssh", .notAPort("ssh")),
        ("-5", .notAPort("")),
        ("5-", .notAPort("")),
        ("1-2-3", .notAPort("2-3")),
        ("+5", .notAPort("+5")),
        ("9-5", .reversed(9, 5)),
        ("53/sctp", .unknownTransport("sctp")),
        ("\u{1b}[2J", .notAPort(#"\x1b[2J"#)),
    ])
    func mistakes(text: String, error: PortRangesError) {
        #expect(throws: error) { try PortRanges(text) }
    }

    @Test func tooLong() {
        let text = (1...1025).map(String.init).joined(separator: ",")
        #expect(throws: PortRangesError.tooMany(1025)) { try PortRanges(text) }
    }
}
