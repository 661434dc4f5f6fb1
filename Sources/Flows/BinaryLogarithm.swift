/// The logarithm to base 2 in steps of 2^-52, bit by bit.
///
/// Integers only, so that entropies have the same bits on every machine: the C library's `log2` differs in the last one
/// between processors with and without fused multiplication. Takes 52 multiplications: for tables and rare values.
/// - Parameter value: not 0
/// - Returns: `log2(value)` times 2^52, at most one step below the true value: `0 ..< 2^58`
func binaryLogarithm(_ value: UInt64) -> UInt64 {
    precondition(value > 0, "zero has no logarithm")
    let shift = value.leadingZeroBitCount
    var logarithm = UInt64(63 - shift)
    // 1 ..< 2 in steps of 2^-63. Squared, its logarithm doubles: what comes out above 2 is the next bit.
    var mantissa = value << shift
    for _ in 0..<52 {
        let square = mantissa.multipliedFullWidth(by: mantissa)
        let bit = square.high >> 63
        mantissa = bit == 1 ? square.high : square.high << 1 | square.low >> 63
        logarithm = logarithm << 1 | bit
    }
    return logarithm
}

extension Double {
    /// The same logarithm as a number.
    init(binaryLogarithm value: UInt64) {
        self = Double(Flows.binaryLogarithm(value)) * 0x1p-52
    }
}
