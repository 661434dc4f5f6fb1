import Flows
import Packets
import Support
import Testing

@testable import Detection

/// By which packets a scan is made, and what looks like one and is none.
@Suite struct ScanTechniqueTests {
    private let host: UInt32 = 0xC000_0201
    private let source: UInt32 = 0xC633_6407

    @Test(
        arguments: [
            ("syn", TCPFlags.syn), ("fin", .fin), ("null", []), ("xmas", [.fin, .psh, .urg]), ("maimon", [.fin, .ack]),
            ("ack", .ack),
        ] as [(String, TCPFlags)]
    )
    func `TCP scans are told by the flags of their probes`(_ technique: String, _ flags: TCPFlags) {
        var traffic = ScanTraffic()
        for port in 1...20 {
            traffic.probe(host, UInt16(port), from: source, at: Double(port) * 0.05, flags: flags, sourcePort: 51_000)
        }
        #expect(traffic.detected().classes == ["scan.vertical.\(technique)"])
    }

    @Test func `Probes of single packets count, answered or not`() {
        for flags in [TCPFlags.fin, [], [.fin, .psh, .urg], .syn] {
            var traffic = ScanTraffic()
            for port in 1...20 {
                traffic.probe(host, UInt16(port), from: source, at: Double(port) * 0.05, .silent, flags: flags)
            }
            #expect(traffic.detected().classes.count == 1)
        }
    }

    typealias Other = (String, UInt8, ScanTraffic.Outcome)

    @Test(arguments: [("udp", 17, .unreachable), ("udp", 17, .silent), ("sctp", 132, .refused)] as [Other])
    func `Other protocols are scanned too`(_ technique: String, _ number: UInt8, _ outcome: ScanTraffic.Outcome) {
        var traffic = ScanTraffic()
        for port in 1...20 {
            traffic.probe(host, UInt16(port), from: source, at: Double(port) * 0.05, outcome, protocolNumber: number)
        }
        #expect(traffic.detected().classes == ["scan.vertical.\(technique)"])
    }

    @Test func `SCTP that answers with more than an abort is open`() {
        var traffic = ScanTraffic()
        for port in 1...20 {
            traffic.probe(host, UInt16(port), from: source, at: Double(port) * 0.05, .answered, protocolNumber: 132)
        }
        #expect(traffic.detected().opened.isEmpty)
    }

    @Test func `Echo requests to a network are a horizontal scan by ICMP, and other ICMP is none`() {
        func sweep(_ type: UInt8) -> Set<String> {
            var traffic = ScanTraffic()
            for place in 0..<60 {
                traffic.probe(
                    host + UInt32(place),
                    0,
                    from: source,
                    at: Double(place) * 0.05,
                    .silent,
                    protocolNumber: 1,
                    icmpType: type,
                    sourcePort: 0
                )
            }
            return traffic.detected().classes
        }
        #expect(sweep(8) == ["scan.horizontal.icmp"])
        #expect(sweep(13) == ["scan.horizontal.icmp"])
        // Replies to what others sent in our name, and errors.
        #expect(sweep(0).isEmpty)
        #expect(sweep(3).isEmpty)
        #expect(sweep(11).isEmpty)
    }

    @Test func `Many IP protocols of one host are a scan of them`() {
        var traffic = ScanTraffic()
        for number in UInt8(60)...90 {
            traffic.probe(
                host,
                0,
                from: source,
                at: Double(number) * 0.05,
                .unreachable,
                protocolNumber: number,
                sourcePort: 0
            )
        }
        #expect(traffic.detected().classes == ["scan.vertical.ip"])
    }

    @Test func `Whole connections are told from raw SYN by the options of a real stack`() {
        var traffic = ScanTraffic()
        for port in 1...12 {
            traffic.probe(host, UInt16(port), from: source, at: Double(port) * 0.05, headerLength: 40)
        }
        for port in 13...15 {
            traffic.probe(host, UInt16(port), from: source, at: Double(port) * 0.05, .empty, headerLength: 40)
        }
        #expect(traffic.detected().classes == ["scan.vertical.connect"])
    }

