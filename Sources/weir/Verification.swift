import BPF
import FoundationEssentials
import Glibc
import Linux
import Publishing
import Reports
import Sensor
import Synchronization

/// Watches a running sensor for a while and holds what it says against what others say.
struct Verification {
    struct Check: Equatable {
        var what: String
        var held: Bool
        var found: String
    }

    private let configuration: Configuration
    private let client: SensorClient

    init(_ configuration: Configuration) {
        self.configuration = configuration
        client = SensorClient(path: configuration.socketPath)
    }

    func run(seconds: Int) throws(SensorClient.ClientError) -> [Check] {
        let end = Clock.monotonic.now() + Int64(seconds) * 1_000_000_000
        let redis = RedisWatch(configuration)
        let worker: Worker
        do throws(SystemError) {
            worker = try Worker(name: "verify-redis") { redis.run(until: end) }
        } catch {
            throw .failed(error)
        }
        var links = LinkHistory()
        // The first one is of unknown age.
        var newest = try StatusAnswer(try client.get("/api/status"))
        var statuses: [(status: StatusAnswer, time: Int64)] = []
        while Clock.monotonic.now() < end {
            links.sample()
            let status = try StatusAnswer(try client.get("/api/status"))
            // There is a new one each second; the first sight of it is the nearest to when it was taken.
            if newest.timestamp != status.timestamp {
                newest = status
                statuses.append((status, Clock.monotonic.now()))
            }
            links.sample()
            usleep(10_000)
        }
        worker.join()
        guard let last = statuses.last?.status else { throw .unreadable("no status came") }
        var checks = last.interfaces.flatMap { counters($0.name, statuses, links) + [programs($0)] }
        if last.interfaces.isEmpty { checks.append(Check(what: "interfaces", held: false, found: "none is watched")) }
        checks.append(ledger(statuses.map(\.status)))
        return checks + redis.checks()
    }

    // MARK: - Counters

    /// The sensor's totals of a stretch lie between the least and the most that the interface can have counted in it.
    private func counters(
        _ name: String,
        _ statuses: [(status: StatusAnswer, time: Int64)],
        _ links: borrowing LinkHistory
    ) -> [Check] {
        let seen = statuses.compactMap { entry in
            entry.status.interfaces.first { $0.name == name }.map { ($0, entry.time) }
        }
        guard let (before, start) = seen.first, let (after, end) = seen.last, start < end,
            before.epoch == after.epoch, let first = links.around(start, name), let last = links.around(end, name)
        else { return [Check(what: "\(name) counters", held: false, found: "not seen twice in one life of it")] }
        func checks(_ way: String, _ old: StatusAnswer.Direction, _ new: StatusAnswer.Direction, _ theirs: Counted)
            -> [Check]
        {
            let packets = new.packets.minus(old.packets)
            let frames = new.frames.flatMap { new in old.frames.map { new.minus($0) } } ?? packets
            let bytes = new.bytes.minus(old.bytes)
            // Segmentation offload: the interface may count a frame once that is many packets on the wire.
            let countsFrames = frames != packets && theirs.packets.contains(frames)
            return [
                Check(
                    what: "\(name) \(way) packets",
                    held: theirs.packets.contains(packets) || countsFrames,
                    found: Self.found(packets, theirs.packets)
                        + (countsFrames ? ": it counts the \(formattedCount(frames)) frames they were sent in" : "")
                ),
                Check(
                    what: "\(name) \(way) bytes",
                    held: theirs.bytes.contains(bytes) || (countsFrames && bytes > theirs.bytes.lowerBound),
                    found: Self.found(bytes, theirs.bytes) + (countsFrames ? ": headers once for each frame" : "")
                ),
            ]
        }
        let received = Counted(first, last, \.receivedPackets, \.receivedBytes)
        let sent = Counted(first, last, \.sentPackets, \.sentBytes)
        return checks("rx", before.rx, after.rx, received) + checks("tx", before.tx, after.tx, sent)
    }

    /// What an interface counted in a stretch: from the least to the most it can be, since two counters are never read in
    /// one moment.
    private struct Counted {
        var packets: ClosedRange<UInt64>
        var bytes: ClosedRange<UInt64>

        init(
            _ first: LinkHistory.Bracket,
            _ last: LinkHistory.Bracket,
            _ packets: KeyPath<LinkStatistics, UInt64>,
            _ bytes: KeyPath<LinkStatistics, UInt64>
        ) {
            func range(_ path: KeyPath<LinkStatistics, UInt64>) -> ClosedRange<UInt64> {
                let least = last.before[keyPath: path].minus(first.after[keyPath: path])
                return least...max(least, last.after[keyPath: path].minus(first.before[keyPath: path]))
            }
            self.packets = range(packets)
            self.bytes = range(bytes)
        }
    }

    private static func found(_ ours: UInt64, _ theirs: ClosedRange<UInt64>) -> String {
        let most = theirs.count > 1 ? " to \(formattedCount(theirs.upperBound))" : ""
        return "\(formattedCount(ours)); the interface says \(formattedCount(theirs.lowerBound))\(most)"
    }

    private func programs(_ interface: StatusAnswer.Interface) -> Check {
        let what = "\(interface.name) programs"
        guard interface.source == "tcx" else {
            return Check(what: what, held: interface.source == "tc", found: "counted by \(interface.source)")
        }
        let counts = [true, false].map { isIngress in
            let ids = (try? Attachment.programs(on: interface.index, ingress: isIngress)) ?? []
            return ids.count { (try? Program(id: $0).name) == (isIngress ? "weir_ingress" : "weir_egress") }
        }
        return Check(what: what, held: counts == [1, 1], found: "tcx: \(counts[0]) on ingress, \(counts[1]) on egress")
    }

