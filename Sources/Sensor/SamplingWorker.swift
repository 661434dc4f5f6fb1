import Capture
import Flows
import Linux
import Packets
import Synchronization

/// A thread that reads one ring of each watched interface, decodes the frames, and keeps the state of its shards.
///
/// The fanout program sends both directions of a flow to the worker that owns its shard. What belongs to a flow but
/// does not show it to the kernel (ICMP errors quoting a packet, fragments) is handed to the owner through a bounded
/// queue. One lock is taken per block, none per packet; nothing is allocated per packet.
final class SamplingWorker: Sendable {
    /// What the worker has done since it started. Read it with `withState`.
    struct State: ~Copyable, Sendable {
        /// Frames taken out of rings that are still open or were closed.
        var read: UInt64 = 0
        /// Frames that rings had no room for, or that were still in one when its interface was gone.
        var dropped: UInt64 = 0
        /// Frames that reached rings without a filter, where nothing else counts them.
        var unfiltered: UInt64 = 0
        var outcomes = DecodeCounters()
        /// Frames whose shard's owner had no room for them.
        var shed: UInt64 = 0
        /// Packets received from other workers.
        var handedOver: UInt64 = 0
        var flows: FlowTables
        /// Flow records until the coordinator takes them.
        var ended: EndedFlows
        var recent: RecentPackets
        var recorder: FlightRecorder
        /// Counted by Swift where the kernel's programs do not run; key: interface index.
        var counted: [UInt32: InterfaceCounters] = [:]

        /// The worker's part of the account.
        var ledger: Ledger {
            var ledger = Ledger()
            ledger.offered = unfiltered
            ledger.kept = unfiltered
            ledger.dropped = dropped
            ledger.read = read
            ledger.add(outcomes)
            ledger.decoded -= min(shed, ledger.decoded)
            ledger.shed = shed
            return ledger
        }

        @inline(never)
        mutating func keepEnded() {
            var kept = EndedFlows(capacity: 0)
            swap(&kept, &ended)
            flows.drain { kept.append($0) }
            swap(&kept, &ended)
        }
    }

    /// A decoded packet on its way to the owner of its shard.
    struct Handover: BitwiseCopyable {
        var summary: PacketSummary
        /// Not a packet that came, but one that an ICMP error quotes.
        var isQuoted: Bool
    }

    private enum Command: ~Copyable, Sendable {
        case open(Ring, interface: UInt32, isFiltered: Bool, counts: Bool)
        case close(interface: UInt32)
        case end
    }

    /// What the thread owns of one ring.
    private final class Reader {
        let interface: UInt32
        let isFiltered: Bool
        let counts: Bool
        let place: Int
        var ring: Ring

        init(_ ring: consuming Ring, interface: UInt32, isFiltered: Bool, counts: Bool, place: Int) {
            self.ring = ring
            self.interface = interface
            self.isFiltered = isFiltered
            self.counts = counts
            self.place = place
        }
    }

    let number: Int
    private let shardMap: ShardMap
    /// Packets kept for the packet view.
    private let recent: Int
    /// Whether the recorder keeps payload.
    private let recordsPayload: Bool
    /// Nanoseconds to add to a frame's time: by how much wall time was set back since the start.
    private let timeShift = Atomic<Int64>(0)
    /// From each other worker to this one; index: the sender.
    private let inboxes: [HandoverQueue<Handover>]
    private let commands = Mutex<[Box<Command>]>([])
    private let wake: Event
    private let state: Mutex<State>
    private let fullest = Atomic<UInt64>(0)
    private let busy = Atomic<UInt64>(0)
    private let thread = Mutex<Box<Worker>?>(nil)

    /// A value that cannot be copied, on its way through what can.
    private final class Box<Value: ~Copyable & Sendable>: Sendable {
        private let value: Mutex<Value?>
        init(_ value: consuming Value) { self.value = Mutex(value) }
        func take() -> Value? { value.withLock { $0.take() } }
    }

