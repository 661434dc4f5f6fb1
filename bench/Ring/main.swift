import Capture
import Glibc
import Linux
import Packets
import Support
import Synchronization

// What it costs to take frames out of a TPACKET_V3 ring, up to a body that sums their lengths.
//
//     Ring [SECONDS]          all measures; live ones need root and run in a network namespace of their own
//     Ring memory ROUNDS      only the walk of a ring in ordinary memory, for a profiler
//
// live     frames of 60, 512 and 1,400 bytes cross a veth pair, sent on the last processor, read on the first: nanoseconds
//          a frame of walking, and of all the reader does (waiting and statistics, too); loss must be 0.
// decoded  the same at 60 bytes, walked and decoded in one loop.
// memory   the same walk over frames that lie in cache.
// counts   instructions, allocations, retains, releases and locks a frame, counted by callgrind: the difference of two
//          runs of `memory`, so that start and end cancel out.

/// What every run must hold; the rest depends on the machine.
let limits: [String: Double] = [
    "instructions_per_frame": 40, "allocations": 0, "retains": 0, "releases": 0, "locks": 0, "residue": 0,
]

/// What a measure has to say: one line of the table, one of JSON.
struct Measure {
    var name: String
    var values: [(name: String, value: Double)]

    /// Prints both lines; answers how many limits were missed.
    func show() -> Int {
        var missed = 0
        print(name.padded(to: 22) + values.map { "\($0.name) \(Self.text($0.value))" }.joined(separator: "   "))
        let fields = values.map { "\"\($0.name)\":\(Self.text($0.value))" }.joined(separator: ",")
        print("{\"bench\":\"Ring\",\"measure\":\"\(name)\",\(fields)}")
        for (field, value) in values {
            guard let limit = limits[field], value > limit else { continue }
            print("MISSED: \(field) of \(name) is \(Self.text(value)), the limit is \(Self.text(limit))")
            missed += 1
        }
        return missed
    }

    private static func text(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let fraction = hundredths % 100
        return fraction == 0 ? "\(hundredths / 100)" : "\(hundredths / 100).\(fraction / 10)\(fraction % 10)"
    }
}

extension String {
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(1, width - utf8.count)) }
}

/// CPU time of the calling thread, in nanoseconds.
func threadTime() -> Int64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// A ring in ordinary memory, full of frames of 60 bytes.
struct MemoryRing {
    let ring = FakeRing(blockSize: 256 << 10, blockCount: 4)
    let framesPerRound: Int

    init() {
        let perBlock = (ring.blockSize - 48) / 144
        for block in 0..<ring.blockCount {
            ring.write(
                block: block,
                (0..<perBlock).map { FakeRing.Frame([UInt8](repeating: UInt8($0 & 0xff), count: 60)) }
            )
        }
        framesPerRound = perBlock * ring.blockCount
    }

    /// Walks the ring `rounds` times; answers the bytes seen.
    @inline(never)
    func walk(rounds: Int) -> UInt64 {
        let geometry = RingGeometry(blockSize: ring.blockSize, blockCount: ring.blockCount)
        var blocks = unsafe RingBlocks(base: ring.base, geometry: geometry)
        var bytes: UInt64 = 0
        for _ in 0..<rounds {
            for block in 0..<ring.blockCount { ring.poke(1, at: block * ring.blockSize + 8) }
            blocks.walk(atMost: ring.blockCount, into: &bytes) { bytes, info, span in
                bytes &+= UInt64(info.wireLength) &+ UInt64(span.byteCount)
            }
        }
        precondition(blocks.frames == UInt64(rounds * framesPerRound))
        return bytes
    }
}

func measureMemory() -> Measure {
    let memory = MemoryRing()
    let rounds = 200
    var best = Double.infinity
    for _ in 0..<7 {
        let start = threadTime()
        let bytes = memory.walk(rounds: rounds)
        let time = threadTime() - start
        precondition(bytes == UInt64(rounds * memory.framesPerRound * 120))
        best = min(best, Double(time) / Double(rounds * memory.framesPerRound))
    }
    return Measure(name: "memory", values: [("ns_per_frame", best)])
}

/// Sends for some seconds, counting.
func send(_ frame: [UInt8], seconds: Int, into sent: Sent) throws -> Worker {
    let sender = try FrameSender(interface: VethPair.near, frames: [frame])
    return try Worker(name: "sender", processor: Processors.online - 1, owning: sender) {
        (sender: consuming FrameSender) in
        let end = Clock.monotonic.now() + Int64(seconds) * 1_000_000_000
        while Clock.monotonic.now() < end {
            guard let count = try? sender.send(1024) else { break }
            sent.frames.add(UInt64(count))
        }
        sent.isDone.store(true, ordering: .releasing)
    }
}

final class Sent: Sendable {
    let frames = SingleWriterCounter()
    let isDone = Atomic(false)
}

