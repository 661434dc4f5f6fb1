import Glibc
import Linux
import Publishing
import Reports
import Synchronization

/// Keeps the changes of state that a publisher tells.
final class Changes: Sendable {
    private let kept = Mutex([RedisStatus]())

    func append(_ status: RedisStatus) { kept.withLock { $0.append(status) } }

    var all: [RedisStatus] { kept.withLock { $0 } }
    var states: [RedisStatus.State] { all.map(\.state) }
}

/// Waits until a condition holds; nil if it does not within the time, else how long it took.
func wait(upTo limit: Double = 5, _ condition: () -> Bool) -> Double? {
    let start = Clock.monotonic.now()
    while true {
        let passed = Double(Clock.monotonic.now() - start) / 1e9
        if condition() { return passed }
        if passed > limit { return nil }
        usleep(2_000)
    }
}

/// Offers a numbered document at every interval until told to stop, as the sensor does, and notes the longest call.
final class Offering: Sendable {
    private let worker: Mutex<Worker?>
    private let tally = Tally()

    private final class Tally: Sendable {
        let stop = Atomic(false)
        let longest = Atomic<Int64>(0)
        let count = Atomic(0)
    }

    init(to publisher: RedisPublisher, every microseconds: UInt32 = 50_000) throws {
        let tally = tally
        worker = Mutex(
            try Worker(name: "offering") {
                while !tally.stop.load(ordering: .relaxed) {
                    let number = tally.count.wrappingAdd(1, ordering: .relaxed).newValue
                    let document = Array("{\"number\":\(number)}".utf8)
                    let start = Clock.monotonic.now()
                    publisher.offer(document)
                    tally.longest.max(Clock.monotonic.now() - start, ordering: .relaxed)
                    usleep(microseconds)
                }
            }
        )
    }

    deinit { end() }

    /// Stops; gives how many were offered and the longest call in milliseconds.
    @discardableResult
    func end() -> (offered: Int, longest: Double) {
        tally.stop.store(true, ordering: .relaxed)
        worker.withLock { $0 = nil }
        return (tally.count.load(ordering: .relaxed), Double(tally.longest.load(ordering: .relaxed)) / 1e6)
    }
}

/// Anonymous and file memory of this process that is resident, in KiB.
func residentMemory() -> Int {
    guard let file = unsafe fopen("/proc/self/statm", "r") else { return 0 }
    defer { unsafe fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard unsafe fgets(&line, 256, file) != nil else { return 0 }
    let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return pages * 4
}
