import Flows
import Packets
import Support
import Testing

@testable import Detection

@Suite struct CostTests {
    private let client = Address(ipv4: 0xC633_640A)
    private let server = Address(ipv4: 0xCB00_7105)

    private func flow(_ from: Address, _ to: Address, port: UInt16 = 443, bytes: UInt64 = 1_000_000) -> FlowDigest {
        FlowDigest(
            initiator: from,
            responder: to,
            initiatorPort: 40_000,
            responderPort: port,
            first: EDoSTraffic.start,
            last: EDoSTraffic.start,
            forward: Volume(packets: 100, bytes: 6_600),
            backward: Volume(packets: 1_000, bytes: bytes)
        )
    }

    private func report(
        _ flows: [FlowDigest],
        _ settings: DetectionSettings = DetectionSettings(),
        _ scene: Scene = Scene()
    ) throws -> CostReport {
        var detection = Detection(settings, sensor: "test")
        let first = (EDoSTraffic.start >> 30) + 1
        _ = detection.take(Observation(number: first, flows: flows), scene)
        _ = detection.take(Observation(number: first + 120), scene)
        return try #require(detection.costs())
    }

    @Test func `Cost is told by service and client, in GB without prices`() throws {
        let other = Address(ipv4: 0xC633_640B)
        let flows = [
            flow(client, server, bytes: 3_000_000_000), flow(other, server, bytes: 1_000_000_000),
            flow(other, server, port: 80, bytes: 500_000_000),
        ]
        let report = try report(flows)
        #expect(report.unit == "GB")
        #expect(report.services.map(\.service.port) == [443, 80])
        #expect(report.services[0].amounts.today == 4)
        #expect(report.services[0].amounts.usageToday == CostUsage(bytes: 4e9, requests: 2))
        #expect(report.services[0].clients.map(\.address) == [client, other])
        #expect(report.services[0].clients.map(\.share) == [0.75, 0.25])
        #expect(report.total.today == 4.5)
        #expect(report.budgetBurn == nil)
    }

    @Test func `Cost is told by the prices that are set, and against the budget`() throws {
        var settings = DetectionSettings()
        settings.edos.prices.perGB = 0.09
        settings.edos.prices.perMillionRequests = 2
        settings.edos.prices.perInstanceHour = 0.36
        settings.edos.prices.monthlyBudget = 1_000
        var asked = flow(client, server, bytes: 1_000_000_000)
        asked.newRequests = 1_000_000
        let report = try report([asked], settings)
        // A GB, a million requests, and the 2.78 hours that one instance takes for them at 100 a second.
        let cost = 0.09 + 2 + 1e6 / 360_000 * 0.36
        #expect(abs(report.total.today - cost) < 1e-9)
        #expect(report.unit == "USD")
        let burn = try #require(report.budgetBurn)
        #expect(abs(burn - report.total.projectedMonth / 1_000) < 1e-9)
        #expect(abs(report.total.projectedMonth / (cost * 60 * 730.5 / 2) - 1) < 0.01)
    }

    @Test func `The responder is the service, at home where that is known`() throws {
        var scene = Scene()
        scene.home = [Prefix(server, .ipv4, bits: 32)]
        let flows = [flow(client, server), flow(server, client), flow(server, server)]
        #expect(try report(flows, DetectionSettings(), scene).services.map(\.service.address) == [server])
        scene.home = [Prefix(client, .ipv4, bits: 24), Prefix(server, .ipv4, bits: 24)]
        #expect(try report(flows, DetectionSettings(), scene).services.isEmpty)
        var settings = DetectionSettings()
        settings.edos.countsInternal = true
        #expect(try report(flows, settings, scene).services.count == 2)
    }

    @Test func `Where home is not known, what a private network asks of the world is not its cost`() throws {
        let host = Address(ipv4: 0xC0A8_0105)
        let flows = [flow(host, server), flow(client, host), flow(Address(ipv4: 0x0A00_0001), host, port: 5432)]
        let report = try report(flows)
        #expect(report.services.map(\.service) == [Subject(host, .ipv4, port: 443)])
    }

    @Test func `What was not answered, and who only knocked, costs nobody anything`() throws {
        var silent = flow(client, server)
        silent.isAnswered = false
        var knock = flow(client, server, port: 80, bytes: 60)
        (knock.forwardPayload, knock.backwardPayload) = (0, 0)
        let report = try report([silent, knock])
        #expect(report.services.map(\.service.port) == [80])
        #expect(report.services[0].clients.isEmpty)
    }

    @Test func `However many clients, groups and services come, their number is bounded, and a leech is kept`() throws {
        var settings = EDoSSettings()
        (settings.clients, settings.groups, settings.services) = (256, 64, 32)
        var detector = EDoSDetector(settings, scale: 1)
        var random = SeededGenerator(seed: 9)
        var findings: [Finding] = []
        for minute in 0..<30 {
            for part in 0..<6 {
                var flows = [flow(client, server, bytes: 6_000_000)]
                for _ in 0..<200 {
                    let stranger = Address(ipv4: 0x5000_0000 + UInt32(truncatingIfNeeded: random.next() >> 40))
                    flows.append(flow(stranger, server, bytes: 500_000))
                    let port = UInt16(truncatingIfNeeded: random.next())
                    flows.append(flow(stranger, Address(ipv4: 0x5100_0000), port: port, bytes: 200))
                }
                let number = (EDoSTraffic.start + Int64(minute * 60 + part * 10) * 1_000_000_000) >> 30
                detector.judge(Observation(number: number, flows: flows), Scene(), &findings)
                #expect(detector.table.clients.count <= 256)
                #expect(detector.table.groups.count <= 64)
                #expect(detector.table.services.count <= 32)
            }
        }
        #expect(detector.turnedAway > 10_000)
        let kept = try #require(detector.table.clients.first { $0.key.address == client })
        // But for the minute that is not over.
        #expect(30 * 6 * 6_000_000 - kept.total.bytes <= 6 * 6_000_000)
    }
}
