import CIntrinsics
import KernelABI
import Packets

/// The flows of one shard, in memory that is taken once.
///
/// Open addressing over a seeded hash finds a flow; a timing wheel finds those that ended in silence; when the table is
/// full, flows of one packet make room first, then those that nobody answered, then the quietest of the first others.
/// A flow's packets should come in the order of time; those that do not break no figure (``FlowFeatures``).
@safe
public struct FlowTable: ~Copyable {
    /// What a table has done since it was made.
    public struct Counters: Equatable, Sendable {
        public var started: UInt64 = 0
        /// Ended, for whatever reason; interim records are none.
        public var ended: UInt64 = 0
        /// Of these, flows that made room for others; and how many of them were more than one packet.
        public var evicted: UInt64 = 0
        public var evictedEstablished: UInt64 = 0

        public init() {}

        public static func += (left: inout Counters, right: Counters) {
            left.started &+= right.started
            left.ended &+= right.ended
            left.evicted &+= right.evicted
            left.evictedEstablished &+= right.evictedEstablished
        }
    }

    /// Flows at most.
    public let capacity: Int
    /// Flows now.
    public internal(set) var count = 0
    public internal(set) var counters = Counters()

    let profile: FlowProfile
    let idle: Int64
    let active: Int64
    let close: Int64
    let interim: Int64
    private let seed: (UInt64, UInt64)
    /// What the packets of each class stand for, in the order of ``SamplingClass``; nil while every packet is kept.
    var weights: [4 of Double]?
    let scope: EntropyScope
    var histograms: HistogramPool
    let observes: Bool
    var watch: TrafficWatch
    /// The entry that the last packet was counted to; 0: none.
    private var latest: UInt32 = 0

    /// ``stride`` bytes apart, so that each begins with a cache line.
    let entries: UnsafeMutableRawPointer
    let nodes: UnsafeMutablePointer<Node>
    /// Shared by all tables of a worker, as are entries and nodes.
    let pool: UnsafeMutablePointer<FlowMemory.Pool>
    /// Upper half: the flow's hash; lower: its entry's number. 0: free.
    private let index: UnsafeMutablePointer<UInt64>
    private let mask: Int
    var wheel = Wheel()
    var ranks = [3 of List](repeating: List(List.rank))
    /// Ended, and not taken yet.
    var done = List(List.wheel)

    /// Memory of one flow: its entry, its node, and two to four places in the index.
    public static var bytesPerFlow: Int {
        stride + MemoryLayout<Node>.stride + 3 * MemoryLayout<UInt64>.stride
    }

    /// Bytes of a cache line.
    static var line: Int { @inline(__always) get { 64 } }
    static var stride: Int {
        @inline(__always) get { (MemoryLayout<Entry>.stride + line - 1) & ~(line - 1) }
    }

    /// Flows of a shard whose first bytes are gathered at one time.
    private static let histograms = 32

    /// Ended flows keep their entries until they are taken: at most so many after one packet.
    static let spare = 4

    /// - Parameter memory: lives as long as the table.
    init(_ settings: FlowSettings, in memory: borrowing FlowMemory, place: Int) {
        let capacity = memory.capacity
        self.capacity = capacity
        profile = settings.profile
        idle = settings.idle ?? .max
        active = settings.active ?? .max
        close = settings.close ?? .max
        interim = settings.interim ?? .max
        scope = settings.entropy
        histograms = HistogramPool(slots: scope == .none ? 1 : Self.histograms)
        observes = settings.observes
        watch = TrafficWatch(isOn: settings.observes)
        // Nothing that is told depends on the seed, so a replay need not know it and a stranger cannot.
        var random = SystemRandomNumberGenerator()
        seed = (random.next(), random.next())
        mask = memory.places - 1
        unsafe index = memory.index + place * memory.places
        unsafe pool = memory.pool
        unsafe nodes = memory.nodes
        unsafe entries = memory.entries
    }

    @inline(__always)
    func memory(_ number: UInt32) -> UnsafeMutableRawPointer { unsafe entries + Int(number) &* Self.stride }

    @inline(__always)
    func entry(_ number: UInt32) -> UnsafeMutablePointer<Entry> {
        unsafe memory(number).assumingMemoryBound(to: Entry.self)
    }
}

// MARK: - Packets

extension FlowTable {
    /// Times from 1823 to 2116; of others the nearest. Between two of these there are no more nanoseconds than 63 bits hold.
    @inline(__always)
    static func bounded(_ time: Int64) -> Int64 { min(max(time, -1 << 62), 1 << 62 - 1) }

