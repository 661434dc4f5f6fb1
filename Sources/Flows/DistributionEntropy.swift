/// How evenly the packets of a window spread over the keys (addresses, ports, sizes) that they carried.
public struct DistributionEntropy: Equatable, BitwiseCopyable, Sendable {
    /// Shannon's entropy of the keys' shares of the packets, in bits: `0 ... log2(packets)`; 0 when one key had all.
    public let bits: Double
    /// One standard error of `bits`, as estimated from the keys that were kept; 0 when all were.
    public let error: Double
    /// How many different keys there were; an estimate (standard error 4 %) when not all were kept.
    public let distinct: UInt64
    /// One key in this many was kept with its own count: 1 when all were, and figures are exact; else a power of two.
    public let sampling: UInt64
    /// Packets counted.
    public let packets: UInt64

    /// Of no packets.
    public init() {
        self.init(bits: 0, error: 0, distinct: 0, sampling: 1, packets: 0)
    }

    init(bits: Double, error: Double, distinct: UInt64, sampling: UInt64, packets: UInt64) {
        self.bits = bits
        self.error = error
        self.distinct = distinct
        self.sampling = sampling
        self.packets = packets
    }

    /// `bits / log2(distinct)`, `0 ... 1`: 1 when all keys came equally often. 0 for a single key (Lakhina, Crovella, Diot
    /// 2005 normalise so, to compare windows of different traffic).
    public var normalised: Double {
        distinct > 1 ? min(1, bits / binaryLogarithm(Double(distinct))) : 0
    }
}
