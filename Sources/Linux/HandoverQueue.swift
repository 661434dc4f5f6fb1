import Synchronization

/// A bounded queue from one thread to one other: each item is a small value with some bytes, kept in slots of fixed size.
///
/// It carries what the kernel's fanout gave to the wrong worker (fragments, GRE, errors that quote a flow): a copy of
/// the headers. Neither side waits, locks or allocates. What finds no slot is counted and gone.
@safe
// Sendable: the slots are written before the tail moves (release) and read after it was seen (acquire).
public final class HandoverQueue<Header: BitwiseCopyable>: @unchecked Sendable {
    private struct Slot {
        var header: Header
        var byteCount: Int
    }

    private let slots: UnsafeMutableRawPointer
    private let stride: Int
    private let mask: UInt64
    private let capacity: Int

    // Each end keeps its position on a cache line of its own; both only grow.
    private let positions: UnsafeMutablePointer<Atomic<UInt64>>
    private static var tailIndex: Int { 0 }
    private static var headIndex: Int { 16 }
    private static var refusedIndex: Int { 8 }

    /// - Parameters:
    ///   - slots: items that fit: a power of two.
    ///   - bytes: bytes kept of each item; longer ones are cut.
    public init(slots: Int, bytes: Int) {
        precondition(slots > 0 && slots & (slots - 1) == 0, "a power of two")
        precondition(bytes > 0)
        let line = 64
        capacity = bytes
        stride = (MemoryLayout<Slot>.stride + bytes + line - 1) / line * line
        mask = UInt64(slots - 1)
        unsafe self.slots = .allocate(byteCount: slots * stride, alignment: line)
        let words = 3 * line / MemoryLayout<Atomic<UInt64>>.stride
        unsafe positions = UnsafeMutableRawPointer.allocate(byteCount: 3 * line, alignment: line)
            .bindMemory(to: Atomic<UInt64>.self, capacity: words)
        for index in 0..<words {
            unsafe (positions + index).initialize(to: Atomic(0))
        }
    }

    deinit {
        unsafe UnsafeMutableRawPointer(positions).deallocate()
        unsafe slots.deallocate()
    }

    /// Bytes of memory that the queue holds.
    public var byteCount: Int { (Int(mask) + 1) * stride }

    /// Items that found no slot.
    public var refused: UInt64 { unsafe positions[Self.refusedIndex].load(ordering: .relaxed) }

    /// Puts one item in; only the producing thread calls this.
    /// - Returns: false when the queue is full and the item was counted as refused.
    @discardableResult
    public func push(_ header: Header, _ bytes: RawSpan) -> Bool {
        let tail = unsafe positions[Self.tailIndex].load(ordering: .relaxed)
        let head = unsafe positions[Self.headIndex].load(ordering: .acquiring)
        guard tail &- head <= mask else {
            let refused = unsafe positions[Self.refusedIndex].load(ordering: .relaxed)
            unsafe positions[Self.refusedIndex].store(refused &+ 1, ordering: .relaxed)
            return false
        }
        let slot = unsafe slots + Int(tail & mask) * stride
        let kept = min(bytes.byteCount, capacity)
        unsafe slot.storeBytes(of: Slot(header: header, byteCount: kept), as: Slot.self)
        unsafe bytes.withUnsafeBytes { source in
            let target = unsafe UnsafeMutableRawBufferPointer(start: slot + MemoryLayout<Slot>.stride, count: kept)
            unsafe target.copyBytes(from: source.prefix(kept))
        }
        unsafe positions[Self.tailIndex].store(tail &+ 1, ordering: .releasing)
        return true
    }

    /// Takes out what was put in so far, oldest first; only the consuming thread calls this.
    /// - Returns: how many items there were.
    @discardableResult
    public func drain(_ body: (Header, RawSpan) -> Void) -> Int {
        let tail = unsafe positions[Self.tailIndex].load(ordering: .acquiring)
        let first = unsafe positions[Self.headIndex].load(ordering: .relaxed)
        var head = first
        while head != tail {
            let slot = unsafe slots + Int(head & mask) * stride
            let item = unsafe slot.load(as: Slot.self)
            let bytes = unsafe slot + MemoryLayout<Slot>.stride
            body(item.header, unsafe RawSpan(_unsafeStart: bytes, byteCount: item.byteCount))
            head &+= 1
            unsafe positions[Self.headIndex].store(head, ordering: .releasing)
        }
        return Int(head &- first)
    }
}
