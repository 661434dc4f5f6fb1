import Detection
import Flows
import Packets
import Reports
import Testing

@testable import weir

@Suite struct ThreatsTests {
    private static func threats() -> [Threat] {
        var table = IncidentTable(IncidentSettings(), sensor: "test")
        var evidence = Evidence()
        evidence.measures = [
            .init("SYN packets a second", 12_500, level: 1_000, baseline: 3, unit: "1/s"), .init("answered", 0.25),
        ]
        evidence.sources = (0..<40).map { .init(Address(ipv4: 0xCB00_7100 + $0), .ipv4, count: 12.5) }
        evidence.ports = [(port: 443, count: 12_500)]
        evidence.samples = [PacketSummary(Packet(), time: 0, interface: 2, direction: .rx)]
        evidence.cost = .init(total: 1_234, perHour: 0.5, unit: "EUR")
        evidence.sampling = SamplingCounters(offered: 80_000, kept: 10_000)
        evidence.summary = "12,500 SYNs a second\u{1B}[2J, 3 are usual."
        evidence.advice = "Switch SYN cookies on."
        let subject = Subject(Address(high: 0x2001_0DB8 << 32, low: 1), .ipv6, port: 443)
        let found = Finding(
            .flood(.syn),
            subject,
            ratio: 12.5,
            severity: .critical,
            confidence: 0.97,
            evidence: evidence
        )
        let ports = PortList(
            time: .now,
            tcp: [
                OpenPort(
                    port: 443,
                    transport: .tcp,
                    service: "HTTPS",
                    program: "nginx",
                    status: .open,
                    risk: .low,
                    riskReason: "",
                    riskByPort: .low,
                    addresses: [],
                    pid: 12
                )
            ],
            udp: []
        )
        let context = ThreatContext(
            interfaces: [2: "eth0"],
            ports: ports,
            home: [Prefix(subject.address, .ipv6, bits: 128)]
        )
        let events = table.take([found], at: 1_765_189_800_000_000_000)
        return events.map { Threat(event: $0, context) }
    }

    @Test func `The sensor's list is readable, a line each`() throws {
        let rows = try ThreatRows(ThreatList(time: .now, threats: Self.threats()).json())
        let line = try #require(rows.threats.first).line
        for part in [
            "2025-12-08T10:30:00Z  opened     ", "Critical", " 97 % flood.syn ", " multiple ", " [2001:db8::1]:443",
            "12,500 SYNs a second\\x1b[2J",
        ] {
            #expect(line.contains(part), "\(part) in \(line)")
        }
        let shown = ThreatAnswer.heading
        #expect(shown.firstRange(of: "SUMMARY") != nil && line.count > shown.count)
        #expect(throws: SensorClient.ClientError.self) { try ThreatRows(Array("{}".utf8)) }
    }

    @Test func `Headings stand above their columns`() throws {
        let threat = try ThreatAnswer(try #require(Self.threats().first).json())
        func column(_ part: String, in text: String) -> Int? {
            text.firstRange(of: part).map { text.distance(from: text.startIndex, to: $0.lowerBound) }
        }
        for (heading, cell) in [
            ("STATE", "opened"), ("SEVERITY", "Critical"), ("CLASS", "flood.syn"), ("SOURCE", "multiple"),
            ("TARGET", "[2001"), ("ID", threat.id), ("SUMMARY", "12,500 SYNs"),
        ] {
            let (above, below) = (column(heading, in: ThreatAnswer.heading), column(cell, in: threat.line))
            #expect(above != nil && above == below, "\(heading)")
        }
    }

    @Test func `One incident is shown whole`() throws {
        let text = try ThreatAnswer(try #require(Self.threats().first).json()).text
        for part in [
            "flood.syn (DDoS Attack) at [2001:db8::1]:443, incident ", "12,500 SYNs a second\\x1b[2J, 3 are usual.",
            "What to do: Switch SYN cookies on.", "opened, Critical, 97 % sure", "up to 12.5 times its level",
            "multiple, of about 4", "nginx (process 12)", "1,234 EUR so far, 0.5 an hour",
            "10,000 of 80,000 frames were read", "SYN packets a second   12,500  12,500  1,000      3  1/s",
            "answered                 0.25    0.25", "203.0.113.0", "443   12,500", "eth0        in",
        ] {
            #expect(text.contains(part), "\(part) in \(text)")
        }
        #expect(!text.contains("\u{1B}"))
        #expect(throws: SensorClient.ClientError.self) { try ThreatAnswer(Array("{}".utf8)) }
    }

    @Test func `Who follows is told what is new or has changed, once`() throws {
        var one = try ThreatAnswer(try #require(Self.threats().first).json())
        (one.id, one.timestamp) = ("1", "2025-12-08T10:30:02.000Z")
        var two = one
        (two.id, two.timestamp) = ("2", "2025-12-08T10:30:01.000Z")
        var news = ThreatNews()
        #expect(news.take([one, two]).map(\.id) == ["2", "1"])
        #expect(news.take([one, two]).isEmpty)
        one.sequence = 2
        #expect(news.take([one, two]).map(\.id) == ["1"])
        #expect(news.take([two]).isEmpty)
        #expect(news.take([one, two]).map(\.id) == ["1"], "it was gone, and is here again")
    }

    @Test func `The status shows what is open`() throws {
        var status = SensorStatus(
            time: .now,
            version: "9",
            monitoringActive: true,
            modelsTrained: false,
            uptime: 61,
            interfaces: [],
            unwatched: [],
            ledger: LedgerCounts(),
            sampling: SamplingStatus(oneIn: 1, state: .normal),
            samplingHistory: [],
            redis: nil,
            kernelMemory: .init(maps: 0, rings: 0)
        )
        #expect(try StatusAnswer(status.json()).text().contains("nothing is judged"))
        var counts = ThreatCounts()
        (counts.open, counts.highest, counts.closed, counts.turnedAway) = (1, .critical, 2, 3)
        status.threats = counts
        let open = try ThreatRows(ThreatList(time: .now, threats: Self.threats()).json()).threats
        let text = try StatusAnswer(status.json()).text(open)
        #expect(text.contains("1 open, the highest Critical, 2 closed, 3 found no room"))
        #expect(text.hasSuffix(open[0].line))
    }
}
