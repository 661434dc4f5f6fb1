/// Measures the entropy of bytes: tables that are made once and four histograms to count in. One for each worker; 50 KiB.
///
/// Sums are integers in steps of 2^-43, so that the result does not depend on the order of summation and has the same bits
/// everywhere; it is within 10^-12 of the same sum in `Double`.
@safe
public struct EntropyMeter: ~Copyable {
    /// Bytes beyond these are not read; no IP packet has more.
    public static let maximumLength = 65_535

    /// Steps in one bit: `maximumLength` times its logarithm still fits into 64 bits.
    private static let scale: UInt64 = 1 << 43
    /// Counts and lengths that the tables know; those above, of frames of many segments, are calculated.
    static let tabled = 2_048
    /// Below this many bytes, a walk over the bytes is faster than one over 256 counters.
    private static let shortLength = 256

    /// c log2 c.
    private let terms: UnsafeMutablePointer<UInt64>
    /// What the sum of terms grows by when a counter goes from c to c + 1.
    private let steps: UnsafeMutablePointer<UInt64>
    /// The mean of the estimate over random bytes, by their number.
    private let uniforms: UnsafeMutablePointer<Double>
    /// Four histograms: neighbouring bytes are often the same, and a counter that was just written is slow to read again.
    private let counters: UnsafeMutablePointer<UInt16>

    public init() {
        unsafe terms = .allocate(capacity: Self.tabled)
        unsafe steps = .allocate(capacity: Self.tabled)
        unsafe uniforms = .allocate(capacity: Self.tabled)
        unsafe counters = .allocate(capacity: 4 * 256)
        for count in 0..<Self.tabled {
            unsafe terms.advanced(by: count).initialize(to: Self.calculatedTerm(count))
        }
        for count in 0..<Self.tabled {
            unsafe steps.advanced(by: count).initialize(to: Self.calculatedTerm(count + 1) - terms[count])
            unsafe uniforms.advanced(by: count).initialize(to: 0)
        }
        unsafe counters.initialize(repeating: 0, count: 4 * 256)
        for length in 2..<Self.tabled {
            unsafe uniforms[length] = calculatedUniform(length)
        }
    }

    deinit {
        unsafe terms.deallocate()
        unsafe steps.deallocate()
        unsafe uniforms.deallocate()
        unsafe counters.deallocate()
    }

    /// The entropy of the bytes, of which at most ``maximumLength`` are read. Allocates nothing.
    public mutating func entropy(of bytes: RawSpan) -> Entropy {
        let read = bytes.extracting(first: Self.maximumLength)
        return entropy(sum: sum(of: read), length: read.byteCount)
    }

    /// The sum of c log2 c over the counts c of all byte values.
    /// - Parameter bytes: at most ``maximumLength``
    mutating func sum(of bytes: RawSpan) -> UInt64 {
        bytes.byteCount < Self.shortLength ? shortSum(bytes) : longSum(bytes)
    }

    /// Turns a sum of c log2 c over all byte values into the entropy.
    func entropy(sum: UInt64, length: Int) -> Entropy {
        guard length > 0 else { return Entropy() }
        let bits = Double(term(length) &- sum) / (Double(length) * Double(Self.scale))
        return Entropy(bits: bits, length: length, uniform: uniform(length))
    }