    /// Counts a packet to its flow.
    /// - Parameters:
    ///   - packet: with addresses: of ``Family/ipv4`` or ``Family/ipv6``.
    ///   - time: the packet's own, in nanoseconds.
    ///   - clock: the latest time of any packet, this one included.
    ///   - folded: as ``fold(_:_:interface:)`` makes it.
    /// - Returns: whether a flow has ended: take it with ``FlowTables/drain(_:)`` before the next call.
    @inline(__always)
    mutating func add(
        _ packet: inout Packet,
        time: Int64,
        clock: Int64,
        interface: UInt32,
        folded hash: UInt32
    ) -> Bool {
        let isFromLow = packet.isFromLowEnd()
        let key = FlowKey(packet, interface: interface, isFromLow: isFromLow)
        var time = Self.bounded(time)
        // CICFlowMeter reads whole microseconds.
        if profile == .cic { time -= time % 1000 }
        guard let number = find(key, hash) else {
            return start(key, &packet, time: time, clock: clock, hash: hash, isInitiatorLow: isFromLow)
        }
        let entry = unsafe entry(number)
        let age = time &- (unsafe entry.pointee.record.features.first)
        let silence = time &- (unsafe entry.pointee.record.features.last)
        // CICFlowMeter compares addresses alone: between two ports of one host all is forward.
        let isForward =
            unsafe entry.pointee.record.isForward(fromLow: isFromLow)
            || profile == .cic && packet.source == packet.destination
        let state = unsafe entry.pointee.state
        if age > active || silence > idle || state != .open {
            switch verdict(&packet, number, age: age, silence: silence, isForward: isForward) {
            case .goesOn: break
            case .ignored:
                latest = 0
                return false
            case .ends(let end):
                // What only the clock has cut goes on the way it went.
                let isInitiatorLow =
                    end == .active ? unsafe entry.pointee.record.isForward(fromLow: true) : isFromLow
                finish(number, end)
                _ = start(key, &packet, time: time, clock: clock, hash: hash, isInitiatorLow: isInitiatorLow)
                return true
            }
        }
        unsafe entry.pointee.clock = clock
        unsafe entry.pointee.hasNews = true
        unsafe entry.pointee.record.add(packet, at: time, isForward: isForward, profile: profile)
        latest = number
        if weights != nil { weigh(&packet, number) }
        if unsafe entry.pointee.rank != .answered { promote(&packet, number, isForward: isForward, at: time) }
        if observes { observe(&packet, number, isForward: isForward, at: time) }
        if packet.flags.rawValue & 0b101 != 0 {
            return closing(&packet, number, isForward: isForward)
        }
        return false
    }

    /// Counts an ICMP error to the flow that it quotes.
    mutating func addError(quoting packet: inout Packet, interface: UInt32, hash: UInt64) {
        let isFromLow = packet.isFromLowEnd()
        let key = FlowKey(packet, interface: interface, isFromLow: isFromLow)
        guard let number = find(key, fold(hash, packet, interface: interface)) else { return }
        let entry = unsafe entry(number)
        unsafe entry.pointee.record.addError()
        guard observes, unsafe entry.pointee.rank != .answered else { return }
        unsafe watch.add(.unreachable, entry.pointee.record, &packet, at: entry.pointee.clock)
    }

    /// What a flow is found by: a packet's hash by ``ShardMap``, and what that leaves out. By the table's own seed, so that
    /// flows of one shard, or of one 5-tuple on many VLANs, cannot be chosen to meet in one place.
    @inline(__always)
    func fold(_ hash: UInt64, _ packet: borrowing Packet, interface: UInt32) -> UInt32 {
        let place = FlowKey.place(packet, interface: interface)
        return UInt32(truncatingIfNeeded: Flows.fold(hash ^ seed.0, place ^ seed.1))
    }

    /// Asks for the memory that says where a flow is.
    @inline(__always)
    func prefetchIndex(_ hash: UInt32) { unsafe prefetch_line(index + (Int(hash) & mask)) }

    /// Asks for the memory of a flow, if the first place where it may stand has one like it.
    @inline(__always)
    func prefetchEntry(_ hash: UInt32) {
        let word = unsafe index[Int(hash) & mask]
        guard UInt32(truncatingIfNeeded: word >> 32) == hash else { return }
        let start = unsafe memory(UInt32(truncatingIfNeeded: word))
        for line in 0..<Entry.hotLines { unsafe prefetch_line(start + line &* Self.line) }
    }

    @inline(__always)
    private func find(_ key: borrowing FlowKey, _ hash: UInt32) -> UInt32? {
        var place = Int(hash) & mask
        while true {
            let word = unsafe index[place]
            if word == 0 { return nil }
            let number = UInt32(truncatingIfNeeded: word)
            if UInt32(truncatingIfNeeded: word >> 32) == hash, unsafe entry(number).pointee.record.key == key {
                return number
            }
            place = (place &+ 1) & mask
        }
    }

    private enum Verdict {
        case goesOn
        /// Before this packet, which starts the next.
        case ends(FlowEnd)
        /// The packet belongs to no flow.
        case ignored
    }

