import Flows
import Linux
import Sensor
import Support
import Testing

@Suite(.enabled(if: SharedCapture.directory != nil, "needs the shared captures"))
struct ReplayCapturesTests {
    /// Every capture, twice: the second time inside tunnels, with entropy, in the other profile, on two workers.
    @Test func everyCapture() throws {
        var frames: UInt64 = 0
        var flows: UInt64 = 0
        let start = Clock.monotonic.now()
        for capture in SharedCapture.all {
            let plain = try Replayed([capture.path]) { $0.flows.memory = 4 << 20 }
            #expect(plain.summary.ledger.residue == 0, "\(capture.name)")
            #expect(plain.summary.frames == capture.packets, "\(capture.name)")
            #expect((plain.summary.files[0].failure != nil) == capture.isTruncated, "\(capture.name)")
            #expect(UInt64(plain.rows.count) == plain.summary.flows, "\(capture.name)")
            let other = try Replayed([capture.path]) {
                $0.flows = .cic
                $0.flows.memory = 4 << 20
                $0.flows.entropy = .all
                $0.readsTunnels = true
                $0.format = .jsonLines
                $0.workers = 2
            }
            #expect(other.summary.ledger == plain.summary.ledger, "\(capture.name)")
            #expect(UInt64(other.rows.count) == other.summary.flows - other.summary.omitted, "\(capture.name)")
            frames += plain.summary.frames
            flows += plain.summary.flows
        }
        let seconds = Double((Clock.monotonic.now() - start) / 1_000_000) / 1e3
        print("\(SharedCapture.all.count) captures, \(frames) frames, \(flows) flows, twice each: \(seconds) s")
        #expect(SharedCapture.all.count > 100)
    }

    /// All of them as one timeline: they overlap, jump by years, and differ in link types.
    @Test(arguments: [FlowFormat.csv, .jsonLines])
    func allAtOnce(format: FlowFormat) throws {
        let paths = SharedCapture.all.map(\.path)
        let one = try Replayed(paths) { $0.format = format }
        #expect(one.summary.frames == SharedCapture.all.reduce(0) { $0 + $1.packets })
        #expect(one.summary.ledger.residue == 0)
        for workers in [2, 3, 5] {
            let many = try Replayed(paths) {
                $0.format = format
                $0.workers = workers
            }
            #expect(many.text == one.text, "\(workers) workers")
        }
    }
}
