/// The payload entropy of a flow from its first packet to its last: the mean of the packets' entropies, weighted by their
/// bytes, next to the same mean of what random bytes would give. 24 bytes in the flow's record, no histogram.
///
/// A histogram of the whole flow would need 1 KiB for as long as the flow lives, so that most flows of a busy host would
/// go without. The mean is over every flow. Sums are integers: the order of packets and merges does not matter.
public struct RunningEntropy: Equatable, BitwiseCopyable, Sendable {
    /// Bytes of payload that were measured, as captured.
    public private(set) var bytes: UInt64 = 0
    /// Bits in all, in steps of 2^-20: room for 2^40 bytes.
    private var bits: UInt64 = 0
    private var uniformBits: UInt64 = 0

    public init() {}

    /// Takes in the entropy of one packet's payload.
    @inlinable @inline(__always)
    public mutating func count(_ entropy: Entropy) {
        add(length: UInt64(entropy.length), bits: entropy.bits, uniform: entropy.uniform)
    }

    @usableFromInline @inline(__always)
    mutating func add(length: UInt64, bits: Double, uniform: Double) {
        bytes &+= length
        self.bits &+= UInt64(Double(length) * bits * 0x1p20)
        uniformBits &+= UInt64(Double(length) * uniform * 0x1p20)
    }

    public static func += (left: inout RunningEntropy, right: RunningEntropy) {
        left.bytes &+= right.bytes
        left.bits &+= right.bits
        left.uniformBits &+= right.uniformBits
    }

    /// The mean as an ``Entropy``: `uniform` is the mean of those of the packets, and so `ratio` does not suffer from short
    /// packets.
    public var entropy: Entropy {
        guard bytes > 0 else { return Entropy() }
        return Entropy(
            bits: Double(bits) * 0x1p-20 / Double(bytes),
            length: Int(clamping: bytes),
            uniform: Double(uniformBits) * 0x1p-20 / Double(bytes)
        )
    }
}
