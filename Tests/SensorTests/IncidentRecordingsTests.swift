import Capture
import Detection
import Packets
import Support
import Testing

@testable import Sensor

/// Which packets are kept of an incident.
struct IncidentRecordingsTests {
    private static let second: Int64 = 1_000_000_000
    private static let opened = 1_765_189_800 * second

    private func incident(_ subject: Subject) throws -> Incident {
        var table = IncidentTable(IncidentSettings(), sensor: "test")
        let events = table.take([Finding(.flood(.syn), subject, ratio: 2)], at: Self.opened)
        return try #require(events.first).incident
    }

    private let victim = Address(ipv4: 0xC000_0201)

    /// Headers of TCP segments from 203.0.113.7, each with its seconds from the incident's opening on.
    private func recording(_ frames: [(to: String, port: UInt16, seconds: Int64)]) -> Recording {
        var recorder = FlightRecorder(capacity: 1 << 20)
        for (address, port, seconds) in frames {
            let frame = PacketBuilder().ethernet().ipv4(from: "203.0.113.7", to: address)
                .tcp(from: 40_000, to: port, flags: .syn).bytes
            let info = FrameInfo(time: Self.opened + seconds * Self.second, wireLength: UInt32(frame.count))
            unsafe recorder.append(info, interface: 2, frame.span.bytes)
        }
        var recording = Recording()
        recorder.copy(to: &recording)
        return recording
    }

    private func seconds(_ recording: Recording) -> [Int64] {
        var seconds: [Int64] = []
        recording.forEach { frame, _ in seconds.append((frame.time - Self.opened) / Self.second) }
        return seconds
    }

    @Test func `Those from and to the subject, of the minute before`() throws {
        let all = recording([
            ("192.0.2.1", 80, -61), ("192.0.2.1", 80, -60), ("192.0.2.1", 443, -2), ("192.0.2.2", 80, -2),
            ("192.0.2.1", 80, -1),
        ])
        let service = try incident(Subject(victim, .ipv4, port: 80))
        #expect(seconds(IncidentRecordings.about(service, in: all)) == [-60, -1])
        let host = try incident(Subject(victim, .ipv4))
        #expect(seconds(IncidentRecordings.about(host, in: all)) == [-60, -2, -1])
        let network = try incident(Subject(prefixOf: victim, .ipv4, bits: 24))
        #expect(seconds(IncidentRecordings.about(network, in: all)) == [-60, -2, -2, -1])
        let source = try incident(Subject(Address(ipv4: 0xCB00_7107), .ipv4))
        #expect(seconds(IncidentRecordings.about(source, in: all)).count == 4, "it sends")
        let other = try incident(Subject(Address(high: 1, low: 1), .ipv6))
        #expect(IncidentRecordings.about(other, in: all).isEmpty)
    }

    @Test func `What came since then follows what was kept, each once`() throws {
        let incident = try incident(Subject(victim, .ipv4))
        var recordings = IncidentRecordings(capacity: 1 << 20)
        let then = recording([("192.0.2.1", 1, -2), ("192.0.2.1", 2, 0)])
        recordings.add(IncidentRecordings.about(incident, in: then), of: incident)
        let now = recording([("192.0.2.1", 2, 0), ("192.0.2.1", 3, 1), ("192.0.2.9", 4, 2)])
        #expect(seconds(IncidentRecordings.join(recordings[incident.id], about: incident, with: now)) == [-2, 0, 1])
        #expect(seconds(IncidentRecordings.join(nil, about: incident, with: now)) == [0, 1])
        #expect(recordings["x"] == nil)
    }

    @Test func `Memory is bounded: each has its share, and the oldest go`() throws {
        var recordings = IncidentRecordings(capacity: 16 << 10)
        let frames = recording((0..<1_000).map { ("192.0.2.1", UInt16($0 + 1), Int64($0) / 100 - 10) })
        let incidents = try (0..<20).map { try incident(Subject(Address(ipv4: $0), .ipv4)) }
        for incident in incidents { recordings.add(frames, of: incident) }
        let sizes = incidents.map { recordings[$0.id]?.size ?? 0 }
        #expect(sizes.allSatisfy { $0 <= 2 << 10 } && sizes.reduce(0, +) <= 16 << 10)
        #expect(sizes.first == 0 && (sizes.last ?? 0) > 1_900)
        #expect(recordings[incidents[19].id].map(seconds)?.last == -1, "the latest frames")
    }
}
