import Detection
import Flows
import Packets
import Support
import Testing

/// The test set of economic denial of sustainability: every case by the records that its clients would leave.
@Suite struct EDoSTests {
    private let attacker = Address(ipv4: 0xC633_640A)

    private func isEDoS(_ incident: Incident) -> Bool { incident.threat.name.hasPrefix("edos.") }

    /// Checks the one incident that there must be.
    private func expect(
        _ name: String,
        _ traffic: EDoSTraffic,
        hours: Double,
        by clients: [Address],
        since: Double,
        _ settings: DetectionSettings = DetectionSettings()
    ) throws -> Incident {
        let detected = Detected(traffic.windows(0..<hours), settings)
        let found = detected.opened.filter(isEDoS)
        #expect(found.map(\.threat.name) == [name])
        let opened = try #require(found.first)
        #expect(opened.subject == traffic.service)
        #expect(opened.worst.summary.isEmpty == false && opened.worst.advice.isEmpty == false)
        let delay = Double(opened.opened - EDoSTraffic.time(since * 3_600)) / 6e10
        // What it cost until it was told last.
        let last = try #require(detected.events.last { isEDoS($0.incident) }?.incident)
        let cost = try #require(last.latest.cost)
        let truth = clients.reduce(0) { $0 + (traffic.truth[$1] ?? 0) } / 1e9
        print("\(name): \(delay.rounded()) min, \(cost.total) of \(truth) \(cost.unit): \(opened.worst.summary)")
        #expect(abs(cost.total / truth - 1) < 0.05)
        #expect(cost.unit == "GB")
        let top = Set(last.topSources.prefix(clients.count).map(\.address))
        #expect(top.isSubset(of: clients))
        return last
    }

    private func expectNothing(_ traffic: EDoSTraffic, hours: Double) {
        let detected = Detected(traffic.windows(0..<hours))
        #expect(detected.opened.map(\.threat.name) == [])
        for (threat, near) in detected.detection.nearness.sorted(by: { $0.key.name < $1.key.name }) {
            print("  \(threat.name) came to \(near.highest)")
        }
    }

    @Test func `One client that takes 5 Mbit/s for hours is a leech`() throws {
        var traffic = EDoSTraffic(seed: 1)
        traffic.visits(0..<4, perHour: 100)
        traffic.fetch(attacker, 1..<4, rate: 5e6, object: 4e6)
        let incident = try expect("edos.leech", traffic, hours: 4, by: [attacker], since: 1)
        #expect(incident.topSources.first?.address == attacker)
        #expect(incident.severity == .medium)
    }

    @Test func `A leech by new connections with gaps of any length is found`() throws {
        var traffic = EDoSTraffic(seed: 2)
        traffic.visits(0..<4, perHour: 100)
        var at = 1.0
        while at < 4 {
            traffic.connect(attacker, at: at, [.init(at: 0, lasts: 2, bytes: 4e6)])
            at += traffic.gap(mean: 6.4) / 3_600
        }
        _ = try expect("edos.leech", traffic, hours: 4, by: [attacker], since: 1)
    }

    @Test func `Sources that change every minute inside a /24 are one leech`() throws {
        var traffic = EDoSTraffic(seed: 3)
        traffic.visits(0..<4, perHour: 100)
        var members: [Address] = []
        for minute in 0..<180 {
            let member = Address(ipv4: 0xC633_6400 + UInt32(minute * 37 % 250) + 1)
            members.append(member)
            let from = 1 + Double(minute) / 60
            traffic.fetch(member, from..<from + 1.0 / 60, rate: 5e6, object: 2e6)
        }
        let incident = try expect("edos.leech", traffic, hours: 4, by: Array(Set(members)), since: 1)
        #expect(incident.worst.summary.contains("198.51.100.0/24"))
    }

    @Test func `200 clients of 25 kbit/s each are sustained cost, once the usual is known`() throws {
        var traffic = EDoSTraffic(seed: 4)
        traffic.visits(0..<11, perHour: 100)
        let clients = (0..<200).map { Address(ipv4: 0x2D00_0000 + UInt32($0) * 70_001) }
        for client in clients {
            let from = 9 + traffic.uniform() / 60
            traffic.fetch(client, from..<11, rate: 25_000, object: traffic.varied(100_000, factor: 1.5))
        }
        let incident = try expect("edos.sustained", traffic, hours: 11, by: clients, since: 9)
        #expect(abs(incident.distinctSources - 200) < 20)
    }