    /// What becomes of a flow of which time or flags say that it may have ended.
    @inline(never)
    private func verdict(
        _ packet: inout Packet,
        _ number: UInt32,
        age: Int64,
        silence: Int64,
        isForward: Bool
    ) -> Verdict {
        if silence > idle { return .ends(.idle) }
        if age > active { return .ends(.active) }
        let state = unsafe entry(number).pointee.state
        if profile == .cic {
            // A second FIN of the initiator is dropped there.
            return isForward && packet.flags.contains(.fin) && state.contains(.forwardFIN) ? .ignored : .goesOn
        }
        guard state == .closed else { return .goesOn }
        let opens = packet.flags.contains(.syn) && !packet.flags.contains(.ack)
        return opens || silence > close ? .ends(.closed) : .goesOn
    }

    @inline(never)
    private mutating func start(
        _ key: FlowKey,
        _ packet: inout Packet,
        time: Int64,
        clock: Int64,
        hash: UInt32,
        isInitiatorLow: Bool
    ) -> Bool {
        let makesRoom = count == capacity
        if makesRoom { evict(clock) }
        let number = takeEntry()
        let entry = unsafe entry(number)
        // What is there was written once and is in a cache: half as much to do as to make it anew.
        unsafe entry.initialize(to: Entry.blank)
        unsafe entry.pointee.start(hash: hash, clock: clock)
        unsafe entry.pointee.record.start(key, with: packet, at: time, isInitiatorLow: isInitiatorLow)
        unsafe nodes[Int(number)].nextInterim = clock.addingClamped(interim)
        // CICFlowMeter takes the first packet for the initiator's, also where it goes on with a flow that time has cut.
        let isForward = profile == .cic || packet.isFromLowEnd() == isInitiatorLow
        unsafe entry.pointee.record.add(packet, at: time, isForward: isForward, profile: profile)
        latest = number
        if weights != nil { weigh(&packet, number) }
        insert(number, hash)
        count += 1
        counters.started &+= 1
        unsafe ranks[0].append(number, nodes)
        wheel.start(at: clock)
        unsafe wheel.insert(number, due: due(number), nodes)
        if observes {
            unsafe watch.add(.opened, entry.pointee.record, &packet, at: time)
            observe(&packet, number, isForward: isForward, at: time)
        }
        if packet.flags.rawValue & 0b101 != 0, closing(&packet, number, isForward: isForward) { return true }
        return makesRoom
    }

    /// - Returns: whether the flow has ended.
    @inline(never)
    private mutating func closing(_ packet: inout Packet, _ number: UInt32, isForward: Bool) -> Bool {
        guard close < .max else { return false }
        let entry = unsafe entry(number)
        if profile == .cic {
            // There the initiator's FIN ends nothing, and the responder's ends all; the first packet's flags are not looked at.
            guard unsafe entry.pointee.record.features.packets > 1 else { return false }
            if isForward, packet.flags.contains(.fin) {
                unsafe entry.pointee.state = .forwardFIN
                return false
            }
            finish(number, .closed)
            return true
        }
        if packet.flags.contains(.fin) { unsafe entry.pointee.state.formUnion(isForward ? .forwardFIN : .backwardFIN) }
        if packet.flags.contains(.rst) { unsafe entry.pointee.state = .closed }
        guard unsafe entry.pointee.state == .closed else { return false }
        if close == 0 {
            finish(number, .closed)
            return true
        }
        unsafe wheel.remove(number, nodes)
        unsafe wheel.insert(number, due: due(number), nodes)
        return false
    }

    /// While N > 1. Which class a frame was in is told as the filter does it, except that a flow's first frames are those of
    /// its record.
    private func weight(of packet: inout Packet, _ number: UInt32) -> Double {
        guard let weights else { return 1 }
        let seen = unsafe entry(number).pointee.record.features.packets
        let isHandshake = packet.flags.rawValue & 0b111 != 0
        let kind: SamplingClass =
            isHandshake
            ? .handshake : packet.transport == .icmp ? .icmp : seen <= UInt64(WEIR_FIRST_FRAMES) ? .first : .rest
        return weights[kind.rawValue]
    }

    @inline(never)
    private mutating func weigh(_ packet: inout Packet, _ number: UInt32) {
        let weight = weight(of: &packet, number)
        if weight > 1 { unsafe entry(number).pointee.record.addUnseen(packet, weight: weight) }
    }

