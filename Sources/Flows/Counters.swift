/// Totals that only grow: the kernel counts them live, Swift counts the same ones in a replay.
public protocol Counters: Equatable, Sendable {
    /// Nothing counted.
    init()

    static func += (left: inout Self, right: Self)

    /// What was counted after `earlier` was read. A total that ran backwards, as when a map was made anew between the two
    /// readings, counts as unchanged, so that no rate is ever negative.
    func since(_ earlier: Self) -> Self
}

extension Counters {
    public static func + (left: Self, right: Self) -> Self {
        var sum = left
        sum += right
        return sum
    }
}

extension UInt64 {
    @inline(__always)
    func since(_ earlier: UInt64) -> UInt64 { self > earlier ? self &- earlier : 0 }
}
