import Flows
import Glibc
import Linux
import Reports
import Sensor
import Support
import Testing

struct ReplayTests {
    /// One way to set a replay up.
    struct Variant: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let change: @Sendable (inout Replay.Settings) -> Void

        init(_ name: String, _ change: @escaping @Sendable (inout Replay.Settings) -> Void) {
            testDescription = name
            self.change = change
        }
    }

    static let variants = [
        Variant("as it comes") { _ in },
        Variant("JSON lines with interim records") {
            $0.format = .jsonLines
            $0.flows.interim = 5_000_000_000
            $0.tellsInterims = true
        },
        Variant("cic") {
            $0.flows = .cic
            $0.flows.memory = 8 << 20
        },
        Variant("entropy of all payload") {
            $0.format = .jsonLines
            $0.flows.entropy = .all
        },
        Variant("inside tunnels") { $0.readsTunnels = true },
        Variant("a table that is always full") { $0.flows.memory = 1 },
        Variant("no time-outs") {
            $0.flows.idle = nil
            $0.flows.active = nil
        },
    ]

    @Test("The same bytes on any number of workers", arguments: variants)
    func workers(variant: Variant) throws {
        let folder = try ReplayFolder()
        let path = try folder.file("mix.pcap", ReplayTraffic(seed: 11, frames: 6_000).capture)
        let one = try Replayed([path], variant.change)
        #expect(one.rows.count > 300)
        #expect(one.summary.ledger.residue == 0)
        #expect(one.summary.ledger.read >= 6_000)
        for workers in [2, 3, 5] {
            let many = try Replayed([path]) {
                variant.change(&$0)
                $0.workers = workers
            }
            #expect(many.text == one.text, "\(workers) workers")
            #expect(many.summary.workers == workers)
            #expect(many.summary.flows == one.summary.flows)
            #expect(many.summary.interims == one.summary.interims)
            #expect(many.summary.omitted == one.summary.omitted)
            #expect(many.summary.table == one.summary.table)
            #expect(many.summary.frames == one.summary.frames)
            #expect(many.summary.outcomes == one.summary.outcomes)
            #expect(many.summary.ledger == one.summary.ledger)
        }
    }

    @Test("The same bytes at any speed", arguments: [1, 2])
    func speed(workers: Int) throws {
        let folder = try ReplayFolder()
        let frames = ReplayTraffic(seed: 12, frames: 300).frames.prefix(300)
        let path = try folder.file("mix.pcap", ReplayTraffic.capture(frames))
        let fast = try Replayed([path])
        let times = frames.map(\.time)
        let span = Double(try #require(times.max()) - times[0]) / 1e9
        // So that it takes about a second.
        let paced = try Replayed([path]) {
            $0.speed = span
            $0.workers = workers
        }
        #expect(paced.text == fast.text)
        #expect(paced.summary.elapsed >= 0.95)
        #expect(fast.summary.elapsed < paced.summary.elapsed)
    }

    @Test("Several files are one timeline, in a folder or named")
    func timeline() throws {
        let folder = try ReplayFolder()
        // In time that never steps back, so that merging is sorting.
        let frames = ReplayTraffic(seed: 13, frames: 2_000).frames.enumerated().sorted {
            ($0.element.time, $0.offset) < ($1.element.time, $1.offset)
        }.map(\.element)
        let whole = try folder.file("whole.pcap", ReplayTraffic.capture(frames))
        let parts = folder.path + "/parts"
        _ = unsafe mkdir(parts, 0o700)
        for part in 0..<3 {
            let own = frames.enumerated().filter { $0.offset % 3 == part }.map(\.element)
            _ = try folder.file("parts/\(part).pcap", ReplayTraffic.capture(own))
        }
        _ = try folder.file("parts/notes.txt", Array("no capture".utf8))
        let one = try Replayed([whole])
        let named = try Replayed((0..<3).map { parts + "/\($0).pcap" })
        let found = try Replayed([parts]) { $0.workers = 2 }
        #expect(named.summary.frames == one.summary.frames)
        #expect(named.summary.files.count == 3)
        #expect(named.text.split(separator: "\n").sorted() == found.text.split(separator: "\n").sorted())
        #expect(named.text == found.text)
        #expect(found.summary.skipped == 1)
        #expect(named.summary.flows == one.summary.flows)
    }

    @Test("gzip", arguments: [1, 2])
    func packed(workers: Int) throws {
        let folder = try ReplayFolder()
        let capture = ReplayTraffic(seed: 14, frames: 2_000).capture
        let plain = try Replayed([folder.file("x.pcap", capture)])
        let packed = try Replayed([folder.file("x.pcap.gz", gzip(capture))]) { $0.workers = workers }
        #expect(packed.text == plain.text)
        #expect(packed.summary.workers == workers)
    }

    @Test("What is broken ends there, and stops nothing else", arguments: [1, 3])
    func broken(workers: Int) throws {
        let folder = try ReplayFolder()
        let capture = ReplayTraffic(seed: 15, frames: 1_000).capture
        let good = try folder.file("good.pcap", capture)
        let cut = try folder.file("cut.pcap", Array(capture.prefix(capture.count / 2)))
        let nothing = try folder.file("nothing.pcap", Array("what is this".utf8))
        let empty = try folder.file("empty.pcap", [])
        let replayed = try Replayed([good, cut, nothing, empty, folder.path + "/missing.pcap"]) { $0.workers = workers }
        let files = replayed.summary.files
        #expect(files.map { $0.failure != nil } == [false, true, true, true, true])
        #expect(files.map(\.isUnreadable) == [false, false, false, false, true])
        #expect(files[1].frames > 0)
        #expect(files[1].failure?.hasPrefix("\(cut): the file is cut: ") == true)
        #expect(files[1].failure?.hasSuffix("after \(files[1].frames) frames") == true)
        #expect(files[2].failure == "\(nothing): not a capture: it starts like neither pcap nor pcapng")
        #expect(files[4].failure?.contains("No such file") == true)
        #expect(replayed.summary.frames == files.reduce(0) { $0 + $1.frames })
        #expect(replayed.summary.ledger.residue == 0)
    }

    @Test("A pipe is read once, by one worker")
    func pipe() throws {
        let folder = try ReplayFolder()
        let capture = ReplayTraffic(seed: 16, frames: 500).capture
        let path = folder.path + "/fifo"
        #expect(unsafe mkfifo(path, 0o600) == 0)
        let writer = try Worker(name: "writer") {
            let number = unsafe open(path, O_WRONLY)
            guard number >= 0 else { return }
            let file = Descriptor(owning: number)
            let span = capture.span
            try? write(all: unsafe span.bytes, to: file.rawValue)
        }
        let piped = try Replayed([path]) { $0.workers = 4 }
        writer.join()
        #expect(piped.summary.workers == 1)
        #expect(piped.text == (try Replayed([folder.file("x.pcap", capture)])).text)
    }

    @Test("An output that takes no more is an error, not a crash", arguments: [1, 3])
    func full(workers: Int) throws {
        let folder = try ReplayFolder()
        let path = try folder.file("x.pcap", ReplayTraffic(seed: 17, frames: 5_000).capture)
        var settings = Replay.Settings()
        settings.format = .jsonLines
        settings.workers = workers
        let output = Descriptor(owning: unsafe open("/dev/full", O_WRONLY))
        #expect(throws: SystemError("write", Errno(rawValue: ENOSPC))) {
            _ = try Replay(settings).run([path], to: output)
        }
    }

    @Test("Progress counts up to what was read")
    func progress() throws {
        let folder = try ReplayFolder()
        let frame = PacketBuilder().ethernet().ipv4(from: "10.0.0.1", to: "10.0.0.2").udp(from: 1, to: 2).bytes
        var writer = PcapWriter()
        for second in 0..<131_200 as Range<UInt32> { writer.record(frame, seconds: second / 1000) }
        let path = try folder.file("x.pcap", writer.bytes)
        let seen = Seen()
        let summary = try Replay(Replay.Settings()).run([path]) { seen.add($0) }
        #expect(summary.frames == 131_200)
        #expect(seen.all.count == 2)
        #expect(seen.all == seen.all.sorted())
    }

    @Test("The summary as JSON", .enabled(if: ClientRules.isAvailable, "needs python3"))
    func json() throws {
        let folder = try ReplayFolder()
        let path = try folder.file("x.pcap", ReplayTraffic(seed: 18, frames: 500).capture)
        let replayed = try Replayed([path, folder.path + "/missing"])
        let program = """
            import json, sys
            d = json.load(sys.stdin)
            assert d["schema"] == 1 and d["files"] == 2 and d["incidents"] == [], d
            assert d["frames"] == d["ledger"]["offered"] == d["ledger"]["read"] > 0 and d["ledger"]["residue"] == 0
            assert d["flows"] > 10 and d["bytes"] > 1000 and d["elapsed_seconds"] > 0
            assert sum(d["outcomes"].values()) == d["frames"]
            assert len(d["failures"]) == 1 and d["failures"][0]["file"].endswith("/missing")
            print("fine")
            """
        let outcome = ChildProcess.run(["/usr/bin/python3", "-c", program], input: replayed.summary.json())
        #expect(outcome.text == "fine\n")
    }
}

private final class Seen: @unchecked Sendable {
    private(set) var all: [UInt64] = []
    func add(_ frames: UInt64) { all.append(frames) }
}
