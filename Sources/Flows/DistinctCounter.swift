/// Tells how many different things were added, in 1 KiB, to about 3 % (HyperLogLog with linear counting below: Flajolet et al.
/// 2007; Heule et al. 2013).
public struct DistinctCounter: Equatable, Sendable {
    private static let bits: UInt64 = 10
    private static let registers = 1 << Int(bits)

    /// Empty until the first is added.
    private var ranks: [UInt8] = []

    public init() {}

    /// - Parameter hash: of what is added, all bits mixed.
    public mutating func add(_ hash: UInt64) {
        if ranks.isEmpty { ranks = [UInt8](repeating: 0, count: Self.registers) }
        let place = Int(hash >> (64 - Self.bits))
        let rank = UInt8((hash << Self.bits | 1 << (Self.bits - 1)).leadingZeroBitCount + 1)
        if rank > ranks[place] { ranks[place] = rank }
    }

    public mutating func merge(_ other: DistinctCounter) {
        if ranks.isEmpty { ranks = other.ranks }
        for place in other.ranks.indices { ranks[place] = max(ranks[place], other.ranks[place]) }
    }

    public mutating func reset() {
        for place in ranks.indices { ranks[place] = 0 }
    }

    public var estimate: Double {
        if ranks.isEmpty { return 0 }
        let count = Double(Self.registers)
        let sum = ranks.reduce(0) { $0 + 1 / Double(1 << UInt64($1)) }
        let raw = 0.7213 / (1 + 1.079 / count) * count * count / sum
        let empty = ranks.count { $0 == 0 }
        return raw <= 2.5 * count && empty > 0
            ? count * 0.693_147_180_559_945_3 * binaryLogarithm(count / Double(empty)) : raw
    }
}