    @Test func `A SYN scan of open ports is found by the RST of a stack that knows nothing of it`() {
        #expect(ScanTraffic.ports(1...20, every: 0.05, .halfOpen).detected().classes == ["scan.vertical.syn"])
    }

    // MARK: None

    @Test func `A server that answers 12 clients, or 40 ports of one, is no scanner`() {
        for clients in [12, 40] {
            var traffic = ScanTraffic()
            for place in 0..<clients {
                let port = UInt16(50_000 + place)
                let client = clients == 12 ? source + UInt32(place) : source
                // Data of connections whose beginning was not seen; then FIN, to clients that are gone.
                traffic.probe(
                    client,
                    port,
                    from: host,
                    at: Double(place) * 0.05,
                    .refused,
                    flags: [.ack, .psh],
                    sourcePort: 443,
                    payload: 900
                )
                traffic.probe(
                    client,
                    port + 100,
                    from: host,
                    at: Double(place) * 0.05,
                    .refused,
                    flags: [.fin, .ack],
                    sourcePort: 443
                )
                traffic.probe(
                    client,
                    port + 200,
                    from: host,
                    at: Double(place) * 0.05,
                    .silent,
                    flags: .ack,
                    sourcePort: 8_080
                )
                traffic.probe(
                    client,
                    port + 300,
                    from: host,
                    at: Double(place) * 0.05,
                    .unreachable,
                    protocolNumber: 17,
                    sourcePort: 53
                )
            }
            let detected = traffic.detected()
            #expect(detected.opened.isEmpty)
            #expect(detected.detection.nearness.isEmpty)
        }
    }

    @Test func `What the victim of a flood answers to those in whose name it came is no scan`() {
        for flags in [[TCPFlags.syn, .ack], [.rst], [.rst, .ack]] as [TCPFlags] {
            var traffic = ScanTraffic()
            var random = SeededGenerator(seed: 9)
            for place in 0..<3_000 {
                traffic.probe(
                    UInt32(truncatingIfNeeded: random.next()),
                    UInt16(1_024 + random.next() % 60_000),
                    from: host,
                    at: Double(place) * 0.01,
                    random.next() % 2 == 0 ? .refused : .silent,
                    flags: flags,
                    sourcePort: 80
                )
            }
            #expect(traffic.detected().detection.nearness.isEmpty)
        }
    }

    @Test func `Traceroute, multicast and broadcast are no scans`() {
        var traffic = ScanTraffic()
        for place in 0..<60 {
            let time = Double(place) * 0.1
            traffic.probe(host, UInt16(33_434 + place), from: source, at: time, .unreachable, protocolNumber: 17)
            traffic.probe(0xE000_0001 + UInt32(place), 5_000, from: source, at: time, .silent, protocolNumber: 17)
            traffic.probe(0xFFFF_FFFF, UInt16(1 + place), from: source, at: time, .silent, protocolNumber: 17)
        }
        #expect(traffic.detected().detection.nearness.isEmpty)
    }

    @Test func `Health checks that connect and say nothing are no scan, whatever they find`() {
        var traffic = ScanTraffic()
        for round in 0..<30 {
            for backend in 0..<40 {
                // 40 hosts, and 40 ports of one; a tenth is down.
                let outcome: ScanTraffic.Outcome = backend % 10 == 7 ? .refused : .empty
                let time = Double(round) * 10 + Double(backend) * 0.01
                traffic.probe(host + UInt32(backend), 8_000, from: source, at: time, outcome, headerLength: 40)
                traffic.probe(host, UInt16(9_000 + backend), from: source, at: time + 5, outcome, headerLength: 40)
            }
        }
        #expect(traffic.detected().opened.isEmpty)
    }

    @Test func `An answer that stands for a flow of its own is one all the same`() {
        // The flow table had no room for the SYN when its answer came.
        var traffic = ScanTraffic()
        for place in 0..<40 {
            let (server, port) = (host + UInt32(place), UInt16(40_000 + place))
            let time = Double(place) * 0.05
            traffic.probe(server, 25, from: source, at: time, .silent, sourcePort: port)
            traffic.probe(source, port, from: server, at: time + 0.01, .silent, flags: [.syn, .ack], sourcePort: 25)
        }
        #expect(traffic.detected().opened.isEmpty)
    }
}
