import Detection
import Flows
import Packets
import Support
import Testing

@testable import Reports

struct ThreatTests {
    private let context = ThreatContext(
        interfaces: [2: "eth0"],
        ports: PortList(time: noon, tcp: [port(22)], udp: [port(53, .udp)]),
        home: [Prefix(host(1), .ipv4, bits: 32)]
    )

    @Test func `Every field of an event, its order and its unit`() throws {
        let found = finding { evidence in
            evidence.measures = [
                .init("ports refused", 30, level: 15, unit: "ports"), .init("share", 1 / 3.0, baseline: 0.01),
            ]
            evidence.ports = [(port: 22, count: 3), (port: 23, count: 1)]
            evidence.cost = .init(total: 1.5, perHour: 12.345678, unit: "EUR")
            evidence.samples = [sample()]
            evidence.sampling = SamplingCounters(offered: 800, kept: 100)
        }
        let event = try #require(events([found]).first)
        let expected = #"""
            {"schema":1,"id":"ID","type":"Port Scan","threat_type":"Port Scan","class":"scan.vertical.syn",
            "state":"opened","sequence":1,"severity":"High","confidence":87,"src_ip":"203.0.113.7",
            "dest_ip":"192.0.2.1","timestamp":"2025-12-08T10:30:00.000Z","began":"2025-12-08T10:30:00.000Z",
            "opened":"2025-12-08T10:30:00.000Z","last":"2025-12-08T10:30:00.000Z",
            "subject":{"address":"192.0.2.1","prefix_length":32,"port":22},"ratio":2,"findings":1,"folded":0,
            "sources":{"distinct":1,"counted_as":"probes","top":[{"address":"203.0.113.7","count":30}]},
            "summary":"30 ports of 192.0.2.1 were tried.","advice":"Look whether it is yours.",
            "process":{"program":"sshd","pid":812,"unit":"ssh.service"},
            "evidence":{"measures":[{"name":"ports refused","value":30,"latest":30,"level":15,"unit":"ports"},
            {"name":"share","value":0.333333,"latest":0.333333,"baseline":0.01,"unit":""}],
            "ports":[{"port":22,"count":3},{"port":23,"count":1}],
            "cost":{"total":1.5,"per_hour":12.3457,"unit":"EUR"},"sampling":{"offered":800,"kept":100},
            "packets":[{"timestamp":"2025-12-08T10:29:59.500000Z","size":54,"src_ip":"203.0.113.7",
            "dest_ip":"192.0.2.1","protocol":"SSH","src_port":40000,"dest_port":22,"flags":2,"sequence":1,
            "interface":"eth0","direction":"in"}]}}
            """#
        let threat = Threat(event: event, context)
        #expect(
            text(threat.json())
                == expected.split(separator: "\n").joined().replacing("ID", with: event.incident.id)
        )
    }

    @Test func `An incident is opened, escalated, goes on and closes under one id, each event with its time`() throws {
        var settings = IncidentSettings()
        settings.repeats = 5_000_000_000
        var table = IncidentTable(settings, sensor: "test")
        var told: [IncidentEvent] = []
        let second: Int64 = 1_000_000_000
        let measured = { (value: Double, severity: Severity) in
            finding(ratio: value, severity: severity) {
                $0.measures = [.init("rate", value * 10, level: 10, unit: "1/s")]
                $0.samples = [sample()]
            }
        }
        told += table.take([measured(2, .medium)], at: noon.nanoseconds)
        told += table.take([measured(9, .high)], at: noon.nanoseconds + second)
        told += table.take([measured(3, .high)], at: noon.nanoseconds + 6 * second)
        told += table.advance(to: noon.nanoseconds + 100 * second)
        let threats = told.map { Threat(event: $0) }
        #expect(threats.map(\.state) == [.opened, .escalated, .ongoing, .closed])
        #expect(threats.map(\.sequence) == [1, 2, 3, 4])
        #expect(Set(threats.map(\.id)).count == 1)
        #expect(threats.map(\.time.nanoseconds) == told.map(\.time))
        #expect(threats.map { $0.evidence?.packets?.count } == [1, 1, nil, 1])
        let last = try #require(threats.last)
        #expect(last.closed == last.time && text(last.json()).contains(#""closed":"2025-12-08T10:31:"#))
        let rate = try #require(last.evidence?.measures.first)
        #expect(rate.value == 90 && rate.latest == 30 && rate.level == 10)
        #expect(last.ratio == 9 && last.findings == 3)
        #expect(!text(threats[0].json()).contains(#""closed""#))
    }

    @Test func `The source is the one that more than half comes from, else multiple, else empty`() throws {
        func source(_ sources: [(Address, Double)]) throws -> String {
            try #require(events([finding(sources: sources)]).first.map { Threat(event: $0).source })
        }
        #expect(try source([(stranger(1), 1)]) == "203.0.113.1")
        #expect(try source([(stranger(1), 51), (stranger(2), 49)]) == "203.0.113.1")
        #expect(try source([(stranger(1), 50), (stranger(2), 50)]) == "multiple")
        #expect(try source((0..<1_000).map { (stranger($0), 1) }) == "multiple")
        #expect(try source([]) == "")
    }

    @Test func `The destination is the subject, unless that is the source itself or everyone`() throws {
        func destination(_ subject: Subject, _ source: Address = stranger(7)) throws -> String {
            let found = finding(.flood(.carpet), subject, sources: [(source, 1)])
            return try #require(events([found]).first.map { Threat(event: $0).destination })
        }
        #expect(try destination(Subject(host(1), .ipv4, port: 80)) == "192.0.2.1")
        #expect(try destination(Subject(prefixOf: host(1), .ipv4, bits: 24)) == "192.0.2.0/24")
        #expect(try destination(.all(.ipv4)) == "multiple")
        #expect(try destination(Subject(host(1), .ipv4), host(1)) == "multiple")
        #expect(try destination(Subject(Address(high: 0x2001_0DB8 << 32, low: 1), .ipv6)) == "2001:db8::1")
    }

    @Test func `A process is named only where the service is ours`() throws {
        func program(_ subject: Subject, _ threat: ThreatClass = .flood(.syn)) throws -> String? {
            try #require(events([finding(threat, subject)]).first?.incident).process(context)
        }
        #expect(try program(Subject(host(1), .ipv4, port: 22)) == "sshd")
        #expect(try program(Subject(host(1), .ipv4, port: 53), .flood(.udp)) == "sshd")
        #expect(try program(Subject(host(1), .ipv4)) == nil)
        #expect(try program(Subject(host(1), .ipv4, port: 80)) == nil)
        #expect(try program(Subject(host(2), .ipv4, port: 22)) == nil, "a port of another host")
    }

    @Test func `In brief it has a link for its evidence, and three sources`() throws {
        let sources = (0..<30).map { (stranger($0), Double(100 - $0)) }
        let event = try #require(events([finding(sources: sources) { $0.samples = [sample()] }]).first)
        let brief = Threat(event.incident, context, .brief)
        #expect(brief.topSources.map(\.address) == ["203.0.113.0", "203.0.113.1", "203.0.113.2"])
        let json = text(brief.json())
        #expect(json.hasSuffix(#""evidence_url":"/api/threats/\#(event.incident.id)"}"#))
        #expect(!json.contains(#""evidence":"#) && !json.contains("packets"))
        #expect(Threat(event: event).topSources.count == 20)
    }

    @Test(.enabled(if: ClientRules.isAvailable, "needs python3"))
    func `However much a detector says, a threat is small and JSON`() throws {
        let nasty = String(repeating: "</script>\u{1B}[31m\u{2028}\"", count: 500)
        let found = finding(sources: (0..<5_000).map { (stranger($0), .infinity) }) { evidence in
            evidence.measures = (0..<1_000).map { .init(nasty, $0 == 0 ? .nan : -.infinity, level: .nan, unit: nasty) }
            evidence.ports = (0..<10_000).map { (port: $0, count: .nan) }
            evidence.samples = (0..<1_000).map { sample($0) }
            evidence.summary = nasty
            evidence.advice = nasty
            evidence.countedAs = nasty
            evidence.cost = .init(total: .nan, perHour: .infinity, unit: nasty)
        }
        let threat = try #require(events([found]).first.map { Threat(event: $0, context) })
        let document = threat.json()
        #expect(document.count < 65_536, "\(document.count) bytes")
        #expect(ClientRules.parseError(document) == nil)
        #expect(!document.contains { $0 < 0x20 || $0 == UInt8(ascii: "<") })
        let evidence = try #require(threat.evidence)
        #expect(evidence.packets?.count == 20 && evidence.measures.count == 32 && evidence.ports.count == 32)
    }

    @Test(arguments: [
        (1.0 / 3, "0.333333"), (12_345.678, "12345.7"), (123_456.789, "123457"), (5e12, "5000000000000"),
        (0.000012345678, "0.0000123457"), (0, "0"), (.nan, "0"), (-2.5, "-2.5"), (0.1 + 0.2, "0.3"),
    ])
    func `Numbers have six digits`(value: Double, expected: String) {
        var json = JSONWriter()
        json.number(value.measured)
        #expect(text(json.bytes) == expected)
    }
}

extension Incident {
    fileprivate func process(_ context: ThreatContext) -> String? { Threat(self, context).process?.program }
}

struct ThreatQueryTests {
    private func incident(closedAfter seconds: Int64?) throws -> Incident {
        let told = events([finding()], quietFor: seconds ?? 0)
        return try #require(told.last).incident
    }

    @Test func `Open ones always, closed ones for ten minutes or since a time`() throws {
        let (open, closed) = (try incident(closedAfter: nil), try incident(closedAfter: 61))
        let end = try #require(closed.closed)
        let later = { (seconds: Int64) in WallTime(nanoseconds: end + seconds * 1_000_000_000) }
        #expect(ThreatQuery().asksFor(open, now: later(1_000_000)))
        #expect(ThreatQuery().asksFor(closed, now: later(600)))
        #expect(!ThreatQuery().asksFor(closed, now: later(601)))
        #expect(ThreatQuery(since: later(0)).asksFor(closed, now: later(1_000_000)))
        #expect(!ThreatQuery(since: later(1)).asksFor(closed, now: later(2)))
        let states = try ThreatQuery(since: nil, state: "open", threatClass: nil)
        #expect(states.asksFor(open, now: later(0)) && !states.asksFor(closed, now: later(0)))
        let ended = try ThreatQuery(since: nil, state: "closed", threatClass: nil)
        #expect(!ended.asksFor(open, now: later(0)) && ended.asksFor(closed, now: later(0)))
    }

    @Test(arguments: [
        ("scan", true), ("scan.vertical", true), ("scan.vertical.syn", true), ("scan.vert", false), ("flood", false),
        ("", false),
    ])
    func `A class is asked for by the parts of its name`(name: String, isIn: Bool) throws {
        let query = try ThreatQuery(since: nil, state: nil, threatClass: name)
        #expect(query.asksFor(try incident(closedAfter: nil), now: noon) == isIn)
    }

    @Test func `What cannot be read is an error that says what can`() {
        #expect(throws: ThreatQueryError.since) { try ThreatQuery(since: "yesterday", state: nil, threatClass: nil) }
        #expect(throws: ThreatQueryError.state) { try ThreatQuery(since: nil, state: "Open", threatClass: nil) }
        #expect("\(ThreatQueryError.since)".contains("2025-12-08T10:30:00Z"))
    }
}
