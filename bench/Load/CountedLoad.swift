import Glibc
import Linux
import Measuring
import Support

/// What the real worker threads do for a frame, counted by callgrind: repeatable on any machine, however busy.
///
/// A block of the ring, some thousands of frames, costs a lock and a few calls; so no count is zero, but a call for each
/// frame would make it one.
enum CountedLoad {
    private static let valgrind = "/usr/bin/valgrind"
    /// Sent at once, so that blocks fill; fewer than the rings hold.
    private static let burst = 60_000
    private static let bursts = 3

    /// Calls that a packet path must not make, as callgrind names them.
    private static let forbidden: [(name: String, matches: @Sendable (Substring) -> Bool)] = [
        (
            "allocations",
            { ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "swift_slowAlloc"].contains($0) }
        ),
        ("retains", { $0.hasPrefix("swift_") && $0.lowercased().contains("retain") }),
        ("releases", { $0.hasPrefix("swift_") && $0.lowercased().contains("release") }),
        (
            "locks",
            { $0.contains("mutex_lock") || $0.contains("MutexHandleV") && $0.contains("ock") || $0.contains("rwlock") }
        ),
    ]

    static func measure() throws {
        guard ChildProcess.exists(valgrind) else {
            print("Load: counts skipped, \(valgrind) is not there")
            return
        }
        var measure = Measure("Load", "counts")
        let output = "/tmp/weir-bench-\(getpid()).callgrind"
        let copy = "/tmp/weir-bench-\(getpid()).binary"
        defer { _ = unsafe unlink(copy) }
        // valgrind cannot read this much debug information, and needs the names alone.
        let strip = ChildProcess.run(["/usr/bin/strip", "--strip-debug", "-o", copy, SensorProcess.binary])
        guard strip.status == 0 else { throw SensorProcess.Failure("strip: \(strip.text)") }
        var frames: UInt64 = 0
        try Traffic.with {
            let command = [
                valgrind, "--quiet", "--tool=callgrind", "--separate-threads=yes", "--compress-strings=no",
                "--compress-pos=no", "--callgrind-out-file=\(output)", copy,
            ]
            let sensor = try SensorProcess(interface: VethPair.far, command: command)
            let before = try sensor.statusAtRest()
            let clients = (0..<6_000).map { Traffic.request(from: $0) }
            let sender = try FrameSender(interface: VethPair.near, frames: clients)
            for _ in 0..<bursts {
                try sender.send(burst)
                sleep(4)
            }
            let after = try sensor.statusAtRest()
            frames = after.ledger.read - before.ledger.read
            measure.add("frames_read", frames)
            measure.add("ring_drops", after.ledger.dropped - before.ledger.dropped)
            sensor.stop()
        }
        var counts = Counts()
        for thread in 1..<100 {
            let name = "\(output)-\(thread < 10 ? "0" : "")\(thread)"
            guard let profile = File.text(name) else { continue }
            _ = unsafe unlink(name)
            if profile.contains("SamplingWorker") && profile.contains("readBlock") { counts.add(profile) }
        }
        _ = unsafe unlink(output)
        measure.add("instructions_per_frame", counts.instructions / Double(frames))
        for (kind, entry) in forbidden.enumerated() {
            measure.add(entry.name + "_per_frame", counts.calls[kind] / Double(frames))
        }
        measure.show()
        guard counts.calls.allSatisfy({ $0 > 0 }) else {
            throw SensorProcess.Failure("callgrind's names are not those looked for: \(counts.calls)")
        }
    }

    private struct Counts {
        var instructions = 0.0
        var calls = [Double](repeating: 0, count: forbidden.count)

        /// Adds a thread's profile: `cfn=CALLEE`, and below it `calls=COUNT TARGET`.
        mutating func add(_ profile: String) {
            var callee: Substring = ""
            for line in profile.split(separator: "\n") {
                if line.hasPrefix("cfn=") { callee = line.dropFirst(4) }
                if line.hasPrefix("calls="), let count = Double(line.dropFirst(6).prefix { $0 != " " }) {
                    for (kind, entry) in forbidden.enumerated() where entry.matches(callee) { calls[kind] += count }
                }
                if line.hasPrefix("totals: "), let total = Double(line.dropFirst(8)) { instructions += total }
            }
        }
    }
}
