import Glibc
import Support
import Testing

@testable import Flows

@Suite struct LogarithmTests {
    @Test func agreesWithTheLibrary() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<20_000 {
            let value = Double(1 + random.next() >> UInt64.random(in: 1...63, using: &random))
            #expect(abs(binaryLogarithm(value) - log2(value)) <= 2e-15 * max(1, log2(value)))
        }
    }

    @Test func powersOfTwoAreExact() {
        for exponent in 0..<64 {
            #expect(binaryLogarithm(Double(sign: .plus, exponent: exponent, significand: 1)) == Double(exponent))
        }
    }
}
