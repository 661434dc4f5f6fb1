public import Packets

/// Both directions of one interface.
public struct InterfaceCounters: BitwiseCopyable, Sendable {
    /// By direction, so that counting picks one without a branch: directions come mixed.
    @usableFromInline var directions: [2 of DirectionCounters]

    public init(rx: DirectionCounters, tx: DirectionCounters) {
        directions = [rx, tx]
    }

    public var rx: DirectionCounters {
        get { self[.rx] }
        set { self[.rx] = newValue }
    }

    public var tx: DirectionCounters {
        get { self[.tx] }
        set { self[.tx] = newValue }
    }

    public subscript(direction: Direction) -> DirectionCounters {
        get { directions[Int(direction.rawValue)] }
        set { directions[Int(direction.rawValue)] = newValue }
    }

    @inlinable @inline(__always)
    public mutating func count(_ packet: Packet, _ direction: Direction) {
        directions[Int(direction.rawValue)].count(packet)
    }
}

extension InterfaceCounters: Counters {
    public init() {
        self.init(rx: DirectionCounters(), tx: DirectionCounters())
    }

    public static func += (left: inout InterfaceCounters, right: InterfaceCounters) {
        left.rx += right.rx
        left.tx += right.tx
    }

    public static func == (left: InterfaceCounters, right: InterfaceCounters) -> Bool {
        left.rx == right.rx && left.tx == right.tx
    }

    public func since(_ earlier: InterfaceCounters) -> InterfaceCounters {
        InterfaceCounters(rx: rx.since(earlier.rx), tx: tx.since(earlier.tx))
    }
}
