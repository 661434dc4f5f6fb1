import Packets

/// A host and a port of it where a contact failed.
struct ScanTarget: BitwiseCopyable, Sendable {
    enum Outcome: UInt8, BitwiseCopyable, Sendable {
        /// Nothing came back.
        case silent
        /// RST, or an ICMP error.
        case refused
        /// Flags that no honest stack sends.
        case irregular
        /// The answer to the SYN was answered by the source's stack, which knew nothing of it: the port is open.
        case halfOpen
        /// A whole connection without a byte from its initiator: the port is open. Health checks do the same.
        case empty

        var isOpen: Bool { self == .halfOpen || self == .empty }
    }

    var host: Address
    var port: UInt16
    var technique: ThreatClass.ScanTechnique
    var outcome: Outcome
    /// Number of the window in which it failed last.
    var tick: Int32

    var hash: UInt64 { (host.mixed ^ UInt64(port)).mixed }
}

extension ThreatClass.ScanTechnique: BitwiseCopyable {}

/// Tells how many different things were added, in 128 bytes, to about 10 % (HyperLogLog with linear counting below:
/// Flajolet et al. 2007).
struct ScanSketch: BitwiseCopyable, Sendable {
    private static let registers = 128
    private var ranks = [128 of UInt8](repeating: 0)

    /// - Parameter hash: all bits mixed.
    mutating func add(_ hash: UInt64) {
        let place = Int(hash >> 57)
        let rank = UInt8((hash << 7 | 1 << 6).leadingZeroBitCount + 1)
        if rank > ranks[place] { ranks[place] = rank }
    }

    mutating func merge(_ other: ScanSketch) {
        for place in 0..<Self.registers { ranks[place] = max(ranks[place], other.ranks[place]) }
    }

    var estimate: Double {
        let count = Double(Self.registers)
        var (sum, empty) = (0.0, 0)
        for place in 0..<Self.registers {
            sum += 1 / Double(1 << UInt64(ranks[place]))
            if ranks[place] == 0 { empty += 1 }
        }
        let raw = 0.7213 / (1 + 1.079 / count) * count * count / sum
        guard raw <= 2.5 * count, empty > 0 else { return raw }
        // Things that have come, on average, when so many places are taken: count * ln(count / empty).
        return (empty + 1..<Self.registers + 1).reduce(0) { $0 + count / Double($1) }
    }
}
