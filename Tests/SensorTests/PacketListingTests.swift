import Flows
import Glibc
import Linux
import Packets
import Reports
import Sensor
import Support
import Testing

struct PacketListingTests {
    /// As the original system's `export_packets_json` writes them.
    static let exported = """
        [
          {"timestamp": "2025-12-08T10:30:00.000000", "size": 74, "src_ip": "10.0.0.1", "dest_ip": "192.0.2.1",
           "protocol": "HTTPS", "src_port": 40000, "dest_port": 443, "flags": 2},
          {"timestamp": "2025-12-08T10:30:00.250000", "size": 1514, "src_ip": "192.0.2.1", "dest_ip": "10.0.0.1",
           "protocol": "HTTPS", "src_port": 443, "dest_port": 40000, "flags": 18},
          {"timestamp": "2025-12-08T10:30:01", "size": 90, "src_ip": "10.0.0.1", "dest_ip": "8.8.8.8",
           "protocol": "DNS", "src_port": 5353, "dest_port": 53, "flags": null},
          {"timestamp": "2025-12-08T10:30:02", "size": 98, "src_ip": "10.0.0.1", "dest_ip": "8.8.4.4",
           "protocol": "Unknown", "src_port": null, "dest_port": null, "flags": null}
        ]
        """

    private func replay(_ text: String, _ change: (inout Replay.Settings) -> Void = { _ in }) throws -> Replayed {
        let folder = try ReplayFolder()
        return try Replayed([folder.file("packets.json", Array(text.utf8))], change)
    }

    @Test func theOriginalsExport() throws {
        let replayed = try replay(Self.exported)
        let rows = replayed.rows.map { $0.split(separator: ",").map(String.init) }
        #expect(
            rows.map { $0[0] } == [
                "10.0.0.1-192.0.2.1-40000-443-6", "10.0.0.1-8.8.8.8-5353-53-17", "10.0.0.1-8.8.4.4-0-0-255",
            ]
        )
        // 74 - 54 bytes of headers forward, 1514 - 54 backward, a quarter of a second.
        #expect(rows[0][6...11] == ["2025-12-08T10:30:00.000000Z", "250000", "1", "1", "20", "1460"])
        #expect(rows[1][10] == "48")
        let syn = try #require(FlowCSV.columns.firstIndex(of: "SYN Flag Count"))
        let ack = try #require(FlowCSV.columns.firstIndex(of: "ACK Flag Count"))
        #expect(rows[0][syn] == "2")
        #expect(rows[0][ack] == "1")
        #expect(replayed.summary.bytes == 74 + 1514 + 90 + 98)
        #expect(replayed.summary.ledger.residue == 0)
        #expect(replayed.summary.files[0].path.hasSuffix("/packets.json"))
        #expect(replayed.summary.files[0].frames == 4)
        #expect(replayed.summary.outcomes.malformed == 0)
    }

    @Test func workersAndMerging() throws {
        let one = try replay(Self.exported)
        let many = try replay(Self.exported) { $0.workers = 3 }
        #expect(many.text == one.text)
        #expect(many.summary.workers == 3)
        let folder = try ReplayFolder()
        let capture = try folder.file("x.pcap", ReplayTraffic(seed: 3, frames: 100).capture)
        let both = try Replayed([capture, folder.file("p.json", Array(Self.exported.utf8))])
        #expect(both.summary.files.count == 2)
        #expect(both.summary.frames >= 104)
    }

    /// This sensor's own answer has more fields, and what the original never sees: IPv6, VLANs, ARP, other zones.
    @Test func ourOwnAnswer() throws {
        let text = """
             {"packets": [
              {"timestamp":"2025-12-08T10:30:00.123Z","size":118,"src_ip":"2001:db8::1","dest_ip":"2001:db8::2",
               "protocol":"UDP","src_port":7,"dest_port":8,"flags":null,"sequence":1,"interface":"eth0","direction":"in","vlan":9},
              {"timestamp":"2025-12-08T12:30:00+02:00","size":60,"src_ip":null,"dest_ip":null,"protocol":"ARP",
               "src_port":null,"dest_port":null,"flags":null,"sequence":2,"interface":"eth0","direction":"in"},
              {"timestamp":"2025-12-08T10:30:01Z","size":1,"src_ip":"2001:db8::1","dest_ip":"2001:db8::2",
               "protocol":"ICMP","src_port":null,"dest_port":null,"flags":null}
             ], "total_count": 3, "timestamp": "2025-12-08T10:31:00Z"}
            """
        let replayed = try replay(text) { $0.format = .jsonLines }
        #expect(replayed.summary.frames == 3)
        let first = try #require(WallTime(nanoseconds: replayed.summary.span?.lowerBound ?? 0))
        #expect(first.formatted(.none) == "2025-12-08T10:30:00Z")
        #expect(replayed.rows.count == 2)
        #expect(
            replayed.text.contains(
                #""src_ip":"2001:db8::1","src_port":7,"dst_ip":"2001:db8::2","dst_port":8,"protocol":17"#
            )
        )
        #expect(replayed.text.contains(#""vlan":9"#))
        #expect(replayed.text.contains(#""protocol":58"#))
        #expect(replayed.summary.outcomes.malformed == 0)
    }

    @Test(
        arguments: [
            ("[1, 2]", "JSON that is no list of packets"), (#"{"x": 1}"#, "JSON that is no list of packets"),
            ("[{]", "JSON that is no list of packets"),
            (#"[{"timestamp": "yesterday", "size": 1}]"#, "packet 1 of 1 has no time that can be read: yesterday"),
            (#"[{"timestamp": "2025-12-08T10:30:00", "size": -1}]"#, "JSON that is no list of packets"),
        ]
    )
    func otherJSON(text: String, message: String) throws {
        let replayed = try replay(text)
        let failure = try #require(replayed.summary.files.first?.failure)
        #expect(failure.contains(message), "\(failure)")
        #expect(!replayed.summary.files[0].isUnreadable)
        #expect(replayed.summary.frames == 0)
    }

    @Test func anEmptyListIsNoError() throws {
        let replayed = try replay("[]")
        #expect(replayed.summary.files.count == 1)
        #expect(replayed.summary.files[0].failure == nil)
    }
}
