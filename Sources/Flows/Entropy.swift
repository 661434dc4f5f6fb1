/// Shannon's entropy of some bytes, next to what random bytes of that number would give.
///
/// Few bytes cannot fill 256 values, so their entropy is low whatever they are: 64 random bytes give 5.77 bits, 1,400
/// give 7.87. Judge ``ratio`` or ``deficit``, never ``bits`` alone.
public struct Entropy: Equatable, BitwiseCopyable, Sendable {
    /// Bits per byte, `0 ... 8` and at most `log2(length)`: the plug-in estimate −Σ p log2 p over the shares p of the byte
    /// values (Shannon 1948).
    public let bits: Double
    /// How many bytes were measured.
    public let length: Int
    /// The mean of that estimate over `length` uniformly random bytes, exact: log2 n − E[log2(1 + B)], where B is binomial
    /// with n − 1 trials of probability 1/256. Bits per byte, below 8.
    public let uniform: Double

    /// None: of no bytes.
    public init() {
        self.init(bits: 0, length: 0, uniform: 0)
    }

    init(bits: Double, length: Int, uniform: Double) {
        self.bits = bits
        self.length = length
        self.uniform = uniform
    }

    /// `bits / uniform`: 0 for bytes that are all alike, about 1 for random, encrypted or well compressed ones; slightly
    /// above 1 is possible. 0 below two bytes, which tell nothing.
    public var ratio: Double { length > 1 ? bits / uniform : 0 }

    /// Bits per byte below random bytes; negative when above.
    public var deficit: Double { uniform - bits }
}
