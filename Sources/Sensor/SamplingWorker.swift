import Capture
import Flows
import Linux
import Packets
import Synchronization

/// A thread that reads one ring of each watched interface, decodes the frames, and keeps the state of its shards.
///
/// The fanout program sends both directions of a flow to the worker that owns its shard. What belongs to a flow but
/// does not show it to the kernel (ICMP errors quoting a packet, first fragments) is handed to the owner through a bounded
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
        /// What each shard of this worker has seen.
        var shards = [64 of Volume](repeating: Volume())
        var recent: RecentPackets
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
    }

    /// A decoded packet on its way to the owner of its shard.
    struct Handover: BitwiseCopyable {
        var summary: PacketSummary
        var shard: UInt8
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
    /// A bit for each shard of this worker.
    private let own: UInt64
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
    ///   - senders: how many workers there are.
    init(number: Int, workers: Int, shardMap: ShardMap, recent: Int) throws(SystemError) {
        self.number = number
        self.shardMap = shardMap
        self.recent = recent
        own = (0..<ShardMap.shards).reduce(0) { shardMap.worker(of: $1) == number ? $0 | 1 << UInt64($1) : $0 }
        inboxes = (0..<workers).map { _ in HandoverQueue(slots: 1_024, bytes: 1) }
        wake = try Event()
        state = Mutex(State(recent: RecentPackets(capacity: recent)))
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
        let (shardMap, own) = (shardMap, own)
        // Nobody looks before the block is done, and then only the last packets are left: the others are not copied.
        var unseen = reader.ring.framesInNextBlock - recent
        let blocks = state.withLock { state in
            let before = reader.ring.frames
            let blocks = reader.ring.walk(atMost: 1, into: &state) { state, info, bytes in
                packet.decode(info, bytes)
                state.outcomes.count(packet.outcome)
                if counts { Self.count(&packet, info, in: &counters) }
                let isICMP = packet.transport == .icmp
                let shard = isICMP ? Self.shard(ofICMP: &packet, bytes, shardMap) : shardMap.shard(of: packet)
                unseen &-= 1
                if own >> UInt64(shard) & 1 == 0 {
                    let owner = shardMap.worker(of: shard)
                    if Self.hand(&packet, info, interface, shard, to: outboxes[owner]) {
                        handedOver |= 1 << UInt64(owner)
                    } else {
                        state.shed &+= 1
                    }
                } else {
                    state.shards[shard] += Volume(packets: UInt64(packet.segments), bytes: packet.bytes)
                    if unseen < 0 { Self.show(&packet, info, interface, in: &state.recent) }
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
        _ shard: Int,
        to outbox: HandoverQueue<Handover>
    ) -> Bool {
        let summary = PacketSummary(packet, info, interface)
        return outbox.push(Handover(summary: summary, shard: UInt8(truncatingIfNeeded: shard)), RawSpan())
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

    @inline(never)
    private static func count(_ packet: inout Packet, _ info: FrameInfo, in counters: inout InterfaceCounters) {
        counters.count(packet, info.direction == .outgoing ? .tx : .rx)
    }

    /// Takes what other workers handed over.
    private func receive() {
        for inbox in inboxes {
            state.withLock { state in
                state.handedOver &+= UInt64(
                    inbox.drain { handover, _ in state.take(handover.summary, shard: Int(handover.shard)) }
                )
            }
        }
    }

    /// An ICMP error belongs to the flow that it quotes. Reads the packet in place.
    @inline(never)
    private static func shard(ofICMP packet: inout Packet, _ bytes: RawSpan, _ map: ShardMap) -> Int {
        map.shard(of: packet.quoted(in: bytes) ?? packet)
    }
}

extension SamplingWorker.State {
    @inline(__always)
    mutating func take(_ summary: PacketSummary, shard: Int) {
        shards[shard] += Volume(packets: UInt64(summary.packet.segments), bytes: summary.packet.bytes)
        recent.append(summary)
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