    /// Shows the detectors a packet that was counted.
    @inline(__always)
    private mutating func observe(_ packet: inout Packet, _ number: UInt32, isForward: Bool, at time: Int64) {
        let entry = unsafe entry(number)
        let isRequest = unsafe entry.pointee.record.talk.add(packet, isForward: isForward)
        let isAnswered = unsafe entry.pointee.rank == .answered
        let weight = weights == nil ? 1 : weight(of: &packet, number)
        // Who goes on after a RST was told that nobody listens; an echo request is asked for by nobody.
        var isAsked = !isForward || isAnswered
        if isForward {
            if packet.transport == .icmp {
                isAsked = packet.isICMPError
            } else if unsafe isAsked && entry.pointee.state == .closed && !packet.flags.contains(.rst) {
                isAsked = unsafe entry.pointee.record.features.resets == 0
            }
        }
        watch.count(
            &packet,
            isAsked: isAsked,
            weight: weight,
            time: time,
            interface: unsafe entry.pointee.record.key.interface
        )
        if isRequest, packet.transport == .tcp { watch.countRequest(&packet, weight: weight) }
        if isAnswered, isForward, unsafe !entry.pointee.wentOn { goOn(&packet, number, at: time) }
    }

    /// The initiator's first packet after the responder's first.
    @inline(never)
    private mutating func goOn(_ packet: inout Packet, _ number: UInt32, at time: Int64) {
        let entry = unsafe entry(number)
        unsafe entry.pointee.wentOn = true
        unsafe watch.add(.wentOn, entry.pointee.record, &packet, at: time)
        // SYN, SYN with ACK, and now an ACK that opens nothing and breaks nothing off.
        let isHandshake = unsafe entry.pointee.record.features.synchronisations >= 2
        guard isHandshake, packet.flags.rawValue & 0b1_0110 == 0b1_0000 else { return }
        // Seen only if SYN and its answer were: it stands for those of which one was left out (Horvitz, Thompson).
        let handshake = weights?[SamplingClass.handshake.rawValue] ?? 1
        watch.countCompleted(&packet, weight: weight(of: &packet, number) * handshake * handshake)
    }

    /// Measures the payload of the packet that was counted last.
    mutating func measure(_ payload: RawSpan, of packet: inout Packet, _ meter: inout EntropyMeter) {
        let entry = unsafe entry(latest)
        guard latest != 0, unsafe entry.pointee.record.end == .interim else { return }
        if unsafe entry.pointee.record.isForward(fromLow: packet.isFromLowEnd()) {
            unsafe histograms.gather(payload, into: &entry.pointee.record.forwardFirstBytes, &meter)
        } else {
            unsafe histograms.gather(payload, into: &entry.pointee.record.backwardFirstBytes, &meter)
        }
        if scope == .all { unsafe entry.pointee.record.entropy.count(meter.entropy(of: payload)) }
    }

    @inline(never)
    private mutating func promote(_ packet: inout Packet, _ number: UInt32, isForward: Bool, at time: Int64) {
        let entry = unsafe entry(number)
        let rank: Rank = isForward ? .unanswered : .answered
        guard unsafe rank.rawValue > entry.pointee.rank.rawValue else { return }
        unsafe ranks[Int(entry.pointee.rank.rawValue)].remove(number, nodes)
        unsafe entry.pointee.rank = rank
        unsafe ranks[Int(rank.rawValue)].append(number, nodes)
        if observes, rank == .answered { unsafe watch.add(.answered, entry.pointee.record, &packet, at: time) }
    }
}

// MARK: - Entries

extension FlowTable {
    private mutating func takeEntry() -> UInt32 {
        let number = unsafe pool.pointee.free
        if number != 0 {
            let next = unsafe nodes[Int(number)].links[List.wheel].next
            unsafe pool.pointee.free = next
            // The next flow's entry, which was left long ago, comes back while other packets are counted.
            prefetchRecord(next)
            return number
        }
        let fresh = unsafe pool.pointee.fresh
        precondition(unsafe fresh < pool.pointee.end, "ended flows must be taken before the next packet")
        unsafe pool.pointee.fresh = fresh + 1
        return fresh
    }

    private mutating func insert(_ number: UInt32, _ hash: UInt32) {
        var place = Int(hash) & mask
        while unsafe index[place] != 0 { place = (place &+ 1) & mask }
        unsafe index[place] = UInt64(hash) << 32 | UInt64(number)
    }

    /// Closes the gap, so that no place is wasted on what was there (Knuth, volume 3, 6.4, algorithm R).
    mutating func remove(_ number: UInt32, _ hash: UInt32) {
        var gap = Int(hash) & mask
        while UInt32(truncatingIfNeeded: unsafe index[gap]) != number { gap = (gap &+ 1) & mask }
        var place = gap
        while true {
            place = (place &+ 1) & mask
            let word = unsafe index[place]
            if word == 0 { break }
            let home = Int(word >> 32) & mask
            if (place &- home) & mask >= (place &- gap) & mask {
                unsafe index[gap] = word
                gap = place
            }
        }
        unsafe index[gap] = 0
    }
}
