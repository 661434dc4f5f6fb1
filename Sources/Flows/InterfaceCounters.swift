public import Packets

/// Both directions of one interface.
public struct InterfaceCounters: BitwiseCopyable, Sendable {
    public var rx: DirectionCounters
    public var tx: DirectionCounters

    public init(rx: DirectionCounters, tx: DirectionCounters) {
        self.rx = rx
        self.tx = tx
    }

    @inline(__always)
    public mutating func count(_ packet: Packet, _ direction: Direction) {
        switch direction {
        case .rx: rx.count(packet)
        case .tx: tx.count(packet)
        }
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

    public func since(_ earlier: InterfaceCounters) -> InterfaceCounters {
        InterfaceCounters(rx: rx.since(earlier.rx), tx: tx.since(earlier.tx))
    }
}
