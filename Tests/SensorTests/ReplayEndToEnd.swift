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
                        "/usr/bin/tcpdump", "-i", VethPair.near, "--time-stamp-precision=nano", "-B", "65536", "-s", "0",
                        "-U", "-Z", "root", "-w", capture,
                    ])
                )
            )
            try #require(
                eventually(within: 10) { String(decoding: recorder.output, as: UTF8.self).contains("listening on") }
            )
            try pair.raise()
            try Counting.mixedTraffic(pair)
            // Closed connections end two seconds later; in the capture a packet must tell that they have passed.
            usleep(3_500_000)
            try pair.run(onNear: false, ["/usr/bin/ping", "-q", "-c", "2", Neighbours.nearAddress])
            try sensor.waitForStatus("all frames are read") { $0.ledger.residue == 0 && $0.ledger.dropped == 0 }
            sensor.signal(SIGTERM)
            #expect(sensor.exitStatus(within: 10) == 0)
            recorder.signal(SIGINT)
            #expect(recorder.exitStatus(within: 10) == 0)
            #expect(String(decoding: recorder.output, as: UTF8.self).contains("0 packets dropped by kernel"))

            let replayed = ChildProcess.run([
                RunningSensor.binary, "replay", capture, "--flows", sensor.dataDirectory + "/replayed.jsonl",
            ])
            #expect(replayed.status == 0, "\(replayed.text)")
            let live = Self.comparable(ChildProcess.run(["/bin/cat", sensor.dataDirectory + "/flows.jsonl"]).text)
            let again = Self.comparable(ChildProcess.run(["/bin/cat", sensor.dataDirectory + "/replayed.jsonl"]).text)
            #expect(live.count > 200)
            let (missing, added) = (Set(again).subtracting(live), Set(live).subtracting(again))
            #expect(missing.isEmpty, "only in the replay: \(missing.sorted().prefix(3))")
            #expect(added.isEmpty, "only live: \(added.sorted().prefix(3))")
            #expect(live.count == again.count)
        }
    }
}
