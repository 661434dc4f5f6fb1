import ArgumentParser
import Reports
import Testing

@testable import weir

@Suite struct CommandTests {
    @Test(arguments: [
        ["run", "--interface", "eth0", "--interface", "wg0", "--redis", "redis://h", "--resource-id", "r"],
        ["run", "--config", "/x", "--data-dir", "/y"], ["ports", "--range", "1-1024", "--json"],
        ["packets", "--count", "5", "--follow", "--json"], ["packets", "-c", "5", "-f"], ["status", "--json"],
        ["threats"], ["threats", "--follow", "--json"],
        ["threats", "-a", "--json"], ["threats", "0123456789abcdef", "--json"],
        ["threats", "0123456789abcdef", "--pcap", "x.pcapng"], ["doctor", "--json"],
        ["check", "--config", "/x", "--list"], ["check", "--template"],
    ])
    func commandsAreUnderstood(arguments: [String]) throws {
        _ = try Weir.parseAsRoot(arguments)
    }

    @Test(arguments: [
        ["runn"], ["run", "--interfaces", "x"], ["packets", "--count", "1001"], ["packets", "--count", "x"],
        ["threats", "../status"], ["threats", "0123456789abcdef", "--follow"], ["threats", "1", "2"],
        ["threats", "--pcap", "x.pcapng"], ["threats", "1", "--pcap", "x.pcapng", "--json"],
    ])
    func wrongUsageExitsWith64(arguments: [String]) {
        do {
            _ = try Weir.parseAsRoot(arguments)
            Issue.record("\(arguments) was taken")
        } catch {
            #expect(Weir.exitCode(for: error).rawValue == 64)
        }
    }

    @Test func tablesAlignAndEscape() {
        var table = Table(["PORT", "NAME", "WHY"], numbers: [0])
        table.add(["22", "sshd", "x"])
        table.add(["6379", "evil\u{1B}[2J\n", "y"])
        #expect(
            table.description == "PORT  NAME             WHY\n  22  sshd             x\n6379  evil\\x1b[2J\\x0a  y"
        )
    }

    @Test func emptyHeadingsAreLeftOut() {
        var table = Table(["", ""])
        table.add(["Redis", "connected"])
        #expect(table.description == "Redis  connected")
    }

    @Test(
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (33_554_432, "32.0 MiB"), (1 << 50, "1.0 PiB"),
        ] as [(UInt64, String)]
    )
    func bytesHaveAUnit(count: UInt64, text: String) {
        #expect(formattedBytes(count) == text)
    }

    @Test func countsHaveCommas() {
        #expect(formattedCount(0) == "0")
        #expect(formattedCount(999) == "999")
        #expect(formattedCount(1_234_567) == "1,234,567")
        #expect(StatusAnswer.duration(0) == "0 s")
        #expect(StatusAnswer.duration(93_784) == "1 d 2 h")
    }

    @Test func theSensorsOwnDocumentsAreReadable() throws {
        var sink = SinkStatus(name: "publish.flows.http", address: "http://ml:80/predict/batch")
        (sink.state, sink.cause, sink.delivered, sink.lost) = (.down, "no answer in time", 1_500, 7)
        let status = SensorStatus(
            time: .now,
            version: "9",
            monitoringActive: true,
            modelsTrained: false,
            uptime: 61,
            interfaces: [
                InterfaceTotals(
                    name: "eth0",
                    index: 2,
                    epoch: 1,
                    source: .tcx,
                    isUp: true,
                    rx: DirectionTotals(total: Volume(packets: 1_000, bytes: 2_048)),
                    tx: DirectionTotals(total: Volume(packets: 5, bytes: 6))
                )
            ],
            unwatched: [.init(name: "eth1", reason: "not chosen")],
            ledger: LedgerCounts(offered: 10, skipped: 3, kept: 7, dropped: 0, read: 7, decoded: 7),
            sampling: SamplingStatus(oneIn: 4, state: .overload),
            samplingHistory: [],
            redis: RedisStatus(state: .down, cause: "refused", address: "redis://h:1/0", lost: 3),
            kernelMemory: .init(maps: 1 << 20, rings: 32 << 20),
            sinks: [sink]
        )
        let text = try StatusAnswer(status.json()).text()
        for part in [
            "weir 9: monitoring, up 1 min 1 s", "1,000", "2.0 KiB", "eth1", "one in 4, overload", "down (refused)",
            "publish.flows.http", "down (no answer in time), http://ml:80/predict/batch, 1,500 delivered, 0 waiting",
        ] {
            #expect(text.contains(part), "\(part) in \(text)")
        }
        let packet = PacketView(
            sequence: 7,
            time: .now,
            size: 60,
            source: "10.0.0.1",
            destination: nil,
            protocol: "TCP",
            sourcePort: 1,
            destinationPort: nil,
            flags: 0x12,
            interface: "eth0",
            direction: .incoming,
            vlan: 3
        )
        let rows = try PacketRows(PacketList(time: .now, packets: [packet], total: 1).json())
        #expect(rows.packets.first?.srcIp == "10.0.0.1")
        #expect(rows.packets.first?.sequence == 7)
        #expect(throws: SensorClient.ClientError.self) { try PacketRows(Array("{}".utf8)) }
        #expect(throws: SensorClient.ClientError.self) { try StatusAnswer(Array("[".utf8)) }
    }
}