    /// - Parameters:
    ///   - recent: packets kept for the packet view.
    ///   - workers: how many there are.
    ///   - records: flow records kept until they are taken.
    ///   - recording: bytes of the recorder.
    init(
        number: Int,
        workers: Int,
        shardMap: ShardMap,
        recent: Int,
        flows: FlowSettings,
        records: Int,
        recording: Int,
        recordsPayload: Bool
    ) throws(SystemError) {
        self.number = number
        self.shardMap = shardMap
        self.recent = recent
        self.recordsPayload = recordsPayload
        inboxes = (0..<workers).map { _ in HandoverQueue(slots: 1_024, bytes: 1) }
        wake = try Event()
        state = Mutex(
            State(
                flows: FlowTables(flows, map: shardMap, worker: number),
                ended: EndedFlows(capacity: records),
                recent: RecentPackets(capacity: recent),
                recorder: FlightRecorder(capacity: recording)
            )
        )
    }

    /// Starts the thread. The peers are all workers, this one included, by number.
    func start(peers: [SamplingWorker]) throws(SystemError) {
        let outboxes = peers.map { $0.inboxes[number] }
        let wakes = peers.map(\.wake)
        let worker = Box(try Worker(name: "sample-\(number)") { [self] in run(outboxes: outboxes, wakes: wakes) })
        thread.withLock { $0 = worker }
    }

    /// Reads another ring from now on.
    /// - Parameters:
    ///   - isFiltered: whether the sampling filter counts what it lets through.
    ///   - counts: whether to count packets here because the kernel's programs do not.
    func open(_ ring: consuming Ring, interface: UInt32, isFiltered: Bool, counts: Bool) {
        send(.open(ring, interface: interface, isFiltered: isFiltered, counts: counts))
    }

    /// Reads what is left in the interface's ring, then closes it.
    func close(interface: UInt32) { send(.close(interface: interface)) }

    /// Reads what is left in all rings and ends the thread.
    func stop() {
        send(.end)
        if let worker = thread.withLock({ $0 })?.take() { worker.join() }
    }

    func withState<Result: ~Copyable>(_ body: (borrowing State) -> Result) -> Result {
        state.withLock { body($0) }
    }

    /// Ends the flows that are silent for too long at this time, and hands out what has ended since the last call.
    /// - Parameter time: on the clock of the frames, behind what rings may still hold.
    func takeFlows(at time: Int64) -> [FlowRecord] {
        state.withLock { state in
            if state.flows.advance(to: time) { state.keepEnded() }
            return state.ended.take()
        }
    }

    /// Hands out the windows for the detectors that have ended since the last call.
    /// - Parameter time: on the clock of the frames; windows before it have ended.
    func takeObservations(at time: Int64) -> [Observation] {
        state.withLock { state in
            state.flows.endObservation(at: time)
            var windows: [Observation] = []
            while let window = state.flows.takeObservation() { windows.append(window) }
            return windows
        }
    }

    /// Ends all flows, after the last frame.
    func endFlows() -> [FlowRecord] {
        state.withLock { state in
            // What is left is bounded by the tables, and nobody comes to take it later.
            var records = state.ended.take()
            state.flows.stop()
            state.flows.drain { records.append(copy $0) }
            state.flows.endObservation()
            return records
        }
    }

    var flowCounters: FlowCounters { state.withLock { FlowCounters($0.flows, missed: $0.ended.missed) } }

    /// What packets stand for from now on, while not all of them are kept.
    func setWeights(_ sampling: Sampling) { state.withLock { $0.flows.setWeights(sampling) } }

    /// Tells by how much wall time was set back since the start, in nanoseconds.
    func setTimeShift(_ shift: Int64) { timeShift.store(shift, ordering: .relaxed) }

    /// The fullest ring's share of blocks that waited since the last call, 0-1.
    func takeFill() -> Double { Double(fullest.exchange(0, ordering: .relaxed)) / 1e6 }

    /// Nanoseconds of processor time that the thread has used.
    var processorTime: UInt64 { busy.load(ordering: .relaxed) }

    private func send(_ command: consuming Command) {
        let box = Box(command)
        commands.withLock { $0.append(box) }
        wake.signal()
    }
}

// MARK: - The thread