    /// Adds bytes to a histogram and returns what its sum of c log2 c grows by.
    ///
    /// - Parameter counters: 256, of which none is above `tabled - 1` when the bytes are counted
    @inline(__always)
    func count(_ bytes: RawSpan, in counters: UnsafeMutablePointer<UInt16>) -> UInt64 {
        var sum: UInt64 = 0
        for offset in 0..<bytes.byteCount {
            let byte = Int(unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self))
            let count = unsafe counters[byte]
            unsafe sum &+= steps[Int(count)]
            unsafe counters[byte] = count &+ 1
        }
        return sum
    }

    private func shortSum(_ bytes: RawSpan) -> UInt64 {
        defer { unsafe counters.update(repeating: 0, count: 256) }
        return unsafe count(bytes, in: counters)
    }

    private func longSum(_ bytes: RawSpan) -> UInt64 {
        defer { unsafe counters.update(repeating: 0, count: 4 * 256) }
        let length = bytes.byteCount
        let whole = length & ~7
        var offset = 0
        while offset < whole {
            countPair(bytes, at: offset, first: 0)
            countPair(bytes, at: offset &+ 2, first: 512)
            countPair(bytes, at: offset &+ 4, first: 0)
            countPair(bytes, at: offset &+ 6, first: 512)
            offset &+= 8
        }
        while offset < length {
            let byte = unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
            unsafe counters[Int(byte)] &+= 1
            offset &+= 1
        }
        return length < Self.tabled ? tabledSum() : calculatedSum()
    }

    /// Two bytes a load: taking eight apart costs a tenth more than loading four times.
    /// - Parameter first: where the first of two histograms begins
    @inline(__always)
    private func countPair(_ bytes: RawSpan, at offset: Int, first: Int) {
        let pair = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self)
        unsafe counters[first &+ Int(pair & 0xFF)] &+= 1
        unsafe counters[first &+ 256 &+ Int(pair >> 8)] &+= 1
    }

    /// How many bytes had each of four values in a row, the first a multiple of four: 16 bits each, the first lowest.
    @inline(__always)
    private func fourCounts(from value: Int) -> UInt64 {
        let tables = unsafe UnsafeRawPointer(counters)
        let (first, second, third, fourth) = unsafe (
            tables.load(fromByteOffset: 2 &* value, as: UInt64.self),
            tables.load(fromByteOffset: 2 &* value &+ 512, as: UInt64.self),
            tables.load(fromByteOffset: 2 &* value &+ 1_024, as: UInt64.self),
            tables.load(fromByteOffset: 2 &* value &+ 1_536, as: UInt64.self)
        )
        // All four together are at most `maximumLength`, so no sum reaches into the next.
        return first &+ second &+ third &+ fourth
    }

    private func tabledSum() -> UInt64 {
        var sum: UInt64 = 0
        for value in stride(from: 0, to: 256, by: 4) {
            let counts = fourCounts(from: value)
            unsafe sum &+= terms[Int(counts & 0xFFFF)] &+ terms[Int(counts >> 16 & 0xFFFF)]
            unsafe sum &+= terms[Int(counts >> 32 & 0xFFFF)] &+ terms[Int(counts >> 48)]
        }
        return sum
    }

    @inline(never)
    private func calculatedSum() -> UInt64 {
        var sum: UInt64 = 0
        for value in stride(from: 0, to: 256, by: 4) {
            let counts = fourCounts(from: value)
            for lane in 0..<4 as Range<UInt64> {
                sum &+= term(Int(counts >> (16 * lane) & 0xFFFF))
            }
        }
        return sum
    }

    @inline(__always)
    private func term(_ count: Int) -> UInt64 {
        count < Self.tabled ? unsafe terms[count] : Self.calculatedTerm(count)
    }

    @inline(never)
    private static func calculatedTerm(_ count: Int) -> UInt64 {
        guard count > 1 else { return 0 }
        return UInt64((Double(count) * binaryLogarithm(Double(count)) * Double(scale)).rounded())
    }

    /// The mean of the estimate over this many random bytes, bits per byte.
    @inline(__always)
    func uniform(_ length: Int) -> Double {
        length < Self.tabled ? unsafe uniforms[length] : calculatedUniform(length)
    }

    /// log2 n − E[log2(1 + B)]: the share of a value is c/n, and c log2 c over a binomial c is n/256 times log2(1 + B) over
    /// a B of one trial less. The weights of B start at 1 at its mode and are divided by their sum, so none underflows.
    @inline(never)
    private func calculatedUniform(_ length: Int) -> Double {
        let trials = length - 1
        let mode = length / 256
        var (weights, weighted) = (1.0, logarithm(mode + 1))
        var (weight, successes) = (1.0, mode)
        while successes > 0, weight > 0x1p-70 {
            weight *= Double(255 * successes) / Double(trials - successes + 1)
            successes -= 1
            weights += weight
            weighted += weight * logarithm(successes + 1)
        }
        (weight, successes) = (1.0, mode)
        while successes < trials, weight > 0x1p-70 {
            weight *= Double(trials - successes) / Double(255 * (successes + 1))
            successes += 1
            weights += weight
            weighted += weight * logarithm(successes + 1)
        }
        return logarithm(length) - weighted / weights
    }

    private func logarithm(_ value: Int) -> Double {
        Double(term(value)) / (Double(value) * Double(Self.scale))
    }
}

/// Nothing in it refers to anything else, and it cannot be copied: it may go to the thread that uses it.
extension EntropyMeter: @unchecked Sendable {}