    // MARK: - Ledger

    /// At rest the residue is 0. Under load it holds what is between filter and reader: at most what comes while a block
    /// waits to be handed over.
    private func ledger(_ statuses: [StatusAnswer]) -> Check {
        guard let first = statuses.first?.ledger, let last = statuses.last?.ledger else {
            return Check(what: "ledger", held: false, found: "not seen")
        }
        let least = statuses.suffix(max(1, statuses.count / 2)).map(\.ledger.residue).min() ?? 0
        let perSecond = last.offered.minus(first.offered) / UInt64(max(1, statuses.count - 1))
        return Check(
            what: "ledger",
            held: least <= perSecond / 8,
            found: "\(formattedCount(last.offered)) frames offered, \(formattedCount(last.dropped)) dropped, "
                + "\(formattedCount(last.shed)) shed, residue \(formattedCount(least))"
        )
    }
}

extension UInt64 {
    fileprivate func minus(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}

/// The interfaces' own counters over time.
private struct LinkHistory: ~Copyable {
    /// Readings surely before and surely after a moment.
    typealias Bracket = (before: LinkStatistics, after: LinkStatistics)

    private var samples: [(time: Int64, links: [String: LinkStatistics])] = []
    private var tables = try? LinkTables()

    mutating func sample() {
        guard let links = try? tables?.links() else { return }
        samples.append((Clock.monotonic.now(), Dictionary(links.map { ($0.name, $0.statistics) }) { $1 }))
    }

    /// - Parameter time: when a status was first seen, which was taken up to 60 ms earlier.
    func around(_ time: Int64, _ name: String) -> Bracket? {
        guard let before = (samples.last { $0.time <= time - 60_000_000 } ?? samples.first)?.links[name],
            let after = (samples.first { $0.time >= time } ?? samples.last)?.links[name]
        else { return nil }
        return (before, after)
    }
}

/// What arrives at Redis meanwhile, taken down by a thread of its own.
private final class RedisWatch: Sendable {
    private struct Notes {
        var times: [Int64] = []
        var differing = 0
        var timesToLive: [Int] = []
        var largest = 0
        var disconnected = 0
        var failure: String?
    }

    private let configuration: Configuration
    private let notes = Mutex(Notes())

    init(_ configuration: Configuration) {
        self.configuration = configuration
    }

    func run(until end: Int64) {
        do {
            let address = try configuration.redis.addressWithPassword()
            let listener = try RedisReader.open(address)
            let reader = try RedisReader.open(address)
            try listener.subscribe(to: configuration.publish.channel)
            let own =
                configuration.resourceID.isEmpty ? [] : ["\(configuration.publish.key):\(configuration.resourceID)"]
            while Clock.monotonic.now() < end {
                guard let message = try listener.nextMessage() else { continue }
                let time = Clock.monotonic.now()
                let keys = [configuration.publish.key] + own
                let values = try keys.map { key in try reader.value(of: key) }
                let timeToLive = try reader.timeToLive(of: configuration.publish.key)
                notes.withLock { notes in
                    notes.times.append(time)
                    notes.differing += values.allSatisfy { $0 == message } ? 0 : 1
                    notes.timesToLive.append(timeToLive)
                    notes.largest = max(notes.largest, message.count)
                    let document = try? JSONDecoder().decode(Document.self, from: Data(message))
                    notes.disconnected += document?.isConnected == true ? 0 : 1
                }
            }
        } catch {
            notes.withLock { $0.failure = "\(error)" }
        }
    }

    /// What every consumer needs of a document.
    private struct Document: Decodable {
        var isConnected: Bool
    }

    func checks() -> [Verification.Check] {
        let notes = notes.withLock { $0 }
        if let failure = notes.failure { return [.init(what: "Redis", held: false, found: failure)] }
        let interval = configuration.publish.interval
        let gaps = zip(notes.times.dropFirst(), notes.times).map { Double($0 - $1) / 1e9 }.sorted()
        guard let median = gaps.isEmpty ? nil : gaps[gaps.count / 2], let worst = gaps.last, let shortest = gaps.first,
            let least = notes.timesToLive.min(), let most = notes.timesToLive.max()
        else { return [.init(what: "Redis", held: false, found: "fewer than two documents came")] }
        let count = notes.times.count
        let wanted = max(60, Int((3 * interval).rounded(.up)))
        let rank = gaps[min(gaps.count - 1, gaps.count * 99 / 100)]
        func milliseconds(_ seconds: Double) -> String { "\(Int((seconds * 1_000).rounded())) ms" }
        return [
            .init(
                what: "Redis documents",
                held: notes.differing == 0 && notes.disconnected == 0 && notes.largest <= Report.sizeLimit,
                found:
                    "\(count) came, \(notes.differing) differ between key and message, \(notes.disconnected) without "
                    + "a live connection, the largest has \(formattedCount(UInt64(notes.largest))) bytes"
            ),
            .init(
                what: "Redis period",
                held: abs(median - interval) <= interval / 10 && rank <= interval * 1.1,
                found: "\(milliseconds(median)) in the middle, \(milliseconds(shortest)) to \(milliseconds(worst))"
            ),
            .init(
                what: "Redis time to live",
                held: least >= wanted - 1 && most <= wanted,
                found: least == most ? "\(most) s" : "\(least) to \(most) s"
            ),
        ]
    }
}
