import Detection
import Reports
import Support
import Testing

struct SensorStatusTests {
    private let status = SensorStatus(
        time: noon,
        version: "0.1.0",
        monitoringActive: true,
        modelsTrained: false,
        uptime: 61,
        interfaces: [interface(2)],
        unwatched: [.init(name: "lo", reason: "loopback is watched only by name")],
        ledger: LedgerCounts(),
        sampling: SamplingStatus(oneIn: 8, state: .overload),
        samplingHistory: [
            SamplingChange(time: noon, status: SamplingStatus(oneIn: 8, state: .overload), reason: "ring at 80 %")
        ],
        redis: RedisStatus(state: .authFailed, cause: "WRONGPASS", address: "redis://localhost:6379/0"),
        kernelMemory: .init(maps: 4_194_304, rings: 33_554_432),
        sinks: [SinkStatus(name: "publish.flows.file", address: "/var/lib/weir/flows.jsonl")]
    )

    @Test("The original's four fields, with their types, and ours")
    func fields() {
        let json = text(status.json())
        #expect(
            json.hasPrefix(
                #"{"monitoring_active":true,"ml_models_trained":false,"uptime":61,"timestamp":"2025-12-08T10:30:00.000Z","#
            )
        )
        #expect(json.contains(#""not_watched":[{"name":"lo","reason":"loopback is watched only by name"}]"#))
        #expect(json.contains(#""sampling":{"n":8,"state":"overload","history":[{"timestamp":"#))
        #expect(json.contains(#""redis":{"state":"auth_failed","cause":"WRONGPASS","address":"#))
        #expect(json.contains(#""kernel_memory":{"maps":4194304,"rings":33554432,"clients_turned_away":0,"#))
        #expect(json.contains(#""unknown_interface":0},"flows":{"open":0,"#))
        #expect(
            json.hasSuffix(
                #""threats":null,"sinks":[{"name":"publish.flows.file","state":"starting","cause":"","address":"/var/lib/weir/flows.jsonl","#
                    + #""offered":0,"delivered":0,"refused":0,"lost":0,"waiting":0,"errors":{}}]}"#
            )
        )
    }

    @Test("Threats are counted, by the highest severity of those that are open")
    func threats() {
        var status = status
        var counts = ThreatCounts()
        (counts.open, counts.highest, counts.closed, counts.turnedAway) = (2, .critical, 7, 1)
        status.threats = counts
        #expect(
            text(status.json()).contains(#""threats":{"open":2,"highest":"Critical","closed":7,"turned_away":1},"#)
        )
        status.threats = ThreatCounts()
        #expect(text(status.json()).contains(#""threats":{"open":0,"highest":"","closed":0,"turned_away":0},"#))
    }

    @Test("It is JSON", .enabled(if: ClientRules.isAvailable, "needs python3"))
    func parses() {
        #expect(ClientRules.parseError(status.json()) == nil)
    }

    @Test("A residue does not cancel out")
    func residue() {
        #expect(LedgerCounts(offered: 3, kept: 2, read: 3, decoded: 3).residue == 2)
        #expect(LedgerCounts(offered: .max, skipped: .max).residue == 0)
    }
}

struct PacketViewTests {
    @Test("The original's fields in its order, null where it has null")
    func packet() {
        let packet = PacketView(
            sequence: 7,
            time: WallTime(nanoseconds: noon.nanoseconds + 123_456_789),
            size: 74,
            source: "192.0.2.1",
            destination: "2001:db8::1",
            protocol: "HTTPS",
            sourcePort: 50_000,
            destinationPort: 443,
            flags: 2,
            interface: "eth0",
            direction: .incoming
        )
        let expected = #"""
            {"timestamp":"2025-12-08T10:30:00.123456Z","size":74,"src_ip":"192.0.2.1","dest_ip":"2001:db8::1",
            "protocol":"HTTPS","src_port":50000,"dest_port":443,"flags":2,"sequence":7,"interface":"eth0",
            "direction":"in"}
            """#
        #expect(text(packet.json()) == expected.split(separator: "\n").joined())

        var arp = packet
        (arp.source, arp.destination, arp.sourcePort, arp.destinationPort, arp.flags) = (nil, nil, nil, nil, nil)
        let nulls = #""src_ip":null,"dest_ip":null,"protocol":"HTTPS","src_port":null,"dest_port":null,"flags":null"#
        #expect(text(arp.json()).contains(nulls))
        let list = PacketList(time: noon, packets: [arp], total: 9)
        #expect(text(list.json()).hasSuffix(#"],"total_count":9,"timestamp":"2025-12-08T10:30:00.000Z"}"#))
    }
}
