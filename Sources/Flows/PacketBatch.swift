public import Packets

/// Decoded packets in a row. Flow tables are larger than a processor's caches: looking up the flows of a whole row first
/// lets it wait for all of them at once instead of one after the other.
public struct PacketBatch: ~Copyable {
    public static let capacity = 32

    @usableFromInline struct Item {
        @usableFromInline var packet = Packet()
        @usableFromInline var time: Int64 = 0
        /// nil: in none of the worker's shards.
        @usableFromInline var place: FlowTables.Place?
        @usableFromInline var interface: UInt32 = 0
        /// What the flow is found by.
        @usableFromInline var folded: UInt32 = 0
    }

    @usableFromInline var items = [32 of Item](repeating: Item())
    @usableFromInline var count = 0

    public init() {}

    public var isFull: Bool { get { count == Self.capacity } }

    /// Takes a packet in, which is decoded in place.
    @inline(__always)
    public mutating func append(time: Int64, interface: UInt32, _ decode: (inout Packet) -> Void) {
        items[count].time = time
        items[count].interface = interface
        decode(&items[count].packet)
        count &+= 1
    }
}

extension FlowTables {
    /// Counts the packets to their flows, as ``advance(to:)`` and ``add(_:time:interface:)`` do one by one, and empties the
    /// row. What ends is handed out at once.
    public mutating func add(_ batch: inout PacketBatch, _ body: (borrowing FlowRecord) -> Void) {
        add(&batch) { record, _ in body(record) }
    }

    /// The same, and tells when each record ended: at the packet with this number in the row, times two, when the packet's
    /// time ended it; one more when the packet did.
    @inline(never)
    public mutating func add(_ batch: inout PacketBatch, _ body: (borrowing FlowRecord, _ moment: Int) -> Void) {
        for number in 0..<batch.count {
            let (time, interface) = (batch.items[number].time, batch.items[number].interface)
            let place = locate(&batch.items[number].packet, time: time, interface: interface)
            batch.items[number].place = place.flatMap { owns($0) ? $0 : nil }
            guard let place = batch.items[number].place else { continue }
            batch.items[number].folded = prefetchIndex(batch.items[number].packet, at: place, interface: interface)
        }
        for number in 0..<batch.count {
            if let place = batch.items[number].place { prefetchEntry(batch.items[number].folded, at: place) }
        }
        for number in 0..<batch.count {
            let (time, interface) = (batch.items[number].time, batch.items[number].interface)
            if advance(to: time) { drain { body($0, 2 * number) } }
            guard let place = batch.items[number].place else { continue }
            let folded = batch.items[number].folded
            if count(&batch.items[number].packet, folded, at: place, time: time, interface: interface) {
                drain { body($0, 2 * number + 1) }
            }
        }
        batch.count = 0
    }
}
