/// The text of a number: the shortest decimal that reads back as the same number, and of those the nearest.
///
/// Schubfach (Giulietti, "The Schubfach way to render doubles", 2021), with its table made at the first use. Nothing is
/// allocated for numbers of 1e-20 to 1e22 and for 0; others, which no figure here reaches, are written with an exponent
/// and cost more.
public struct ShortestDecimal {
    /// The text, as ASCII; what lies behind ``count`` means nothing.
    public private(set) var ascii = [40 of UInt8](repeating: 0x30)
    public private(set) var count = 0

    /// - Parameter value: a finite number
    public init(_ value: Double) {
        if value.sign == .minus, value != 0 { append(0x2D) }
        let magnitude = value.magnitude
        if magnitude < 0x1p53, let whole = UInt64(exactly: magnitude) {
            appendWhole(whole)
        } else if magnitude >= 1e-20, magnitude < 1e22 {
            appendParts(magnitude)
        } else {
            appendDescription(magnitude)
        }
    }

    public init(_ value: UInt64) { appendWhole(value) }

    @inline(__always)
    private mutating func append(_ byte: UInt8) {
        ascii[count] = byte
        count &+= 1
    }

    private mutating func appendWhole(_ value: UInt64) {
        let digits = decimalDigits(value)
        write(value, at: count, digits: digits)
        count += digits
    }

    @inline(__always)
    private mutating func write(_ value: UInt64, at start: Int, digits: Int) {
        var (rest, place) = (value, start + digits)
        while place > start {
            place -= 1
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            ascii[place] = 0x30 | UInt8(truncatingIfNeeded: digit)
            rest = quotient
        }
    }

    @inline(never)
    private mutating func appendDescription(_ value: Double) {
        for byte in value.description.utf8 { append(byte) }
    }

    private mutating func appendParts(_ value: Double) {
        let (significand, exponent) = shortest(value)
        let digits = decimalDigits(significand)
        let point = digits + exponent
        if exponent >= 0 {
            write(significand, at: count, digits: digits)
            // The zeros are there.
            count += point
        } else if point > 0 {
            write(significand, at: count + 1, digits: digits)
            for place in count..<count + point { ascii[place] = ascii[place + 1] }
            ascii[count + point] = 0x2E
            count += digits + 1
        } else {
            append(0x30)
            append(0x2E)
            count -= point
            write(significand, at: count, digits: digits)
            count += digits
        }
    }
}

/// - Returns: significand x 10^exponent, without zeros at its end.
private func shortest(_ value: Double) -> (significand: UInt64, exponent: Int) {
    let fraction = value.significandBitPattern
    let c = fraction | 1 << 52
    let q = Int(value.exponentBitPattern) - 1075
    // Below a power of two, numbers stand twice as close.
    let isClose = fraction == 0
    let k = (q * 1_262_611 - (isClose ? 524_031 : 0)) >> 22
    let h = UInt64(q + (-k * 1_741_647) >> 19 + 1)
    let power = Powers.table[Powers.place(-k)]
    let lower = roundToOdd(power, (4 * c - (isClose ? 1 : 2)) << h) + c & 1
    let middle = roundToOdd(power, 4 * c << h)
    let upper = roundToOdd(power, (4 * c + 2) << h) - c & 1
    let s = middle / 4
    let tens = s / 10
    let (isTensInside, isNextTensInside) = (lower <= 40 * tens, 40 * tens + 40 <= upper)
    if isTensInside != isNextTensInside {
        return withoutZeros(isNextTensInside ? tens + 1 : tens, k + 1)
    }
    let (isInside, isNextInside) = (lower <= 4 * s, 4 * s + 4 <= upper)
    if isInside != isNextInside { return withoutZeros(isNextInside ? s + 1 : s, k) }
    let half = 4 * s + 2
    return withoutZeros(middle > half || middle == half && s & 1 == 1 ? s + 1 : s, k)
}

/// The upper 64 bits of the product; what is lost below them is kept in the lowest.
@inline(__always)
private func roundToOdd(_ power: (high: UInt64, low: UInt64), _ value: UInt64) -> UInt64 {
    let below = power.low.multipliedFullWidth(by: value).high
    let product = power.high.multipliedFullWidth(by: value)
    let (low, carry) = product.low.addingReportingOverflow(below)
    return (product.high &+ (carry ? 1 : 0)) | (low > 1 ? 1 : 0)
}

private func withoutZeros(_ significand: UInt64, _ exponent: Int) -> (UInt64, Int) {
    var (significand, exponent) = (significand, exponent)
    while significand > 0 {
        let (quotient, rest) = significand.quotientAndRemainder(dividingBy: 10)
        if rest != 0 { break }
        significand = quotient
        exponent += 1
    }
    return (significand, exponent)
}

/// Of 0 it is 1.
@inline(__always)
func decimalDigits(_ value: UInt64) -> Int {
    var (digits, bound) = (1, UInt64(10))
    while value >= bound {
        digits += 1
        let (next, overflows) = bound.multipliedReportingOverflow(by: 10)
        if overflows { break }
        bound = next
    }
    return digits
}

/// Powers of ten, 128 bits each, the highest of them set; rounded up.
private enum Powers {
    static let least = -22
    /// The last whose power of five has 128 bits.
    static let most = 55

    @inline(__always)
    static func place(_ exponent: Int) -> Int { exponent - least }

    static let table: [(high: UInt64, low: UInt64)] = (least...most).map { exponent in
        let bits = exponent < 0 ? inverse(ofPowerOfFive: -exponent) : power(ofFive: exponent)
        return (UInt64(truncatingIfNeeded: bits >> 64), UInt64(truncatingIfNeeded: bits))
    }

    private static func power(ofFive exponent: Int) -> UInt128 {
        let power = (0..<exponent).reduce(1 as UInt128) { power, _ in power * 5 }
        return power << UInt128(power.leadingZeroBitCount)
    }

    /// Bit by bit, as on paper.
    private static func inverse(ofPowerOfFive exponent: Int) -> UInt128 {
        let divisor = (0..<exponent).reduce(1 as UInt128) { power, _ in power * 5 }
        var (rest, quotient) = (1 as UInt128, 0 as UInt128)
        while quotient.leadingZeroBitCount > 0 {
            rest <<= 1
            quotient <<= 1
            if rest >= divisor {
                rest -= divisor
                quotient |= 1
            }
        }
        return quotient + 1
    }
}
