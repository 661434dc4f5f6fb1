public import Packets

/// The flow tables of a worker: one for each of its shards, and the one clock that all of them follow.
///
/// Every worker that follows the same clock ends the same flows at the same places in the row of packets, however many
/// workers share the shards.
@safe
public struct FlowTables: ~Copyable {
    /// The latest time of any packet, in nanoseconds.
    public private(set) var clock = Int64.min
    /// Later fragments whose first was not seen or is forgotten: they belong to no flow.
    public private(set) var strayFragments = Volume()
    /// IP packets that belong to no flow since their headers are malformed.
    public private(set) var unread = Volume()

    private let map: ShardMap
    /// A bit for each shard.
    private let owned: UInt64
    private let memory: FlowMemory
    private let tables: UnsafeMutablePointer<FlowTable>
    private let shards: [Int]
    private var fragments: FragmentTable
    private let scope: EntropyScope
    /// Only where entropy is measured: its tables take a moment to calculate.
    private var meter: EntropyMeter?
    /// Whether flows of each table wait to be taken.
    private var waiting: UInt64 = 0
    private var ended: [FlowTable.Ended] = []
    private let observes: Bool
    /// As ``setWeights(_:)`` told them; nil while every packet is read.
    private var weights: [4 of Double]?
    /// Number of the window that is open.
    private var window = Int64.min
    /// Windows that have ended, oldest first.
    private var observations: [Observation] = []
    /// Windows that were dropped because nobody took them.
    public private(set) var missedObservations: UInt64 = 0
    private static let observations = 64

    /// - Parameter worker: which shards: those that the map gives to this worker.
    public init(_ settings: FlowSettings, map: ShardMap, worker: Int) {
        self.map = map
        fragments = FragmentTable(seed: map.keys[0])
        scope = settings.entropy
        observes = settings.observes
        meter = scope == .none ? nil : EntropyMeter()
        shards = (0..<ShardMap.shards).filter { map.worker(of: $0) == worker }
        owned = shards.reduce(0) { $0 | 1 << UInt64($1) }
        memory = FlowMemory(tables: shards.count, capacity: settings.flowsPerShard)
        unsafe tables = .allocate(capacity: ShardMap.shards)
        for (place, shard) in shards.enumerated() {
            unsafe (tables + shard).initialize(to: FlowTable(settings, in: memory, place: place))
        }
    }

    deinit {
        for shard in shards { unsafe (tables + shard).deinitialize(count: 1) }
        unsafe tables.deallocate()
    }

    /// Flows now.
    public var count: Int { shards.reduce(0) { unsafe $0 + tables[$1].count } }

    public var counters: FlowTable.Counters {
        shards.reduce(into: FlowTable.Counters()) { unsafe $0 += tables[$1].counters }
    }

    /// Moves the clock to a packet's time, before the packet is added.
    /// - Returns: whether anything has ended: take it with ``drain(_:)`` before the packet is added.
    @inline(__always)
    public mutating func advance(to time: Int64) -> Bool {
        let time = FlowTable.bounded(time)
        guard time > clock else { return false }
        let crosses = time >> 30 != clock >> 30
        clock = time
        return crosses && advanceTables()
    }

    /// Where a packet's flow is kept.
    public struct Place: BitwiseCopyable, Sendable {
        @usableFromInline let hash: UInt64

        @inline(__always)
        public init(_ packet: borrowing Packet, _ map: ShardMap) { hash = map.hash(of: packet) }

        /// `0 ..< 64`.
        public var shard: Int { @inline(__always) get { Int(hash >> 58) } }
    }

    /// Finds where a packet belongs, and gives a later fragment the ports of its first.
    /// - Returns: nil if it belongs to no flow.
    @inline(__always)
    public mutating func locate(_ packet: inout Packet, time: Int64, interface: UInt32) -> Place? {
        guard packet.family != .other else { return nil }
        if packet.fragment != .none || packet.outcome != .decoded, !admit(&packet, time, interface) { return nil }
        return Place(packet, map)
    }

    /// Of a packet that ``locate(_:time:interface:)`` has found a place for before.
    public func place(of packet: borrowing Packet) -> Place { Place(packet, map) }

    /// Whether this worker keeps the flows of the place.
    @inline(__always)
    public func owns(_ place: Place) -> Bool { owned >> UInt64(place.shard) & 1 == 1 }

