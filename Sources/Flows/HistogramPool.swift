/// Byte histograms for the first payload bytes of flows: a fixed number of them, 516 bytes each, made once.
///
/// A flow holds one only while its first bytes are being gathered, or none when one packet brings them all. When all are
/// held, the next flow takes one from a flow that has had it for long, which keeps what it gathered until then; that is
/// counted in ``cut``. Nobody is refused, so that a flood leaves to each flow at least its first packet.
@safe
public struct HistogramPool: ~Copyable {
    /// How many first bytes make a flow's figure: the estimate over 1,024 random bytes is 7.81 bits and within 0.05 of it
    /// nearly always, and requests and hellos are past.
    public static let limit = 1_024

    /// How many flows lost their histogram to another before ``limit`` bytes were gathered.
    public private(set) var cut: UInt64 = 0

    private let counters: UnsafeMutablePointer<UInt16>
    /// Which hold each slot is lent for; 0 when it is free.
    private var holds: [UInt32]
    /// The free slots.
    private var free: [UInt32]
    private var lastHold: UInt32 = 0
    /// The slot to take from its holder next.
    private var hand = 0

    /// - Parameter slots: 1 ... 65,536
    public init(slots: Int) {
        precondition((1...65_536).contains(slots), "1 to 65,536 histograms")
        unsafe counters = .allocate(capacity: 256 * slots)
        unsafe counters.initialize(repeating: 0, count: 256 * slots)
        holds = Array(repeating: 0, count: slots)
        free = (0..<UInt32(slots)).reversed()
    }

    deinit {
        unsafe counters.deallocate()
    }

    /// Adds a packet's payload to its flow's first bytes. O(bytes), and nothing once the flow has its ``limit``.
    @inlinable @inline(__always)
    public mutating func gather(_ payload: RawSpan, into first: inout FirstBytes, _ meter: inout EntropyMeter) {
        if !first.isComplete, payload.byteCount > 0 { add(payload, to: &first, &meter) }
    }

    /// Takes back the histogram of a flow that has ended.
    public mutating func end(_ first: inout FirstBytes) {
        if first.hold != 0, holds[Int(first.slot)] == first.hold { release(first.slot) }
        first.complete()
    }

    @usableFromInline @inline(never)
    mutating func add(_ payload: RawSpan, to first: inout FirstBytes, _ meter: inout EntropyMeter) {
        let bytes = payload.extracting(first: Self.limit - Int(first.length))
        if bytes.byteCount == Self.limit {
            first.sum = meter.sum(of: bytes)
        } else if first.length == 0 {
            lend(to: &first)
        } else if holds[Int(first.slot)] != first.hold {
            first.complete()
            return
        }
        if first.hold != 0 {
            unsafe first.sum &+= meter.count(bytes, in: counters.advanced(by: 256 * Int(first.slot)))
        }
        first.length &+= UInt16(bytes.byteCount)
        if Int(first.length) == Self.limit { end(&first) }
    }

    private mutating func lend(to first: inout FirstBytes) {
        let slot: UInt32
        if let last = free.popLast() {
            slot = last
        } else {
            slot = UInt32(hand)
            cut &+= 1
            hand = (hand + 1) % holds.count
        }
        lastHold = lastHold == .max ? 1 : lastHold + 1
        holds[Int(slot)] = lastHold
        unsafe counters.advanced(by: 256 * Int(slot)).update(repeating: 0, count: 256)
        first.slot = UInt16(slot)
        first.hold = lastHold
    }

    private mutating func release(_ slot: UInt16) {
        holds[Int(slot)] = 0
        free.append(UInt32(slot))
    }
}

/// It owns its memory alone and cannot be copied: it may go to the thread that uses it.
extension HistogramPool: @unchecked Sendable {}

/// What a flow keeps of its first payload bytes: 16 bytes in its record, one for each direction.
public struct FirstBytes: BitwiseCopyable, Sendable {
    /// The sum of c log2 c over the byte values, as ``EntropyMeter`` makes it.
    var sum: UInt64 = 0
    /// Which of the pool's histograms, for which hold; a hold of 0 is none.
    var hold: UInt32 = 0
    var slot: UInt16 = 0
    /// The highest bit says that nothing is to be added.
    @usableFromInline var state: UInt16 = 0

    public init() {}

    /// How many bytes were gathered: `0 ... HistogramPool.limit`.
    public internal(set) var length: UInt16 {
        get { state & 0x7FFF }
        set { state = state & 0x8000 | newValue }
    }

    /// Whether nothing is added any more: all were gathered, the histogram went to another flow, or the flow has ended.
    @inlinable
    public var isComplete: Bool { state & 0x8000 != 0 }

    mutating func complete() {
        state |= 0x8000
        hold = 0
    }

    /// Of the bytes gathered so far, at any time.
    public func entropy(_ meter: borrowing EntropyMeter) -> Entropy {
        meter.entropy(sum: sum, length: Int(length))
    }
}
