import ArgumentParser
import Flows
import Sensor
import Support
import Testing

@testable import weir

@Suite struct ReplayCommandTests {
    @Test(arguments: [
        ["replay", "x.pcap"], ["replay", "-"], ["replay", "a", "b", "--flows", "o.csv", "--profile", "cic"],
        ["replay", "a", "--flows", "-"], ["replay", "a", "--flows", "O.JSONL", "--entropy", "all", "--interim", "10"],
        ["replay", "a", "--idle-timeout", "0", "--active-timeout", "0.5", "--speed", "2.5", "--workers", "64"],
        ["replay", "a", "--events", "e.jsonl"], ["replay", "a", "--json", "--inner", "--memory", "1"],
    ])
    func isUnderstood(arguments: [String]) throws {
        _ = try Weir.parseAsRoot(arguments)
    }

    @Test(arguments: [
        ["replay"], ["replay", "a", "--flows", "out.txt"], ["replay", "a", "--workers", "0"],
        ["replay", "a", "--workers", "65"], ["replay", "a", "--speed", "0"], ["replay", "a", "--speed", "nan"],
        ["replay", "a", "--memory", "0"], ["replay", "a", "--idle-timeout", "-1"], ["replay", "a", "--profile", "x"],
        ["replay", "-", "-"], ["replay", "a", "--json", "--flows", "-"], ["replay", "a", "--events", "-"],
    ])
    func wrongUsageExitsWith64(arguments: [String]) {
        do {
            _ = try Weir.parseAsRoot(arguments)
            Issue.record("\(arguments) was taken")
        } catch {
            #expect(Weir.exitCode(for: error).rawValue == 64)
        }
    }

    @Test func optionsBecomeSettings() throws {
        let plain = try #require(Weir.parseAsRoot(["replay", "a"]) as? ReplayFiles).settings
        #expect(plain.flows.idle == 60_000_000_000)
        #expect(plain.flows.active == 300_000_000_000)
        #expect(plain.flows.interim == nil)
        #expect(plain.flows.memory == 96 << 20)
        #expect(plain.format == nil)
        let cic = try #require(Weir.parseAsRoot(["replay", "a", "--profile", "cic", "--memory", "5"]) as? ReplayFiles)
            .settings
        #expect(cic.flows.profile == .cic)
        #expect(cic.flows.active == 120_000_000_000)
        #expect(cic.flows.idle == nil)
        #expect(cic.flows.memory == 5 << 20)
        let words = [
            "replay", "a", "--idle-timeout", "0", "--active-timeout", "1.5", "--interim", "2", "--flows", "x.jsonl",
        ]
        let own = try #require(Weir.parseAsRoot(words) as? ReplayFiles).settings
        #expect(own.flows.idle == nil)
        #expect(own.flows.active == 1_500_000_000)
        #expect(own.flows.interim == 2_000_000_000)
        #expect(own.format == .jsonLines)
    }
}

/// The built program.
@Suite(.enabled(if: RunningSensor.isBuilt, "needs the built weir"))
struct ReplayProgramTests {
    /// Two datagrams and their answer.
    private static let capture: [UInt8] = {
        var writer = PcapWriter()
        for second in 0..<3 as Range<UInt32> {
            let back = second == 1
            let builder = PacketBuilder().ethernet().ipv4(
                from: back ? "10.0.0.2" : "10.0.0.1",
                to: back ? "10.0.0.1" : "10.0.0.2"
            )
            writer.record(
                builder.udp(from: back ? 53 : 4000, to: back ? 4000 : 53).payload(count: 10).bytes,
                seconds: second
            )
        }
        return writer.bytes
    }()

    private func weir(_ arguments: String, input: [UInt8] = []) -> ChildProcess.Outcome {
        ChildProcess.run(["/bin/sh", "-c", "\(RunningSensor.binary) replay \(arguments)"], input: input)
    }

    @Test func standardInput() {
        for input in [Self.capture, gzip(Self.capture)] {
            for source in ["- <&0", "- < /dev/stdin"] {
                let outcome = weir("\(source) --flows - 2>/dev/null", input: input)
                #expect(outcome.status == 0)
                #expect(
                    outcome.text.contains(
                        "\n10.0.0.1-10.0.0.2-4000-53-17,10.0.0.1,4000,10.0.0.2,53,17,1970-01-01T00:00:00.000000Z,"
                    )
                )
            }
        }
        let piped = ChildProcess.run(
            ["/bin/sh", "-c", "cat | \(RunningSensor.binary) replay - --json --workers 2"],
            input: Self.capture
        )
        #expect(piped.status == 0)
        #expect(piped.text.contains(#""frames":3,"#))
        #expect(piped.text.contains("one worker instead of 2"))
    }

    @Test func packetsOfTheOriginalThroughAPipe() {
        let text =
            #" [{"timestamp":"2025-12-08T10:30:00","size":74,"src_ip":"10.0.0.1","dest_ip":"10.0.0.2","#
            + #""protocol":"TCP","src_port":1,"dest_port":2,"flags":2}]"#
        let outcome = ChildProcess.run(
            ["/bin/sh", "-c", "cat | \(RunningSensor.binary) replay - --flows -"],
            input: Array(text.utf8)
        )
        #expect(outcome.status == 0)
        #expect(outcome.text.contains("\n10.0.0.1-10.0.0.2-1-2-6,"))
    }

    @Test func statusesTellWhatWasWrong() {
        let cut = Array(Self.capture.dropLast(5))
        let broken = weir("-", input: cut)
        #expect(broken.status == 65)
        #expect(broken.text.contains("standard input: the file is cut: 5 bytes are missing at byte "))
        #expect(broken.text.contains("Frames"))
        #expect(weir("/nonexistent.pcap").status == 66)
        #expect(weir("/nonexistent.pcap").text.contains("No such file or directory"))
        #expect(weir("-", input: Array("hello".utf8)).status == 65)
        #expect(weir("- --flows /nonexistent/x.csv", input: Self.capture).status == 73)
        let empty = ChildProcess.run(
            ["/bin/sh", "-c", "d=$(mktemp -d) && \(RunningSensor.binary) replay $d; s=$?; rmdir $d; exit $s"]
        )
        #expect(empty.status == 66)
        #expect(empty.text.contains("no captures in"))
    }

    @Test func aReaderThatGoesAwayEndsItQuietly() {
        var writer = PcapWriter()
        for port in 0..<20_000 as Range<UInt16> {
            writer.record(
                PacketBuilder().ethernet().ipv4(from: "10.0.0.1", to: "10.0.0.2").udp(from: port, to: 2).bytes
            )
        }
        let outcome = weir("- --flows - | head -1", input: writer.bytes)
        #expect(outcome.text.hasPrefix("Flow ID,"))
        #expect(outcome.text.split(separator: "\n").count == 1)
    }
}
