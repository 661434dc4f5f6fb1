import Flows
import Linux
import Sensor
import Support
import Testing

@Suite(.enabled(if: SharedCapture.directory != nil, "needs the shared captures"))
struct ReplayCapturesTests {
    /// Made to be refused, by libpcap too; and one with a frame that is longer than capinfos allows. The manifest's counter
    /// reads on, or stops.
    private static let different = [
        "pcap-invalid-version-1.pcap", "pcapng-invalid-vers-1.pcapng", "be.test901.pcapng", "le.test901.pcapng",
        "shb-option-too-long.pcapng",
    ]

    /// Every capture by itself: all its frames are accounted for.
    @Test func everyCapture() throws {
        var frames: UInt64 = 0
        var flows: UInt64 = 0
        let start = Clock.monotonic.now()
        for capture in SharedCapture.all {
            let replayed = try Replayed([capture.path]) { $0.flows.memory = 4 << 20 }
            let summary = replayed.summary
            #expect(summary.ledger.residue == 0, "\(capture.name)")
            #expect(summary.files.count == 1)
            #expect(UInt64(replayed.rows.count) == summary.flows, "\(capture.name)")
            frames += summary.frames
            flows += summary.flows
            if Self.different.contains(where: { capture.name.hasSuffix($0) }) {
                #expect(summary.files[0].failure != nil, "\(capture.name)")
            } else if !capture.name.contains("fuzz-2021-10-13") {
                #expect(summary.frames == capture.packets, "\(capture.name)")
                #expect((summary.files[0].failure != nil) == capture.isTruncated, "\(capture.name)")
            }
        }
        let seconds = Double((Clock.monotonic.now() - start) / 1_000_000) / 1e3
        print("\(SharedCapture.all.count) captures, \(frames) frames, \(flows) flows: \(seconds) s")
        #expect(SharedCapture.all.count > 1_400)
    }

    /// All of them as one timeline: they overlap, jump by years, and differ in link types.
    @Test(arguments: [false, true])
    func allAtOnce(withEverything: Bool) throws {
        let paths = SharedCapture.all.map(\.path)
        let change = { (settings: inout Replay.Settings) in
            guard withEverything else { return }
            settings.format = .jsonLines
            settings.flows = .cic
            settings.flows.entropy = .all
            settings.readsTunnels = true
        }
        let one = try Replayed(paths, change)
        #expect(one.summary.ledger.residue == 0)
        #expect(one.summary.files.count == paths.count)
        #expect(UInt64(one.rows.count) == one.summary.flows - one.summary.omitted)
        for workers in [2, 5] {
            let many = try Replayed(paths) {
                change(&$0)
                $0.workers = workers
            }
            #expect(many.text == one.text, "\(workers) workers")
            #expect(many.summary.ledger == one.summary.ledger)
        }
    }
}
