import Flows
import Packets
import Support
import Testing

@testable import Detection

/// What is a scan, and how soon it is found.
@Suite struct ScanDetectorTests {
    private let host: UInt32 = 0xC000_0201
    private let source: UInt32 = 0xC633_6407

    // MARK: Vertical

    @Test func `18 ports in 2 s over the edge of a minute are a vertical scan, found as the last is refused`() throws {
        var traffic = ScanTraffic()
        // From a second before a whole minute of the clock to a second after it.
        let edge = 60 - Double(ScanTraffic.start % (60 * ScanTraffic.second)) / 1e9
        for place in 0..<18 {
            traffic.probe(host, UInt16(1_000 + place), from: source, at: edge - 1 + Double(place) * 2 / 17)
        }
        let detected = traffic.detected()
        #expect(detected.classes == ["scan.vertical.syn"])
        let incident = try #require(detected.opened.first)
        #expect(incident.subject == Subject(Address(ipv4: host), .ipv4))
        #expect(try #require(ScanTraffic.delay(detected)) <= edge + 1 + 2)
        #expect(incident.topSources.map(\.address) == [Address(ipv4: source)])
    }

    @Test func `14 ports are not enough, and how near they came is told`() throws {
        let detected = ScanTraffic.ports(1...14, every: 0.1).detected()
        #expect(detected.opened.isEmpty)
        let nearness = try #require(detected.detection.nearness[.scan(.vertical, .syn, isOutbound: false)])
        #expect(abs(nearness.highest - 14.0 / 15) < 0.001)
    }

    @Test(arguments: [ScanTraffic.Outcome.refused, .unreachable])
    func `A scan of 25 probes is found within 2 s of its last refusal`(_ outcome: ScanTraffic.Outcome) throws {
        // Slow enough for the level to be reached only near its end.
        let traffic = ScanTraffic.ports(1...25, every: 0.04, outcome)
        let detected = traffic.detected()
        #expect(detected.classes == ["scan.vertical.syn"])
        #expect(try #require(ScanTraffic.delay(detected)) <= 24 * 0.04 + 2)
    }

    @Test func `A scan of 25 probes that nobody answers is found within 7 s, though no packet comes any more`() throws {
        let detected = ScanTraffic.ports(1...25, every: 0.04, .silent).detected()
        #expect(detected.classes == ["scan.vertical.syn"])
        let delay = try #require(ScanTraffic.delay(detected))
        #expect((5...24 * 0.04 + 7).contains(delay))
    }

    @Test func `Retries of the same ports from other source ports are no new targets`() {
        var traffic = ScanTraffic()
        for place in 0..<200 {
            traffic.probe(host, UInt16(1_000 + place % 12), from: source, at: Double(place) * 0.1, .silent)
        }
        #expect(traffic.detected().opened.isEmpty)
    }

    @Test func `Five hosts that are scanned at one time are five victims`() {
        var traffic = ScanTraffic()
        for place in 0..<5_000 {
            let victim = host + UInt32(place % 5)
            traffic.probe(victim, UInt16(1 + place / 5), from: source, at: Double(place) / 5_000)
        }
        let detected = traffic.detected()
        #expect(detected.classes == ["scan.vertical.syn"])
        #expect(Set(detected.opened.map(\.subject.address.low)).count == 5)
        #expect(detected.opened.count == 5)
    }

    // MARK: Slow

    @Test func `A port every 70 s is a slow scan, found in a quarter of an hour`() throws {
        let detected = ScanTraffic.ports(1...20, every: 70).detected()
        #expect(detected.classes == ["scan.slow.syn"])
        #expect(try #require(ScanTraffic.delay(detected)) < 900)
        #expect(detected.opened.first?.subject == Subject(Address(ipv4: host), .ipv4))
    }

    @Test(arguments: [ScanTraffic.Outcome.refused, .silent])
    func `A probe every 5 min is found within 2 h, as one incident`(_ outcome: ScanTraffic.Outcome) throws {
        let detected = ScanTraffic.ports(1...40, every: 300, outcome).detected()
        #expect(detected.classes == ["scan.slow.syn"])
        #expect(try #require(ScanTraffic.delay(detected)) < 7_200)
        #expect(detected.opened.count == 1)
    }

    @Test func `A probe every 15 s is a vertical scan`() {
        #expect(ScanTraffic.ports(1...40, every: 15).detected().classes == ["scan.vertical.syn"])
    }

    @Test func `A client that fails at five services again and again for a day is none`() {
        var traffic = ScanTraffic()
        for minute in 0..<1_440 {
            traffic.probe(host, UInt16(5_000 + minute % 5), from: source, at: Double(minute) * 60, .silent)
        }
        #expect(traffic.detected().opened.isEmpty)
    }

    // MARK: Horizontal and block