    /// Counts a packet to its flow, if it has one and the flow is in a shard of this worker.
    /// - Returns: whether anything has ended: take it with ``drain(_:)`` before the next packet.
    @inline(__always)
    public mutating func add(_ packet: inout Packet, time: Int64, interface: UInt32) -> Bool {
        guard let place = locate(&packet, time: time, interface: interface), owns(place) else { return false }
        return count(&packet, at: place, time: time, interface: interface)
    }

    /// The same, and reads the packet's payload for the detectors, and measures it if that is set.
    /// - Parameter bytes: the frame that the packet was decoded from.
    @inline(__always)
    public mutating func add(_ packet: inout Packet, _ bytes: RawSpan, time: Int64, interface: UInt32) -> Bool {
        guard let place = locate(&packet, time: time, interface: interface), owns(place) else { return false }
        return count(&packet, bytes, at: place, time: time, interface: interface)
    }

    /// Counts a packet that was located, in a shard of this worker.
    /// - Returns: as ``add(_:time:interface:)``.
    @inline(__always)
    public mutating func count(_ packet: inout Packet, at place: Place, time: Int64, interface: UInt32) -> Bool {
        let folded = unsafe tables[place.shard].fold(place.hash, packet, interface: interface)
        return count(&packet, folded, at: place, time: time, interface: interface)
    }

    /// What the place's table finds the packet's flow by; asks for the memory that tells where.
    @inline(__always)
    func prefetchIndex(_ packet: borrowing Packet, at place: Place, interface: UInt32) -> UInt32 {
        let folded = unsafe tables[place.shard].fold(place.hash, packet, interface: interface)
        unsafe tables[place.shard].prefetchIndex(folded)
        return folded
    }

    @inline(__always)
    func prefetchEntry(_ folded: UInt32, at place: Place) { unsafe tables[place.shard].prefetchEntry(folded) }

    /// Counts a packet.
    /// - Parameter folded: as ``prefetchIndex(_:at:interface:)`` answers it.
    @inline(__always)
    mutating func count(_ packet: inout Packet, _ folded: UInt32, at place: Place, time: Int64, interface: UInt32)
        -> Bool
    {
        let shard = place.shard
        let ended = unsafe tables[shard].add(&packet, time: time, clock: clock, interface: interface, folded: folded)
        if ended { waiting |= 1 << UInt64(shard) }
        return ended
    }

    /// The same, and reads the packet's payload for the detectors, and measures it if that is set.
    /// - Parameter bytes: the frame that the packet was decoded from.
    @inline(__always)
    public mutating func count(
        _ packet: inout Packet,
        _ bytes: RawSpan,
        at place: Place,
        time: Int64,
        interface: UInt32
    ) -> Bool {
        let ended = count(&packet, at: place, time: time, interface: interface)
        if observes, unsafe tables[place.shard].wanted != .none { read(&packet, bytes, place) }
        if scope != .none { measure(&packet, bytes, place) }
        return ended
    }

    @inline(never)
    private mutating func read(_ packet: inout Packet, _ bytes: RawSpan, _ place: Place) {
        unsafe tables[place.shard].read(bytes.extracting(packet.capturedPayload), of: &packet)
    }

    @inline(never)
    private mutating func measure(_ packet: inout Packet, _ bytes: RawSpan, _ place: Place) {
        let payload = packet.capturedPayload
        guard !payload.isEmpty, var meter = self.meter.take() else { return }
        unsafe tables[place.shard].measure(bytes.extracting(payload), of: &packet, &meter)
        self.meter = consume meter
    }

    /// What a packet of each class stands for from now on: frames offered for each one kept, at least 1.
    public mutating func setWeights(_ sampling: Sampling) {
        let weights = [4 of Double] { place in
            guard let kind = SamplingClass(rawValue: place) else { return 1 }
            let counters = sampling[kind]
            return counters.kept == 0 ? 1 : max(1, Double(counters.offered) / Double(counters.kept))
        }
        let isComplete = (0..<4).allSatisfy { weights[$0] == 1 }
        self.weights = isComplete ? nil : weights
        for shard in shards { unsafe tables[shard].weights = self.weights }
    }

