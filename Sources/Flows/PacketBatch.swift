public import Packets

/// Decoded packets in a row. Flow tables are larger than a processor's caches: looking up the flows of a whole row first
/// lets it wait for all of them at once instead of one after the other.
public struct PacketBatch: ~Copyable {
    public static let capacity = 32

    @usableFromInline struct Item {
        @usableFromInline var packet = Packet()
        @usableFromInline var time: Int64 = 0
        @usableFromInline var hash: UInt64 = 0
        @usableFromInline var interface: UInt32 = 0
        /// 64: in none of the worker's shards.
        @usableFromInline var shard: UInt32 = 0
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
    @inline(never)
    public mutating func add(_ batch: inout PacketBatch, _ body: (borrowing FlowRecord) -> Void) {
        for place in 0..<batch.count {
            let (time, interface) = (batch.items[place].time, batch.items[place].interface)
            var hash: UInt64 = 0
            batch.items[place].shard = locate(&batch.items[place].packet, time, interface, &hash)
            batch.items[place].hash = hash
        }
        var touched: UInt64 = 0
        for place in 0..<batch.count where batch.items[place].shard < 64 {
            touched &+= touch(Int(batch.items[place].shard), batch.items[place].hash)
        }
        untouched = touched
        for place in 0..<batch.count {
            let (time, interface) = (batch.items[place].time, batch.items[place].interface)
            if advance(to: time) { drain(body) }
            let shard = batch.items[place].shard
            guard shard < 64 else { continue }
            if count(&batch.items[place].packet, time, interface, batch.items[place].hash, Int(shard)) { drain(body) }
        }
        batch.count = 0
    }
}
