import Flows
import Glibc
import Linux
import Reports
import Synchronization

/// Turns flow records into text on its way to a file.
struct FlowRows: ~Copyable {
    enum Sink {
        /// Records are only counted.
        case none
        /// Rows are written as they come.
        case descriptor(Int32)
        /// Rows are merged with those of other workers.
        case queue(ChunkQueue)
    }

    /// Records of flows that have ended; of flows that go on.
    private(set) var ended: UInt64 = 0
    private(set) var interims: UInt64 = 0
    /// Of those ended: flows for which the profile has no row.
    private(set) var omitted: UInt64 = 0
    /// Why the output takes no more.
    private(set) var failure: SystemError?

    private let sink: Sink
    private let format: FlowFormat?
    private let tellsInterims: Bool
    private let csv: FlowCSV
    private var json: FlowJSON
    private var text: TextBuffer
    private var chunk = FlowChunk()

    /// Bytes that are written at a time.
    static let portion = 256 << 10

    init(_ settings: Replay.Settings, sink: Sink) {
        self.sink = sink
        format = settings.format
        tellsInterims = settings.tellsInterims
        csv = FlowCSV(settings.flows.profile)
        json = FlowJSON(settings.flows.profile, entropy: settings.flows.entropy)
        text = TextBuffer(capacity: format == nil ? 64 : Self.portion + 8192)
        if case .descriptor = sink { Self.writeHeader(format, csv, to: &text) }
    }

    private static func writeHeader(_ format: FlowFormat?, _ csv: FlowCSV, to text: inout TextBuffer) {
        if format == .csv { csv.writeHeader(to: &text) }
    }

    /// What stands before all rows.
    static func header(_ settings: Replay.Settings) -> TextBuffer {
        var text = TextBuffer()
        writeHeader(settings.format, FlowCSV(settings.flows.profile), to: &text)
        return text
    }

    /// Whether nobody takes rows any more.
    var isUnwanted: Bool {
        if case .queue(let queue) = sink { return queue.isCancelled }
        return failure != nil
    }

    /// - Parameter moment: never less than that of the record before.
    mutating func add(_ record: borrowing FlowRecord, at moment: UInt64) {
        let isInterim = record.end == .interim
        if isInterim, !tellsInterims { return }
        if isInterim { interims &+= 1 } else { ended &+= 1 }
        guard csv.hasRow(for: record) else {
            if !isInterim { omitted &+= 1 }
            return
        }
        switch format {
        case nil: return
        case .csv?:
            if isInterim { return }
            csv.write(record, to: &text)
        case .jsonLines?: json.write(record, to: &text)
        }
        if case .queue = sink {
            chunk.rows.append(
                .init(moment: moment, first: record.features.first, key: record.key, end: text.count)
            )
        }
        if text.count >= Self.portion { flush() }
    }

    mutating func finish() {
        flush()
        if case .queue(let queue) = sink { queue.finish() }
    }

    /// Writes what there is.
    @inline(never)
    mutating func flush() {
        if text.count == 0 { return }
        switch sink {
        case .none: break
        case .descriptor(let descriptor):
            if failure == nil { failure = text.write(to: descriptor) }
            text.clear()
        case .queue(let queue):
            swap(&chunk.text, &text)
            queue.push(chunk)
            chunk = FlowChunk()
        }
    }
}

extension TextBuffer {
    /// - Returns: why it could not be written.
    fileprivate func write(to descriptor: Int32) -> SystemError? {
        do throws(SystemError) {
            try Linux.write(all: bytes, to: descriptor)
            return nil
        } catch {
            return error
        }
    }
}

/// Rows of one worker, on their way to where they are merged. Sendable: one thread at a time has it.
final class FlowChunk: @unchecked Sendable {
    struct Row {
        let moment: UInt64
        let first: Int64
        let key: FlowKey
        /// Where the row ends in the text.
        let end: Int

        /// Whether it stands before a row of another worker.
        func isBefore(_ other: Row) -> Bool {
            if moment != other.moment { return moment < other.moment }
            return first == other.first ? key < other.key : first < other.first
        }
    }

    var text = TextBuffer(capacity: 64)
    var rows: [Row] = []
}

/// A few chunks between a worker and the merge: a worker that is ahead waits.
final class ChunkQueue: Sendable {
    private struct State {
        var chunks: [FlowChunk] = []
        var hasEnded = false
    }

    private static let limit = 8

    private let state = Mutex(State())
    private let changed = Turn()
    private let cancelled = Atomic<Bool>(false)

    /// Whether nobody takes chunks any more.
    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    func cancel() {
        cancelled.store(true, ordering: .relaxed)
        changed.announce()
    }

    func push(_ chunk: FlowChunk) {
        changed.wait { isCancelled || state.withLock { $0.chunks.count < Self.limit } }
        if isCancelled { return }
        state.withLock { $0.chunks.append(chunk) }
        changed.announce()
    }

    func finish() {
        state.withLock { $0.hasEnded = true }
        changed.announce()
    }

    /// - Returns: nil when the worker is done.
    func pop() -> FlowChunk? {
        changed.wait { state.withLock { !$0.chunks.isEmpty || $0.hasEnded } }
        let chunk = state.withLock { $0.chunks.isEmpty ? nil : $0.chunks.removeFirst() }
        changed.announce()
        return chunk
    }
}

/// Puts the rows of all workers in one order and writes them.
struct FlowMerge: ~Copyable {
    private let queues: [ChunkQueue]
    private let output: Int32?
    private var text: TextBuffer
    private var heads: [Head]

    /// The chunk of a worker that rows are taken from.
    private struct Head {
        var chunk: FlowChunk?
        var place = 0
        var start = 0
    }

    /// - Parameter output: a descriptor; nil when there are no rows.
    init(_ queues: [ChunkQueue], output: Int32?, header: consuming TextBuffer) {
        self.queues = queues
        self.output = output
        text = header
        heads = queues.map { _ in Head() }
    }

    /// - Returns: why the output took no more.
    mutating func run() -> SystemError? {
        while let worker = next() {
            take(from: worker)
            if text.count >= FlowRows.portion, let failure = flush() {
                for queue in queues { queue.cancel() }
                return failure
            }
        }
        return flush()
    }

    /// - Returns: whose row comes next; nil when all are done.
    private mutating func next() -> Int? {
        for worker in heads.indices { refill(worker) }
        var first: Int?
        for worker in heads.indices {
            guard let chunk = heads[worker].chunk else { continue }
            let row = chunk.rows[heads[worker].place]
            if let best = first, let other = heads[best].chunk, !row.isBefore(other.rows[heads[best].place]) {
                continue
            }
            first = worker
        }
        return first
    }

    /// Gets a worker's next row, waiting for it if need be.
    private mutating func refill(_ worker: Int) {
        if let chunk = heads[worker].chunk, heads[worker].place < chunk.rows.count { return }
        repeat {
            heads[worker] = Head(chunk: queues[worker].pop())
        } while heads[worker].chunk?.rows.isEmpty == true
    }

    private mutating func take(from worker: Int) {
        guard let chunk = heads[worker].chunk else { return }
        let end = chunk.rows[heads[worker].place].end
        text.append(chunk.text, heads[worker].start..<end)
        heads[worker].start = end
        heads[worker].place += 1
    }

    private mutating func flush() -> SystemError? {
        defer { text.clear() }
        guard let output else { return nil }
        return text.write(to: output)
    }
}
