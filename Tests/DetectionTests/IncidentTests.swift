import Flows
import Packets
import Support
import Testing

@testable import Detection

@Suite struct IncidentTests {
    private let second: Int64 = 1_000_000_000
    private let subject = Subject(Address(ipv4: 0xC000_0201), .ipv4)

    private func finding(_ ratio: Double, delay: Int64 = 0, sources: Int = 1) -> Finding {
        var evidence = Evidence()
        evidence.sources = (0..<sources).map {
            Evidence.Source(Address(ipv4: 0xC633_6400 + UInt32($0)), .ipv4, count: 1)
        }
        return Finding(.flood(.syn), subject, ratio: ratio, delay: delay, evidence: evidence)
    }

    @Test func `A signal at its level with noise of 5 % makes one incident`() {
        var table = IncidentTable(IncidentSettings(), sensor: "test")
        var random = SeededGenerator(seed: 7)
        var opened = 0
        for time in 0..<3_600 {
            let noise = Double((random.next() as UInt64) % 1_001) / 10_000 - 0.05
            let events = table.take([finding(1 + noise, delay: 3 * second)], at: Int64(time) * second)
            opened += events.count { $0.incident.state == .opened }
        }
        #expect(opened == 1)
        let last = table.finish(at: 4_000 * second)
        #expect(last.map(\.incident.state) == [.closed])
    }

    @Test func `An incident opens after its delay, stays for its hold, and closes under the same id`() throws {
        var table = IncidentTable(IncidentSettings(), sensor: "test")
        var events: [IncidentEvent] = []
        for time in 0..<5 { events += table.take([finding(2, delay: 3 * second)], at: Int64(time) * second) }
        #expect(events.map(\.incident.state) == [.opened])
        #expect(events.first?.time == 3 * second)
        for time in 5..<200 { events += table.take([], at: Int64(time) * second) }
        #expect(events.map(\.incident.state) == [.opened, .closed])
        // Opened at 3 s and held for 60 s.
        #expect(events.last?.time == 63 * second)
        #expect(events.map(\.incident.sequence) == [1, 2])
        #expect(Set(events.map(\.incident.id)).count == 1)
    }

    @Test func `What falls between off and on holds an incident open, but opens none`() {
        var table = IncidentTable(IncidentSettings(), sensor: "test")
        #expect(table.take([finding(0.9)], at: 0).isEmpty)
        #expect(table.take([finding(1)], at: second).count == 1)
        for time in 2..<59 { #expect(table.take([finding(0.75)], at: Int64(time) * second).isEmpty) }
        #expect(table.open.count == 1)
    }

    @Test func `Many sources are one incident, with their number and the top 20`() throws {
        var table = IncidentTable(IncidentSettings(), sensor: "test")
        _ = table.take([finding(2, sources: 1)], at: 0)
        let events = table.take([finding(2, sources: 100_000)], at: second)
        #expect(events.map(\.incident.state) == [.escalated])
        let incident = try #require(table.open.values.first)
        #expect(abs(incident.distinctSources - 100_000) < 15_000)
        #expect(incident.topSources.count == 20)
        #expect(incident.topSources.allSatisfy { $0.count <= 2 }, "no more than each has for certain")
        #expect(incident.countOfSources == 100_001)
    }

    @Test func `More subjects than there is room for are folded and counted`() {
        var settings = IncidentSettings()
        settings.open = 10
        var table = IncidentTable(settings, sensor: "test")
        let findings = (0..<100).map { place in
            Finding(.flood(.udp), Subject(Address(ipv4: UInt32(place)), .ipv4), ratio: 3)
        }
        _ = table.take(findings, at: 0)
        #expect(table.open.count == 11)
        #expect(table.open.values.reduce(0) { $0 + $1.folded } == 90)
    }

    @Test func `An id depends on sensor, class, subject and time alone`() {
        func id(_ sensor: String, _ time: Int64) -> String? {
            var table = IncidentTable(IncidentSettings(), sensor: sensor)
            return table.take([finding(1)], at: time).first?.incident.id
        }
        #expect(id("a", 0) == id("a", 0))
        #expect(id("a", 0) != id("b", 0))
        #expect(id("a", 0) != id("a", 1))
        #expect(id("a", 0)?.utf8.count == 16)
    }
}