    /// Whether a packet that is a fragment, or was not read whole, belongs to a flow.
    @inline(never)
    private mutating func admit(_ packet: inout Packet, _ time: Int64, _ interface: UInt32) -> Bool {
        guard !packet.outcome.isMalformed, packet.transport != .none else {
            unread.count(packet)
            return false
        }
        // A first fragment without ports is cut in the capture; later ones of protocols without ports need none.
        let needsPorts = packet.transport == .tcp || packet.transport == .udp || packet.protocolNumber == 132
        guard packet.fragment != .none, packet.hasPorts || packet.fragment == .later && needsPorts else { return true }
        if fragments.complete(&packet, time: time, interface: interface) { return true }
        strayFragments.count(packet)
        let place = Place(packet, map)
        if observes, owns(place) {
            unsafe tables[place.shard].watch.countStray(&packet, weight: weights?[SamplingClass.rest.rawValue] ?? 1)
        }
        return false
    }

    /// An ICMP error says something about the flow that it quotes, if that is in a shard of this worker.
    @inline(never)
    public mutating func addError(quoting quoted: inout Packet, interface: UInt32) {
        let place = Place(quoted, map)
        guard owns(place) else { return }
        unsafe tables[place.shard].addError(quoting: &quoted, interface: interface, hash: place.hash)
    }

    @inline(never)
    private mutating func advanceTables() -> Bool {
        endObservation(at: clock)
        for shard in shards where unsafe tables[shard].advance(to: clock) { waiting |= 1 << UInt64(shard) }
        return waiting != 0
    }

    /// Ends the window for the detectors that was open, if a time lies behind it: a packet's, or, where none comes, that of
    /// who waits for the window. Packets of it that come later are counted in the next.
    public mutating func endObservation(at time: Int64) {
        let number = time >> Observation.shift
        guard observes, number > window else { return }
        defer { window = number }
        guard window != .min else { return }
        var observation = Observation(number: window)
        if let weights { observation.weights = weights }
        for shard in shards { unsafe tables[shard].watch.drain(into: &observation) }
        if observations.count == Self.observations {
            observations.removeFirst()
            missedObservations &+= 1
        }
        observations.append(observation)
    }

    /// The oldest window that has ended and was not taken yet; nil: none.
    public mutating func takeObservation() -> Observation? { observations.isEmpty ? nil : observations.removeFirst() }

    /// Ends the window that is open, after the last packet: take it with ``takeObservation()``.
    public mutating func endObservation() {
        if window != .min { endObservation(at: (window &+ 1) << Observation.shift) }
    }

    /// Ends all flows: take them with ``drain(_:)``.
    public mutating func stop() {
        for shard in shards {
            unsafe tables[shard].stop()
            waiting |= 1 << UInt64(shard)
        }
    }

    /// Hands out what has ended since the last call, in the order of its first packet, then of its key; interim records
    /// among it. At most one record for each flow of the tables.
    @inline(never)
    public mutating func drain(_ body: (borrowing FlowRecord) -> Void) {
        let first = waiting.trailingZeroBitCount
        if waiting.nonzeroBitCount == 1, unsafe tables[first].hasOneDone {
            unsafe tables[first].drainOne(body)
        } else {
            drainAll(body)
        }
        waiting = 0
    }

    private mutating func drainAll(_ body: (borrowing FlowRecord) -> Void) {
        ended.removeAll(keepingCapacity: true)
        for shard in shards where waiting >> UInt64(shard) & 1 == 1 {
            unsafe tables[shard].takeDone(UInt32(shard), &ended)
        }
        let tables = unsafe tables
        ended.sort { left, right in
            guard left.first == right.first else { return left.first < right.first }
            return unsafe tables[Int(left.shard)].key(left.number) < tables[Int(right.shard)].key(right.number)
        }
        for place in ended.indices {
            // The next but one is on its way into the caches while this one is told.
            let next = ended[min(place + 2, ended.count - 1)]
            unsafe tables[Int(next.shard)].prefetchRecord(next.number)
            let (shard, number) = (Int(ended[place].shard), ended[place].number)
            unsafe tables[shard].visit(number, body)
            unsafe tables[shard].release(number)
        }
    }
}

/// They own their memory alone and cannot be copied: they may go to the thread that uses them.
extension FlowTables: @unchecked Sendable {}