    @Test func `Load that is on for 5 minutes and off for 10 is pulsing`() throws {
        var traffic = EDoSTraffic(seed: 5)
        traffic.visits(0..<4, perHour: 100)
        for pulse in 0..<12 {
            let from = 1 + Double(pulse) / 4
            traffic.fetch(attacker, from..<from + 5.0 / 60, rate: 30e6, object: 4e6)
        }
        let incident = try expect("edos.pulsing", traffic, hours: 4, by: [attacker], since: 1)
        let period = try #require(incident.latest["period"])
        let duty = try #require(incident.latest["duty"])
        #expect(abs(period - 900) < 30)
        #expect(abs(duty - 1.0 / 3) < 0.1)
    }

    @Test func `A leech at half and at double the levels is found the sooner or the later`() throws {
        var traffic = EDoSTraffic(seed: 6)
        traffic.visits(0..<6, perHour: 60)
        traffic.fetch(attacker, 0.5..<6, rate: 5e6, object: 4e6)
        for scale in [0.5, 2] {
            var settings = DetectionSettings()
            settings.scale = scale
            let incident = try expect("edos.leech", traffic, hours: 6, by: [attacker], since: 0.5, settings)
            let delay = Double(incident.opened - EDoSTraffic.time(1_800)) / 6e10
            #expect(abs(delay / (120 * scale) - 1) < 0.05)
        }
    }

    @Test func `A flash crowd is none`() {
        var traffic = EDoSTraffic(seed: 10)
        traffic.visits(0..<12, perHour: 100)
        traffic.visits(9..<11, perHour: 3_000)
        expectNothing(traffic, hours: 12)
    }

    @Test func `A nightly backup of an hour and a half is none`() {
        var traffic = EDoSTraffic(seed: 11)
        traffic.visits(0..<12, perHour: 100)
        let files = stride(from: 0.0, to: 5_400, by: 2).map {
            EDoSTraffic.Exchange(at: $0, lasts: 2, bytes: traffic.varied(10e6, factor: 1.3))
        }
        traffic.connect(attacker, at: 9, files)
        expectNothing(traffic, hours: 12)
    }

    @Test func `One big download is none`() {
        var traffic = EDoSTraffic(seed: 12)
        traffic.visits(0..<12, perHour: 100)
        traffic.connect(attacker, at: 8, [.init(at: 0, lasts: 3 * 3_600, bytes: 20e9)])
        expectNothing(traffic, hours: 12)
    }

    @Test func `500 people behind one address are none`() {
        var traffic = EDoSTraffic(seed: 13)
        traffic.visits(0..<4, perHour: 20)
        var at = 0.5
        while at < 4 {
            traffic.visit(attacker, at: at, pages: 12)
            at += traffic.gap(mean: 1.0 / 500)
        }
        expectNothing(traffic, hours: 4)
    }

    @Test func `The people of an office who work behind one address all day are none`() {
        var traffic = EDoSTraffic(seed: 15)
        var at = 0.5
        while at < 8 {
            traffic.visit(attacker, at: at, pages: 40)
            at += traffic.gap(mean: 1.0 / 40)
        }
        expectNothing(traffic, hours: 8)
    }

    @Test func `Nine days, each busy in the afternoon, are none`() {
        var traffic = EDoSTraffic(seed: 16)
        for hour in 0..<216 {
            let noon = (Double(hour % 24) - 15) / 9
            for _ in 0..<Int(20 + 280 * max(0, 1 - noon * noon)) {
                let client = Address(ipv4: 0x5000_0000 + UInt32(truncatingIfNeeded: traffic.random.next() >> 40))
                let bytes = traffic.varied(3e6, factor: 3)
                traffic.connect(client, at: Double(hour) + traffic.uniform(), [.init(at: 0, lasts: 3, bytes: bytes)])
            }
        }
        expectNothing(traffic, hours: 216)
    }

