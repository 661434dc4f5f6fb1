import Packets
import Support
import Testing

@testable import Flows

@Suite struct DomainQueriesTests {
    private let client = Address(ipv4: 0xC633_6401)

    @Test func `A domain's last 64 bytes are kept, and what no host is called is written as numbers`() {
        #expect(DomainQueries(client: client, .ipv4, domain: "example.org", hash: 1).domain == "example.org")
        let long = String(repeating: "a", count: 60) + "." + String(repeating: "b", count: 60)
        #expect(DomainQueries(client: client, .ipv4, domain: long, hash: 1).domain == String(long.suffix(64)))
        #expect(DomainQueries(client: client, .ipv4, domain: "a\u{7}b c.org", hash: 1).domain == "a\\007b\\032c.org")
        #expect(DomainQueries(client: client, .ipv4, domain: "", hash: 0).domain == "")
    }

    @Test func `A domain is within itself and those above it`() {
        let row = DomainQueries(client: client, .ipv4, domain: "a.example.org", hash: 1)
        for (name, isWithin) in [
            ("a.example.org", true), ("example.org", true), ("org", true), ("xample.org", false),
            ("b.a.example.org", false),
            ("rg", false), ("", false), ("com", false),
        ] { #expect(row.isWithin(name) == isWithin, "\(name)") }
    }

    @Test func `Rows of one client and domain become one, in order`() {
        func row(_ address: UInt32, _ hash: UInt64, names: ClosedRange<UInt64>) -> DomainQueries {
            var row = DomainQueries(client: Address(ipv4: address), .ipv4, domain: "d\(hash).org", hash: hash)
            row.queries = Double(names.count)
            for name in names { row.names.add((name &* 0x9E37_79B9_7F4A_7C15).byteSwapped &* 0xD1B5_4A32_D192_ED03) }
            return row
        }
        let rows = [
            row(2, 7, names: 1...5), row(1, 9, names: 1...5), row(2, 7, names: 4...20), row(2, 5, names: 1...1),
        ]
        let window = Observation(number: 1, domains: rows)
        #expect(window.domains.map(\.hash) == [9, 5, 7])
        #expect(window.domains.map(\.queries) == [5, 1, 22])
        #expect(abs((window.domains.last?.names.estimate ?? 0) - 20) < 6)
        #expect(Observation(number: 1, domains: rows.reversed()).domains.map(\.names) == window.domains.map(\.names))
    }

    @Test func `While strangers without number fill a table, who says most stays in it`() {
        var table = DomainTable(isOn: true)
        func ask(_ client: String, _ label: String) {
            let labels = [label, "evil", "org"].flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
            let payload = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + labels + [0, 0, 16, 0, 1]
            let frame = PacketBuilder().ethernet().ipv4(from: client).udp(to: 53).payload(payload).bytes
            let bytes = unsafe frame.span.bytes
            let packet = Packet(decoding: bytes, wireLength: frame.count)
            table.count(bytes.extracting(packet.capturedPayload), packet, weight: 1)
        }
        for number in 0..<1_000 {
            ask("10.1.\(number / 250).\(number % 250)", "a\(number)")
            if number % 10 == 0 { ask("192.0.2.1", String(repeating: "x", count: 20) + "\(number)") }
        }
        var window = Observation(number: 1)
        table.drain(into: &window)
        window.settle()
        #expect(window.domains.count <= 64)
        let row = window.domains.first { $0.client == Address(ipv4: 0xC000_0201) }
        #expect(row?.domain == "evil.org")
        #expect(row?.queries == 100)
        #expect(row?.carriers == 100)
        #expect(window.domains.reduce(0) { $0 + $1.queries } + Double(window.missed.questions) == 1_100)
        var next = Observation(number: 2)
        table.drain(into: &next)
        #expect(next.domains.isEmpty)
    }

    @Test func `Different things are counted to about 13 %`() {
        var random = SeededGenerator(seed: 5)
        for count in [1, 5, 10, 40, 100, 1_000, 100_000] {
            var errors = 0.0
            for _ in 0..<20 {
                var sketch = DistinctSketch()
                for _ in 0..<count {
                    let hash = random.next()
                    sketch.add(hash)
                    sketch.add(hash)
                }
                let error = sketch.estimate / Double(count) - 1
                errors += error * error
            }
            #expect((errors / 20).squareRoot() < 0.2, "\(count)")
        }
        #expect(DistinctSketch().estimate == 0)
    }
}
