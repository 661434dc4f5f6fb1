import Capture
import Flows
import Glibc
import Linux
import Packets

/// Reads all packets of a replay and keeps the flows of its shards.
struct ReplayWorker {
    private let settings: Replay.Settings
    private let number: Int
    private let map: ShardMap
    private let detection: ReplayDetection?
    private let progress: (@Sendable (UInt64) -> Void)?

    /// - Parameters:
    ///   - detection: takes the windows of its shards.
    ///   - progress: called now and then with the number of frames read.
    init(
        _ settings: Replay.Settings,
        number: Int,
        of workers: Int,
        _ detection: ReplayDetection?,
        _ progress: (@Sendable (UInt64) -> Void)?
    ) {
        self.settings = settings
        self.number = number
        self.detection = detection
        self.progress = progress
        map = ShardMap(seed: 0, workers: workers)
    }

    /// - Parameter rows: takes the records, each with its moment: at which packet it ended.
    /// - Returns: what is counted for each frame comes from the first worker alone.
    func run(_ inputs: ReplayInputs, _ rows: inout FlowRows) -> ReplaySummary {
        var timeline = CaptureTimeline(inputs.paths)
        var summary = ReplaySummary()
        var tables = FlowTables(settings.flows, map: map, worker: number)
        var pace = settings.speed.map { Pace(speed: $0) }
        if settings.flows.entropy == .none, !settings.flows.observes {
            replay(&timeline, &tables, &rows, &summary, &pace)
        } else {
            replayPayload(&timeline, &tables, &rows, &summary, &pace)
        }
        tables.stop()
        tables.drain { rows.add($0, at: .max) }
        tables.endObservation()
        judge(&tables)
        summary.finish(timeline, tables, rows, inputs)
        return summary
    }

    /// Hands on the windows that have ended.
    @inline(__always)
    private func judge(_ tables: inout FlowTables) {
        while let window = tables.takeObservation() { detection?.take(window) }
    }

    /// In rows of packets, which hides the time that memory takes.
    private func replay(
        _ timeline: inout CaptureTimeline,
        _ tables: inout FlowTables,
        _ rows: inout FlowRows,
        _ summary: inout ReplaySummary,
        _ pace: inout Pace?
    ) {
        let (counts, readsTunnels) = (number == 0, settings.readsTunnels)
        var batch = PacketBatch()
        var frames: UInt64 = 0
        /// Of the first packet in the batch, times two.
        var moment: UInt64 = 0
        while let info = timeline.next() {
            if pace != nil, let time = pace?.time(of: info.time) {
                tables.add(&batch) { record, place in rows.add(record, at: moment &+ UInt64(place)) }
                moment = 2 &* frames
                rows.flush()
                progress?(frames)
                pace?.sleep(until: time)
            }
            let bytes = timeline.bytes
            var isError = false
            batch.append(time: info.time, interface: info.interface) { packet in
                packet.decode(info, bytes)
                if counts { summary.count(&packet, info) }
                if readsTunnels { packet.decodeInner(bytes) } else { packet.decodeLink(bytes) }
                isError = packet.transport == .icmp && packet.isICMPError
            }
            frames &+= 1
            guard batch.isFull || isError else { continue }
            tables.add(&batch) { record, place in rows.add(record, at: moment &+ UInt64(place)) }
            moment = 2 &* frames
            if isError { addError(bytes, info, &tables) }
            judge(&tables)
            if frames & 0xFFFF < 32 { progress?(frames) }
            if rows.isUnwanted { break }
        }
        tables.add(&batch) { record, place in rows.add(record, at: moment &+ UInt64(place)) }
        summary.read = frames
    }

    /// Packet by packet, while its bytes are there.
    private func replayPayload(
        _ timeline: inout CaptureTimeline,
        _ tables: inout FlowTables,
        _ rows: inout FlowRows,
        _ summary: inout ReplaySummary,
        _ pace: inout Pace?
    ) {
        var packet = Packet()
        var frames: UInt64 = 0
        while let info = timeline.next() {
            let moment = 2 &* frames
            if pace != nil, let time = pace?.time(of: info.time) {
                rows.flush()
                progress?(frames)
                pace?.sleep(until: time)
            }
            let bytes = timeline.bytes
            packet.decode(info, bytes)
            if number == 0 { summary.count(&packet, info) }
            if settings.readsTunnels { packet.decodeInner(bytes) } else { packet.decodeLink(bytes) }
            if tables.advance(to: info.time) { tables.drain { rows.add($0, at: moment) } }
            let isError = packet.transport == .icmp && packet.isICMPError
            if tables.add(&packet, bytes, time: info.time, interface: info.interface) {
                tables.drain { rows.add($0, at: moment &+ 1) }
            }
            if isError { addError(bytes, info, &tables) }
            judge(&tables)
            frames &+= 1
            if frames & 0xFFFF == 0 { progress?(frames) }
            if rows.isUnwanted { break }
        }
        summary.read = frames
    }

    /// An ICMP error says something of the flow that it quotes. Reads the frame once more.
    @inline(never)
    private func addError(_ bytes: RawSpan, _ info: FrameInfo, _ tables: inout FlowTables) {
        var packet = Packet()
        packet.decode(info, bytes)
        if settings.readsTunnels { packet.decodeInner(bytes) } else { packet.decodeLink(bytes) }
        guard var quoted = packet.quoted(in: bytes) else { return }
        tables.addError(quoting: &quoted, interface: info.interface)
    }
}

/// Lets a capture's time pass as it passed then, or as many times faster.
private struct Pace {
    private let speed: Double
    private let start = Clock.monotonic.now()
    private var first: Int64?
    private var latest = Int64.min

    /// Below this many nanoseconds, no sleep is worth its wake-up.
    private static let least: Int64 = 1_000_000

    init(speed: Double) { self.speed = speed }

    /// - Returns: when the packet's time comes, on the monotonic clock; nil if it has come.
    mutating func time(of packet: Int64) -> Int64? {
        guard packet > latest else { return nil }
        latest = packet
        guard let first else {
            first = packet
            return nil
        }
        // A century is enough: years are not worth an overflow.
        let wait = min((Double(packet) - Double(first)) / speed, 3e18)
        let due = start + Int64(wait)
        return due - Clock.monotonic.now() > Self.least ? due : nil
    }

    func sleep(until time: Int64) {
        var due = timespec(tv_sec: Int(time / 1_000_000_000), tv_nsec: Int(time % 1_000_000_000))
        while unsafe clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, nil) == EINTR {}
    }
}