    @Test func `Health checks are none`() {
        var traffic = EDoSTraffic(seed: 14)
        for checker in 0..<3 {
            for second in stride(from: Double(checker), to: 5 * 3_600, by: 5) {
                traffic.connect(
                    Address(ipv4: 0xC633_6414 + UInt32(checker)),
                    at: second / 3_600,
                    [.init(at: 0, lasts: 0.01, bytes: 1_200)]
                )
            }
        }
        expectNothing(traffic, hours: 5)
    }
}

/// Connections that ask for nothing.
@Suite struct EDoSHoldingTests {
    private let attacker = Address(ipv4: 0xC633_640A)

    /// Connections that are open from the tenth minute to the 40th, and told every 10 s.
    private func traffic(_ clients: [Address], _ digest: (FlowDigest) -> FlowDigest) -> EDoSTraffic {
        var traffic = EDoSTraffic(seed: 20)
        traffic.visits(0..<1, perHour: 100)
        for (place, client) in clients.enumerated() {
            for slice in 0..<180 {
                let first = 600 + Double(slice / 30 * 300)
                let last = 600 + Double(slice * 10 + 10)
                let flow = FlowDigest(
                    initiator: client,
                    responder: traffic.service.address,
                    initiatorPort: 30_000 + UInt16(place),
                    responderPort: traffic.service.port,
                    end: slice % 30 == 29 ? .active : .interim,
                    isFirst: slice % 30 == 0,
                    first: EDoSTraffic.time(first),
                    last: EDoSTraffic.time(last),
                    forward: Volume(packets: 1, bytes: 76),
                    backward: Volume(packets: 1, bytes: 66),
                    forwardTotal: Volume(packets: 10, bytes: 700),
                    backwardTotal: Volume(packets: 10, bytes: 660),
                    forwardPayload: UInt64(10 * (slice % 30 + 1)),
                    backwardPayload: 0,
                    newRequests: slice == 0 ? 1 : 0,
                    synchronisations: slice < 30 ? 2 : 0
                )
                traffic.add(digest(flow), at: last)
            }
        }
        return traffic
    }

    private func expectHolding(_ traffic: EDoSTraffic) throws {
        let detected = Detected(traffic.windows(0..<1))
        let incident = try #require(detected.opened.first)
        #expect(detected.opened.map(\.threat.name) == ["edos.holding"])
        #expect(incident.topSources.map(\.address) == [attacker])
        let delay = Double(incident.opened - EDoSTraffic.time(600)) / 6e10
        let cost = try #require(detected.events.last { $0.incident.threat == incident.threat }?.incident.latest.cost)
        print("edos.holding: \(delay.rounded()) min, \(cost.total) \(cost.unit): \(incident.worst.summary)")
        #expect(cost.unit == "connection hours")
        #expect(abs(cost.total / (15 * 0.5) - 1) < 0.05)
    }

    @Test func `15 connections with a line of a head every 15 s hold capacity`() throws {
        try expectHolding(traffic(Array(repeating: attacker, count: 15)) { $0 })
    }

    @Test func `15 connections that hardly read the answer hold capacity`() throws {
        try expectHolding(
            traffic(Array(repeating: attacker, count: 15)) { flow in
                var flow = flow
                flow.backwardPayload = 200_000
                flow.zeroWindows = 8
                return flow
            }
        )
    }

    @Test func `Connections that are answered now and then hold nothing`() {
        let traffic = traffic(Array(repeating: attacker, count: 60)) { flow in
            var flow = flow
            flow.backwardPayload = 40
            return flow
        }
        #expect(Detected(traffic.windows(0..<1)).opened.isEmpty)
    }

    @Test func `Uploads, and senders of logs that are never answered, hold nothing`() {
        let senders = (0..<60).map { Address(ipv4: 0xC633_6400 &+ UInt32($0) << 8) }
        #expect(Detected(traffic(senders) { $0 }.windows(0..<1)).opened.isEmpty)
        let uploads = traffic(Array(repeating: attacker, count: 30)) { flow in
            var flow = flow
            flow.forwardPayload = 40_000_000
            return flow
        }
        #expect(Detected(uploads.windows(0..<1)).opened.isEmpty)
    }
}