func measureLive(size: Int, decodes: Bool = false, seconds: Int) throws -> Measure {
    var result = Measure(name: decodes ? "decoded \(size)" : "live \(size)", values: [])
    try VethPair.with {
        guard var geometry = RingGeometry.sharing(rings: 1) else { return }
        let index = try VethPair.index(of: VethPair.far)
        let socket = try PacketSocket(interface: index, geometry: &geometry, filter: nil)
        var ring = try Ring(socket, geometry: geometry)
        let frame = PacketBuilder().ethernet().ipv4(from: "198.18.0.1", to: "198.18.0.2").udp(from: 1024, to: 9)
            .payload([UInt8](repeating: 0x41, count: size - 42)).bytes
        let sent = Sent()
        let worker = try send(frame, seconds: seconds, into: sent)
        var poller = Poller()
        _ = poller.add(ring.socket.descriptor)
        var bytes: UInt64 = 0
        var walking: Int64 = 0
        var packet = Packet()
        let start = threadTime()
        while true {
            let isLast = sent.isDone.load(ordering: .acquiring)
            try poller.wait(milliseconds: 100)
            let before = threadTime()
            if decodes {
                ring.walk(atMost: geometry.blockCount, into: &bytes) { bytes, info, span in
                    packet.decode(span, wireLength: Int(info.wireLength), segmentSize: info.segmentSize)
                    bytes &+= UInt64(packet.frameLength) &+ UInt64(packet.capturedLength)
                }
            } else {
                ring.walk(atMost: geometry.blockCount, into: &bytes) { bytes, info, span in
                    bytes &+= UInt64(info.wireLength) &+ UInt64(span.byteCount)
                }
            }
            walking += threadTime() - before
            try ring.updateStatistics()
            if isLast, ring.frames + ring.statistics.dropped >= sent.frames.load() { break }
        }
        let all = threadTime() - start
        worker.join()
        let frames = Double(ring.frames)
        precondition(bytes == ring.frames * UInt64(2 * frame.count))
        result.values = [
            ("frames_per_second", (frames / Double(seconds)).rounded()),
            ("dropped", Double(ring.statistics.dropped)),
            ("residue", Double(sent.frames.load()) - frames - Double(ring.statistics.dropped)),
            ("walk_ns_per_frame", Double(walking) / frames),
            ("reader_ns_per_frame", Double(all) / frames),
        ]
    }
    return result
}

/// Calls that a packet path must not make, as callgrind names them.
let forbidden: [(name: String, matches: @Sendable (Substring) -> Bool)] = [
    (
        "allocations",
        { ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "swift_slowAlloc"].contains($0) }
    ),
    ("retains", { $0.hasPrefix("swift_") && $0.lowercased().contains("retain") }),
    ("releases", { $0.hasPrefix("swift_") && $0.lowercased().contains("release") }),
    ("locks", { $0.hasPrefix("pthread_mutex_lock") || $0.hasPrefix("pthread_rwlock") }),
]

/// Runs `memory` under callgrind: instructions, and calls of each forbidden kind.
func profile(rounds: Int) -> [Double]? {
    let output = "/tmp/weir-bench-ring-\(getpid()).callgrind"
    defer { _ = unsafe unlink(output) }
    let run = ChildProcess.run(
        [
            "/usr/bin/valgrind", "--tool=callgrind", "--callgrind-out-file=\(output)", "--compress-strings=no",
            "--compress-pos=no", CommandLine.arguments[0], "memory", "\(rounds)",
        ],
        seconds: 120
    )
    guard run.status == 0, let file = unsafe fopen(output, "r") else { return nil }
    defer { unsafe fclose(file) }
    var instructions = 0.0
    var calls = [Double](repeating: 0, count: forbidden.count)
    var callee: Substring = ""
    var line = [CChar](repeating: 0, count: 65_536)
    while unsafe fgets(&line, Int32(line.count), file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        if text.hasPrefix("cfn=") { callee = text.dropFirst(4) }
        if text.hasPrefix("calls="), let count = Double(text.dropFirst(6).prefix { $0 != " " }) {
            for (kind, entry) in forbidden.enumerated() where entry.matches(callee) { calls[kind] += count }
        }
        if text.hasPrefix("totals: "), let total = Double(text.dropFirst(8)) { instructions = total }
    }
    return [instructions] + calls
}

func measureCounts() -> Measure? {
    let (few, many) = (10, 110)
    guard ChildProcess.exists("/usr/bin/valgrind"), let base = profile(rounds: few), let full = profile(rounds: many)
    else { return nil }
    // The start of the program allocates, retains and locks: were that not seen, a zero would mean nothing.
    precondition(base.allSatisfy { $0 > 0 }, "callgrind's names are not those looked for: \(base)")
    let frames = Double((many - few) * MemoryRing().framesPerRound)
    let names = ["instructions"] + forbidden.map(\.name)
    // The whole difference, not a share of a frame, where it must be none.
    return Measure(
        name: "counts",
        values: [("instructions_per_frame", (full[0] - base[0]) / frames), ("frames", frames)]
            + names.indices.dropFirst().map { (names[$0], full[$0] - base[$0]) }
    )
}

let arguments = CommandLine.arguments
if arguments.count == 3, arguments[1] == "memory", let rounds = Int(arguments[2]) {
    print(MemoryRing().walk(rounds: rounds))
    exit(0)
}
var missed = measureMemory().show()
if let counts = measureCounts() {
    missed += counts.show()
} else {
    print("counts: skipped, /usr/bin/valgrind is not there")
}
guard geteuid() == 0 else {
    print("live: skipped, needs root")
    exit(missed == 0 ? 0 : 1)
}
let seconds = arguments.count > 1 ? Int(arguments[1]) ?? 3 : 3
for size in [60, 512, 1400] {
    missed += try measureLive(size: size, seconds: seconds).show()
}
missed += try measureLive(size: 60, decodes: true, seconds: seconds).show()
exit(missed == 0 ? 0 : 1)
