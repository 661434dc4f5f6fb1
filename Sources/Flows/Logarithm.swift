/// The logarithm to base 2, within 10^-15 of its size.
///
/// Additions, multiplications and one division, which IEEE 754 fixes to the last bit: entropies have the same bits on every
/// machine. The C library's `log2` differs between processors with and without fused multiplication.
/// - Parameter value: at least 1
public func binaryLogarithm(_ value: Double) -> Double {
    assert(value >= 1)
    var (exponent, significand) = (Double(value.exponent), value.significand)
    if significand > 1.414_213_562_373_095_1 {
        exponent += 1
        significand *= 0.5
    }
    // ln m = 2 artanh((m - 1) / (m + 1)); the argument is at most 0.172, so the 12th term is below 2^-60.
    let argument = (significand - 1) / (significand + 1)
    let square = argument * argument
    var series = 0.0
    for power in stride(from: 23.0, through: 1, by: -2) {
        series = series * square + 1 / power
    }
    // 2 / ln 2
    return exponent + argument * series * 2.885_390_081_777_926_8
}