extension SamplingWorker {
    private func run(outboxes: [HandoverQueue<Handover>], wakes: [Event]) {
        var poller = Poller()
        let wakePlace = poller.add(wake.descriptor)
        var readers: [Reader] = []
        var goesOn = true
        while goesOn {
            _ = try? poller.wait(milliseconds: -1)
            if poller[wakePlace].isReadable { wake.clear() }
            for box in commands.withLock({ boxes in
                defer { boxes.removeAll() }; return boxes
            }) {
                switch box.take() {
                case .open(let ring, let interface, let isFiltered, let counts)?:
                    let place = poller.add(ring.socket.descriptor)
                    readers.append(
                        Reader(ring, interface: interface, isFiltered: isFiltered, counts: counts, place: place)
                    )
                case .close(let interface)?:
                    for reader in readers where reader.interface == interface {
                        close(reader, outboxes, wakes)
                        poller.remove(reader.place)
                    }
                    readers.removeAll { $0.interface == interface }
                case .end?: goesOn = false
                case nil: break
                }
            }
            for reader in readers {
                if poller[reader.place].hasFailed { _ = try? reader.ring.socket.interfaceState() }
                drain(reader, outboxes, wakes)
            }
            receive()
            busy.store(UInt64(bitPattern: Clock.thread.now()), ordering: .relaxed)
        }
    }

    /// Reads the blocks that wait, at most one round of the ring, so that the other rings get their turn.
    private func drain(_ reader: Reader, _ outboxes: [HandoverQueue<Handover>], _ wakes: [Event]) {
        let fill = UInt64(reader.ring.fill * 1e6)
        if fill > fullest.load(ordering: .relaxed) { fullest.store(fill, ordering: .relaxed) }
        var left = reader.ring.geometry.blockCount
        while left > 0, readBlock(reader, outboxes, wakes) { left -= 1 }
        updateStatistics(reader)
    }

    /// The kernel clears its counts when it is asked: nobody else asks.
    private func updateStatistics(_ reader: Reader) {
        let before = reader.ring.statistics
        // A socket whose interface is gone still answers.
        try? reader.ring.updateStatistics()
        let after = reader.ring.statistics
        state.withLock { state in
            state.dropped &+= after.dropped &- before.dropped
            if !reader.isFiltered { state.unfiltered &+= after.frames &- before.frames }
        }
    }

    /// Reads what the ring still holds; what stands in a block that the kernel has not handed over is lost with it.
    private func close(_ reader: Reader, _ outboxes: [HandoverQueue<Handover>], _ wakes: [Event]) {
        try? reader.ring.socket.refuse()
        var poller = Poller()
        _ = poller.add(reader.ring.socket.descriptor)
        _ = try? poller.wait(milliseconds: 2 * RingGeometry.retireMilliseconds)
        drain(reader, outboxes, wakes)
        let statistics = reader.ring.statistics
        let unread = statistics.frames &- statistics.dropped &- reader.ring.frames
        state.withLock { $0.dropped &+= unread }
    }

    /// - Returns: whether there was a block.
    private func readBlock(_ reader: Reader, _ outboxes: [HandoverQueue<Handover>], _ wakes: [Event]) -> Bool {
        let (interface, counts) = (reader.interface, reader.counts)
        var counters = InterfaceCounters()
        var packet = Packet()
        var handedOver: UInt64 = 0
        let (shardMap, shift) = (shardMap, timeShift.load(ordering: .relaxed))
        // Nobody looks before the block is done, and then only the last packets are left: the others are not copied.
        var unseen = reader.ring.framesInNextBlock - recent
        let keepsPayload = recordsPayload
        let blocks = state.withLock { state in
            var unrecorded = state.recorder.isOff ? 0 : Self.recordedOfBlock
            let before = reader.ring.frames
            let blocks = reader.ring.walk(atMost: 1, into: &state) { state, info, bytes in
                packet.decode(info, bytes)
                state.outcomes.count(packet.outcome)
                if counts { Self.count(&packet, info, in: &counters) }
                unseen &-= 1
                packet.decodeLink(bytes)
                if unrecorded > 0 {
                    unrecorded &-= 1
                    Self.record(&packet, bytes, info, interface, keepsPayload, in: &state.recorder)
                }
                let time = info.time &+ shift
                if state.flows.advance(to: time) { state.keepEnded() }
                if packet.transport == .icmp {
                    handedOver |= Self.report(&packet, bytes, info, interface, shardMap, outboxes, &state)
                }
                let place = state.flows.locate(&packet, time: time, interface: interface)
                guard let place, !state.flows.owns(place) else {
                    if let place, state.flows.count(&packet, bytes, at: place, time: time, interface: interface) {
                        state.keepEnded()
                    }
                    if unseen < 0 { Self.show(&packet, info, interface, in: &state.recent) }
                    return
                }
                let owner = shardMap.worker(of: place.shard)
                if Self.hand(&packet, info, interface, isQuoted: false, to: outboxes[owner]) {
                    handedOver |= 1 << UInt64(owner)
                } else {
                    state.shed &+= 1
                }
            }
            state.read &+= reader.ring.frames &- before
            if counts { state.counted[interface, default: InterfaceCounters()] += counters }
            return blocks
        }
        if handedOver != 0 {
            for owner in outboxes.indices where handedOver & (1 << UInt64(owner)) != 0 { wakes[owner].signal() }
        }
        return blocks > 0
    }

