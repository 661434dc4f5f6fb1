import Glibc
import Support
import Testing

extension EndToEnd {
    /// Flows of the running sensor beside those of a capture.
    @Suite("Replay") struct Replaying {
        /// A line of flow JSON, without what a capture file names differently.
        private static func comparable(_ text: String) -> [String] {
            text.split(separator: "\n").map { line in
                String(line).replacing(#/"interface":\d+,?/#, with: "")
            }.sorted()
        }

        /// Connections, datagrams, pings and fragments between two strangers, each side's frames put on the wire as they are.
        /// What the stacks send would not do: veth leaves the sender's time on their frames, so that each reader takes its own.
        private static func exchange(_ pair: borrowing Neighbours, in folder: String) throws {
            var sent = [PcapWriter(), PcapWriter()]
            for number in 0..<400 {
                for (place, (isAnswer, frame)) in conversation(number).enumerated() {
                    sent[isAnswer ? 0 : 1].record(frame, time: Int64(place))
                }
            }
            for (side, writer) in sent.enumerated() { try write(writer.bytes, to: "\(folder)/\(side).pcap") }
            let program = """
                import socket, struct, sys, time
                data, wire = open(sys.argv[1], 'rb').read(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
                wire.bind((sys.argv[2], 0))
                at = 24
                while at < len(data):
                    length = struct.unpack_from('<I', data, at + 8)[0]
                    wire.send(data[at + 16:at + 16 + length])
                    at += 16 + length
                    time.sleep(0.0003)
                """
            let answers = try #require(
                BackgroundProcess(
                    pair.near.command([ClientRules.python, "-c", program, "\(folder)/0.pcap", VethPair.near])
                )
            )
            try pair.run(onNear: false, [ClientRules.python, "-c", program, "\(folder)/1.pcap", VethPair.far])
            #expect(answers.exitStatus(within: 20) == 0)
        }

        private static func write(_ bytes: [UInt8], to path: String) throws {
            let outcome = ChildProcess.run(["/bin/sh", "-c", "cat > \"$0\"", path], input: bytes)
            try #require(outcome.status == 0)
        }

        /// Frames of one flow, and which of them are answers.
        private static func conversation(_ number: Int) -> [(Bool, [UInt8])] {
            let (client, server) = ("10.1.\(number >> 8).\(number & 255)", "10.2.0.1")
            func ipv4(_ isAnswer: Bool) -> PacketBuilder {
                let link = number % 5 == 0 ? PacketBuilder().ethernet().vlan(7) : PacketBuilder().ethernet()
                return link.ipv4(from: isAnswer ? server : client, to: isAnswer ? client : server)
            }
            func tcp(_ isAnswer: Bool, _ flags: PacketBuilder.Flags, _ length: Int = 0) -> (Bool, [UInt8]) {
                let ports: (UInt16, UInt16) = isAnswer ? (443, 40_000) : (40_000, 443)
                let segment = ipv4(isAnswer).tcp(from: ports.0, to: ports.1, flags: flags)
                return (isAnswer, segment.payload(count: length).bytes)
            }
            func udp(_ isAnswer: Bool, _ length: Int) -> (Bool, [UInt8]) {
                let ports: (UInt16, UInt16) = isAnswer ? (53, 50_000) : (50_000, 53)
                return (isAnswer, ipv4(isAnswer).udp(from: ports.0, to: ports.1).payload(count: length).bytes)
            }
            switch number % 4 {
            case 0:
                return [
                    tcp(false, .syn), tcp(true, [.syn, .ack]), tcp(false, .ack), tcp(false, [.psh, .ack], 300),
                    tcp(true, .ack, 1_400), tcp(true, [.psh, .ack], 900), tcp(false, [.fin, .ack]),
                    tcp(true, [.fin, .ack]), tcp(false, .ack),
                ]
            case 1: return [tcp(false, .syn), tcp(true, [.rst, .ack])]
            case 2: return [udp(false, 40), udp(true, 200)]
            default: return [udp(false, 700)]
            }
        }

        @Test("the capture taken meanwhile gives the flows that the sensor gave", arguments: [1, 2])
        func replayEqualsLive(workers: Int) throws {
            let pair = try Neighbours.make("flows", offloads: ["tso", "off", "gso", "off", "gro", "off"], isUp: false)
            // Up, for tcpdump's sake, but nothing passes while the far end is down.
            try pair.near.ip(["link", "set", VethPair.near, "up"])
            let sensor = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near] + EndToEnd.noRedis,
                environment: [
                    "WEIR_CAPTURE_WORKERS": String(workers), "WEIR_PUBLISH_FLOWS_FILE": "flows.jsonl",
                    "WEIR_FLOWS_INTERIM": "never", "WEIR_FLOWS_ENTROPY": "none", "WEIR_FLOWS_MEMORY": "64MiB",
                ]
            )
            try sensor.waitUntilWatching(VethPair.near, source: "tcx")
            let capture = sensor.dataDirectory + "/taken.pcap"
            let recorder = try #require(
                BackgroundProcess(
                    pair.near.command([
                        "/usr/bin/tcpdump", "-i", VethPair.near, "--time-stamp-precision=nano", "-B", "65536", "-s",
                        "0",
                        "-U", "--immediate-mode", "-Z", "root", "-w", capture,
                    ])
                )
            )
            try #require(
                eventually(within: 10) { String(decoding: recorder.output, as: UTF8.self).contains("listening on") }
            )
            try pair.raise()
            try Self.exchange(pair, in: sensor.dataDirectory)
            // Closed connections end two seconds later; in the capture a packet must tell that they have passed.
            usleep(3_500_000)
            try pair.run(onNear: false, ["/usr/bin/ping", "-q", "-c", "2", Neighbours.nearAddress])
            try sensor.waitForStatus("all frames are read") { $0.ledger.residue == 0 && $0.ledger.dropped == 0 }
            sensor.signal(SIGTERM)
            #expect(sensor.exitStatus(within: 10) == 0)
            usleep(500_000)
            recorder.signal(SIGINT)
            #expect(recorder.exitStatus(within: 10) == 0)
            #expect(String(decoding: recorder.output, as: UTF8.self).contains("0 packets dropped by kernel"))

            let replayed = ChildProcess.run([
                RunningSensor.binary, "replay", capture, "--flows", sensor.dataDirectory + "/replayed.jsonl",
            ])
            #expect(replayed.status == 0, "\(replayed.text)")
            let live = Self.comparable(ChildProcess.run(["/bin/cat", sensor.dataDirectory + "/flows.jsonl"]).text)
            let again = Self.comparable(ChildProcess.run(["/bin/cat", sensor.dataDirectory + "/replayed.jsonl"]).text)
            #expect(live.count >= 400)
            let (missing, added) = (Set(again).subtracting(live), Set(live).subtracting(again))
            #expect(missing.isEmpty, "only in the replay: \(missing.sorted().prefix(3))")
            #expect(added.isEmpty, "only live: \(added.sorted().prefix(3))")
            #expect(live.count == again.count)
        }
    }
}
