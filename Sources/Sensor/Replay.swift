import Capture
public import Detection
public import Flows
public import Linux
import Packets
import Synchronization

/// Capture files through the sensor's own way of a packet: one timeline, the same decoding, the same flow tables.
///
/// The clock is the running maximum of packet times, so that what comes out depends on the files alone: it is the same, byte
/// for byte, at any speed and on any number of workers.
public struct Replay: Sendable {
    public struct Settings: Sendable {
        public var flows = FlowSettings()
        /// Whether to read on inside tunnels, so that flows are those of the innermost packets.
        public var readsTunnels = false
        /// Threads, 1 ... 64: each reads all packets and keeps the flows of its shards.
        public var workers = 1
        /// Seconds of the capture in one second; nil: as fast as it can.
        public var speed: Double?
        /// How flow records are written; nil: they are only counted.
        public var format: FlowFormat?
        /// Whether interim records are written and counted, too.
        public var tellsInterims = false
        /// Levels of the detectors; nil: nothing is judged.
        public var detection: DetectionSettings? = DetectionSettings()
        /// What is known of the host that the capture was taken at.
        public var scene = Scene()

        /// Bytes of flows unless set otherwise: for 105,000 flows at one time, six times what a live sensor takes.
        public static let memory = 96 << 20

        public init() {
            flows.memory = Self.memory
            flows.interim = nil
        }

        /// Says which addresses are those of the host, or the net, that the captures were taken at.
        /// - Parameter prefixes: such as `192.0.2.0/24`, or addresses.
        public mutating func setHome(_ prefixes: [String]) throws(PrefixError) {
            var home: [Prefix] = []
            for text in prefixes { home.append(try Prefix(text: text)) }
            scene.home = home
        }
    }

    public let settings: Settings

    public init(_ settings: Settings) {
        precondition((1...ShardMap.shards).contains(settings.workers), "1 to 64 workers")
        var settings = settings
        settings.flows.observes = settings.detection != nil
        // Detectors read of flows that go on in their interim records.
        if settings.flows.observes, settings.flows.interim == nil { settings.flows.interim = FlowSettings().interim }
        self.settings = settings
    }

    /// Replays files, folders (each capture in it) and "-", standard input: captures, or packets as the original system
    /// exported them.
    ///
    /// A file that cannot be read, or not to its end, stops no other: ``ReplaySummary/files`` tells.
    /// - Parameters:
    ///   - output: where records go.
    ///   - progress: called now and then with the number of frames read, on any thread.
    /// - Throws: when the output takes no more, or a thread cannot be started.
    public func run(
        _ paths: [String],
        to output: borrowing Descriptor,
        progress: (@Sendable (UInt64) -> Void)? = nil
    ) throws(SystemError) -> ReplaySummary {
        try run(paths, descriptor: output.rawValue, progress)
    }

    /// The same, but writes nothing.
    public func run(
        _ paths: [String],
        progress: (@Sendable (UInt64) -> Void)? = nil
    ) throws(SystemError) -> ReplaySummary {
        var silent = self.settings
        silent.format = nil
        return try Replay(silent).run(paths, descriptor: -1, progress)
    }

    private func run(
        _ paths: [String],
        descriptor: Int32,
        _ progress: (@Sendable (UInt64) -> Void)?
    ) throws(SystemError) -> ReplaySummary {
        let start = Clock.monotonic.now()
        let inputs = ReplayInputs(paths)
        let workers = inputs.canBeReadAgain ? settings.workers : 1
        var summary: ReplaySummary
        let detection = settings.detection.map {
            ReplayDetection($0, settings.scene, workers: workers, waits: settings.format == nil)
        }
        if workers == 1 {
            var rows = FlowRows(settings, sink: settings.format == nil ? .none : .descriptor(descriptor))
            summary = ReplayWorker(settings, number: 0, of: 1, detection, progress).run(inputs, &rows)
            rows.finish()
            if let failure = rows.failure { throw failure }
        } else {
            summary = try run(inputs, workers, descriptor, detection, progress)
        }
        if let detection { summary.findings = detection.finish() }
        summary.workers = workers
        summary.elapsed = Double(Clock.monotonic.now() - start) / 1e9
        return summary
    }

    /// Each worker makes its rows; this thread merges them.
    private func run(
        _ inputs: ReplayInputs,
        _ workers: Int,
        _ descriptor: Int32,
        _ detection: ReplayDetection?,
        _ progress: (@Sendable (UInt64) -> Void)?
    ) throws(SystemError) -> ReplaySummary {
        let settings = settings
        let queues = (0..<workers).map { _ in ChunkQueue() }
        let results = Results()
        var threads: [Thread] = []
        do throws(SystemError) {
            for number in 0..<workers {
                let queue = queues[number]
                let worker = try Worker(name: "replay-\(number)") {
                    var rows = FlowRows(settings, sink: .queue(queue))
                    let progress = number == 0 ? progress : nil
                    let worker = ReplayWorker(settings, number: number, of: workers, detection, progress)
                    let part = worker.run(inputs, &rows)
                    results.parts.withLock { $0[number] = part }
                    rows.finish()
                }
                threads.append(Thread(worker))
            }
        } catch {
            for queue in queues { queue.cancel() }
            throw error
        }
        var merge = FlowMerge(
            queues,
            output: settings.format == nil ? nil : descriptor,
            header: FlowRows.header(settings)
        )
        let failure = merge.run()
        for thread in threads { thread.join() }
        if let failure { throw failure }
        return results.parts.withLock { parts in
            var summary = parts[0] ?? ReplaySummary()
            for number in 1..<workers { summary.add(flowsOf: parts[number] ?? ReplaySummary()) }
            return summary
        }
    }

    private final class Results: Sendable {
        let parts = Mutex<[Int: ReplaySummary]>([:])
    }

    /// A thread, in a list.
    private final class Thread {
        private var worker: Worker?
        init(_ worker: consuming Worker) { self.worker = consume worker }
        func join() { worker = nil }
    }
}

/// How flow records are written.
public enum FlowFormat: Sendable {
    /// CICFlowMeter's 84 columns; no interim records.
    case csv
    /// One object a line.
    case jsonLines
}