    @Test func `25 hosts of a network on one port are a horizontal scan of it`() throws {
        let detected = ScanTraffic.hosts(25, 23, every: 0.1, .silent).detected()
        #expect(detected.classes == ["scan.horizontal.syn"])
        #expect(detected.opened.first?.subject.description == "192.0.2.0/24")
        #expect(try #require(ScanTraffic.delay(detected)) <= 2.4 + 7)
    }

    @Test func `Hosts of many networks are all of ours, or everyone`() {
        var traffic = ScanTraffic()
        for place in 0..<60 {
            traffic.probe(0x0A00_0001 + UInt32(place) << 12, 23, from: source, at: Double(place) * 0.1)
        }
        #expect(traffic.detected().opened.map(\.subject.description) == ["0.0.0.0/0"])
        var scene = Scene()
        scene.home = [Prefix(Address(ipv4: 0x0A00_0000), .ipv4, bits: 8)]
        #expect(traffic.detected(DetectionSettings(), scene).opened.map(\.subject.description) == ["10.0.0.0/8"])
    }

    @Test func `In IPv6 a network is a /64`() {
        let contacts = (1...30).map { place in
            Contact(
                .opened,
                time: ScanTraffic.start + Int64(place) * 1_000_000,
                initiator: Address(high: 0x2001_0DB8_FFFF_0000, low: 7),
                responder: Address(high: 0x2001_0DB8_0000_0001, low: UInt64(place) << 20),
                initiatorPort: 50_000,
                responderPort: 23,
                family: .ipv6,
                protocolNumber: 6,
                flags: .syn
            )
        }
        let number = ScanTraffic.start >> 30
        let detected = Detected([Observation(number: number, contacts: contacts), Observation(number: number + 11)])
        #expect(detected.opened.map(\.threat.name) == ["scan.horizontal.syn"])
        #expect(detected.opened.map(\.subject.description) == ["2001:db8:0:1::/64"])
    }

    @Test func `Popular ports fail every day, and count less`() {
        #expect(ScanTraffic.hosts(60, 443, every: 0.1, .silent).detected().opened.isEmpty)
        #expect(ScanTraffic.hosts(110, 443, every: 0.1, .silent).detected().classes == ["scan.horizontal.syn"])
    }

    @Test func `Many ports of many hosts are a block scan`() throws {
        var traffic = ScanTraffic()
        var random = SeededGenerator(seed: 11)
        for place in 0..<4_000 {
            let victim = 0xC000_0200 | UInt32(random.next() % 64)
            traffic.probe(victim, UInt16(1 + random.next() % 100), from: source, at: Double(place) / 400)
        }
        let detected = traffic.detected()
        #expect(detected.opened.map(\.threat.name).contains("scan.block.syn"))
        let block = try #require(detected.opened.first { $0.threat.name == "scan.block.syn" })
        #expect(block.subject.description == "192.0.2.0/24")
    }

    @Test func `Hosts of a network that are scanned one after the other end as one block scan`() {
        var traffic = ScanTraffic()
        for place in 0..<6_000 {
            traffic.probe(
                0xC000_0201 + UInt32(place / 100),
                UInt16(1 + place % 100),
                from: source,
                at: Double(place) / 200
            )
        }
        let opened = traffic.detected().opened
        #expect(opened.count { $0.threat.name == "scan.block.syn" } == 1)
        // The first few stand for themselves, before it was a block.
        #expect(opened.count { $0.threat.name == "scan.vertical.syn" } <= 7)
    }

    @Test func `The sequential test decides after four failures, and clients that mostly succeed are none`() {
        var suspect = ScanSuspect(target(1), .ipv4)
        for port in 2...4 { suspect.fail(target(UInt16(port)), span: 280, forgets: 1_100) }
        #expect(suspect.likelihood == 256)
        suspect.reach(Address(ipv4: host), 80)
        suspect.reach(Address(ipv4: host), 80)
        #expect(suspect.likelihood == 64)

        // A mail server: of 400 hosts on port 25 a fifth does not answer.
        var traffic = ScanTraffic()
        for place in 0..<400 {
            traffic.probe(
                0x0A00_0001 + UInt32(place) << 8,
                25,
                from: source,
                at: Double(place) * 0.7,
                place % 5 == 3 ? .silent : .answered
            )
        }
        #expect(traffic.detected().opened.isEmpty)
    }

    private func target(_ port: UInt16) -> ScanTarget {
        ScanTarget(host: Address(ipv4: host), port: port, technique: .syn, outcome: .refused, tick: 1)
    }

    @Test func `Peers on a port of their own each are no scan`() {
        var traffic = ScanTraffic()
        var random = SeededGenerator(seed: 5)
        for place in 0..<2_000 {
            traffic.probe(
                UInt32(truncatingIfNeeded: random.next()) & 0x7FFF_FFFF,
                UInt16(1_025 + random.next() % 60_000),
                from: source,
                at: Double(place) * 0.1,
                random.next() % 3 == 0 ? .answered : .silent,
                protocolNumber: 17,
                sourcePort: 51_413
            )
        }
        #expect(traffic.detected().opened.isEmpty)
    }