    // What follows stands apart so that the loop above stays small enough to become one with the walk. Packets go in by
    // reference: handing one over by value copies it, with wide loads of bytes just written one by one.

    /// - Returns: whether there was room.
    @inline(never)
    private static func hand(
        _ packet: inout Packet,
        _ info: FrameInfo,
        _ interface: UInt32,
        isQuoted: Bool,
        to outbox: HandoverQueue<Handover>
    ) -> Bool {
        let summary = PacketSummary(packet, info, interface)
        return outbox.push(Handover(summary: summary, isQuoted: isQuoted), RawSpan())
    }

    @inline(never)
    private static func show(
        _ packet: inout Packet,
        _ info: FrameInfo,
        _ interface: UInt32,
        in recent: inout RecentPackets
    ) {
        recent.append(PacketSummary(packet, info, interface))
    }

    /// Frames of each block that are recorded. A block of a quiet ring has fewer; under load the recorder holds some of each
    /// moment, and costs next to nothing.
    private static let recordedOfBlock = 256

    @inline(never)
    private static func record(
        _ packet: inout Packet,
        _ bytes: RawSpan,
        _ info: FrameInfo,
        _ interface: UInt32,
        _ keepsPayload: Bool,
        in recorder: inout FlightRecorder
    ) {
        let kept = keepsPayload ? bytes.byteCount : Int(packet.headerLength)
        recorder.append(info, interface: interface, bytes.extracting(first: min(kept, 1_600)))
    }

    @inline(never)
    private static func count(_ packet: inout Packet, _ info: FrameInfo, in counters: inout InterfaceCounters) {
        counters.count(packet, info.direction == .outgoing ? .tx : .rx)
    }

    /// Takes what other workers handed over.
    private func receive() {
        let shift = timeShift.load(ordering: .relaxed)
        for inbox in inboxes {
            state.withLock { state in
                state.handedOver &+= UInt64(inbox.drain { handover, _ in state.take(handover, shift) })
            }
        }
    }

    /// An ICMP error says something about the flow that it quotes.
    /// - Returns: a bit for the worker to which that was handed.
    @inline(never)
    private static func report(
        _ packet: inout Packet,
        _ bytes: RawSpan,
        _ info: FrameInfo,
        _ interface: UInt32,
        _ map: ShardMap,
        _ outboxes: [HandoverQueue<Handover>],
        _ state: inout State
    ) -> UInt64 {
        guard var quoted = packet.quoted(in: bytes) else { return 0 }
        let place = FlowTables.Place(quoted, map)
        guard !state.flows.owns(place) else {
            state.flows.addError(quoting: &quoted, interface: interface)
            return 0
        }
        let owner = map.worker(of: place.shard)
        // A word about a flow, not a frame: when there is no room the ledger does not miss it.
        return hand(&quoted, info, interface, isQuoted: true, to: outboxes[owner]) ? 1 << UInt64(owner) : 0
    }
}

extension SamplingWorker.State {
    mutating func take(_ handover: SamplingWorker.Handover, _ shift: Int64) {
        var packet = handover.summary.packet
        let time = Int64(bitPattern: handover.summary.time) &+ shift
        let interface = handover.summary.interface
        guard !handover.isQuoted else { return flows.addError(quoting: &packet, interface: interface) }
        if flows.advance(to: time) { keepEnded() }
        if flows.count(&packet, at: flows.place(of: packet), time: time, interface: interface) { keepEnded() }
        recent.append(handover.summary)
    }
}

extension PacketSummary {
    @inline(__always)
    fileprivate init(_ packet: Packet, _ info: FrameInfo, _ interface: UInt32) {
        self.init(
            packet,
            time: UInt64(bitPattern: info.time),
            interface: interface,
            direction: info.direction == .outgoing ? .tx : .rx
        )
    }
}