    // MARK: Distributed

    @Test func `Sources that share the ports of a host are a distributed scan`() throws {
        var traffic = ScanTraffic()
        for place in 0..<200 {
            traffic.probe(host, UInt16(1 + place), from: source + UInt32(place % 40) << 8, at: Double(place) * 0.2)
        }
        let detected = traffic.detected()
        #expect(detected.classes == ["scan.distributed.syn"])
        let incident = try #require(detected.detection.incidents.closed.first)
        #expect(incident.subject == Subject(Address(ipv4: host), .ipv4))
        #expect(incident.distinctSources > 20)
    }

    @Test func `Scanners that know nothing of each other are not distributed`() {
        var traffic = ScanTraffic()
        var random = SeededGenerator(seed: 3)
        let usual: [UInt16] = [21, 22, 23, 80, 443, 445, 3389, 8080, 5900, 6379]
        for place in 0..<3_000 {
            let port = random.next() % 10 < 9 ? usual[Int(random.next() % 10)] : UInt16(1 + random.next() % 60_000)
            traffic.probe(host, port, from: UInt32(truncatingIfNeeded: random.next()), at: Double(place) * 0.8, .silent)
        }
        #expect(traffic.detected().opened.isEmpty)
    }

    @Test func `Decoys are sources of the one scan`() throws {
        var traffic = ScanTraffic()
        for port in 1...100 {
            for decoy in 0..<4 {
                traffic.probe(host, UInt16(port), from: source + UInt32(decoy), at: Double(port) * 0.02)
            }
        }
        let detected = traffic.detected()
        #expect(detected.opened.map(\.threat.name) == ["scan.vertical.syn"])
        #expect(detected.detection.incidents.closed.first?.distinctSources == 4)
    }

    @Test func `Thousands of scanners of one host are one incident`() throws {
        var traffic = ScanTraffic()
        for place in 0..<40_000 {
            // 2,000 sources, 20 ports each.
            traffic.probe(
                host,
                UInt16(1 + place / 2_000),
                from: source + UInt32(place % 2_000) << 4,
                at: Double(place) / 2_000
            )
        }
        let detected = traffic.detected()
        #expect(detected.opened.map(\.threat.name) == ["scan.vertical.syn"])
        let incident = try #require(detected.detection.incidents.closed.first)
        #expect(incident.topSources.count == 20)
        #expect(incident.distinctSources > 500)
    }

    // MARK: Outbound

    @Test func `One of our own that scans is the subject, at lower levels, and worse`() throws {
        let traffic = ScanTraffic.hosts(15, 445, first: 0xC633_6401, from: host, every: 0.1, .silent)
        #expect(traffic.detected().opened.isEmpty)
        let detected = traffic.detected(DetectionSettings(), .atHome)
        #expect(detected.classes == ["scan.outbound.horizontal.syn"])
        let incident = try #require(detected.opened.first)
        #expect(incident.subject == Subject(Address(ipv4: host), .ipv4))
        #expect(incident.severity >= .high)
        #expect(incident.latest.advice.contains("process"))
        // What foreign hosts do to each other is none of our business.
        let foreign = ScanTraffic.ports(1...100, of: 0x0A00_0001, every: 0.1)
        #expect(foreign.detected(DetectionSettings(), .atHome).opened.isEmpty)
    }

    @Test func `Ports that were open are told, with the program that listens`() throws {
        var traffic = ScanTraffic.ports(1...40, every: 0.02)
        traffic.probe(host, 5_432, from: source, at: 0.9, .halfOpen)
        var scene = Scene.atHome
        scene.services[5_432] = Scene.Service(program: "postgres", process: 7)
        let incident = try #require(traffic.detected(DetectionSettings(), scene).detection.incidents.closed.first)
        #expect(incident.worst.summary.contains("open: 5432 (postgres)"))
        #expect(incident.worst.summary.contains("198.51.100.7 tried 41 ports of 192.0.2.1 in vain"))
        #expect(incident.worst["share refused"].map { $0 > 0.9 } ?? false)
        #expect(incident.worst.measures.first?.level == 15)
        #expect(incident.worst.ports.count == 41)
    }

    @Test func `Confidence follows what is proven, severity how much was tried`() throws {
        func incident(_ ports: ClosedRange<UInt16>, _ outcome: ScanTraffic.Outcome) throws -> Incident {
            try #require(ScanTraffic.ports(ports, every: 0.005, outcome).detected().detection.incidents.closed.first)
        }
        let (refused, silent) = (try incident(1...20, .refused), try incident(1...20, .silent))
        #expect(refused.confidence > 0.99)
        #expect(abs(silent.confidence - 0.7) < 0.01)
        #expect(refused.severity == .medium)
        #expect(try incident(1...400, .refused).severity == .high)
        #expect(try incident(1...4_000, .refused).severity == .critical)
    }
}
