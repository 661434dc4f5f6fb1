import Reports
import Support
import Testing

struct ShortestDecimalTests {
    @Test(
        arguments: [
            (0, "0"), (-0.0, "0"), (1, "1"), (-7, "-7"), (0.1, "0.1"), (0.30000000000000004, "0.30000000000000004"),
            (1301.470588, "1301.470588"), (2.5, "2.5"), (1e-7, "0.0000001"), (9007199254740992, "9007199254740992"),
            (9007199254740994, "9007199254740994"), (1e21, "1000000000000000000000"),
            (1.2345678901234568e20, "123456789012345680000"), (0.000123, "0.000123"), (-1.0 / 3, "-0.3333333333333333"),
            (4.35, "4.35"), (0x1p20, "1048576"), (0.5, "0.5"), (0.25, "0.25"), (Double.leastNonzeroMagnitude, "5e-324"),
            (1e300, "1e+300"),
        ] as [(Double, String)]
    )
    func known(value: Double, expected: String) {
        #expect(text(ShortestDecimal(value)) == expected)
    }

    @Test func wholeNumbers() {
        for value in [0, 9, 10, 99, 100, UInt64(1) << 53, .max] {
            #expect(text(ShortestDecimal(value)) == String(value))
        }
    }

    /// Swift's own text is the shortest too, written in its way: the digits must be the same.
    @Test func sameDigitsAsSwift() {
        var random = SeededGenerator(seed: 0x5B_0B)
        for round in 0..<200_000 {
            let value: Double
            switch round % 4 {
            case 0:
                value = Double(
                    bitPattern: random.next() & 0x800F_FFFF_FFFF_FFFF | (1023 - 66 + random.next() % 139) << 52
                )
            case 1: value = Double(random.next() % 1_000_000_000_000) / 1000
            case 2: value = Double(random.next() % 1_000_000) / Double(random.next() % 1000 + 1)
            default: value = (Double(random.next() % 1_000_000_000) / Double(random.next() % 1000 + 1)).squareRoot()
            }
            let own = text(ShortestDecimal(value))
            guard Double(own) == value, digits(own) == digits(value.description) else {
                Issue.record("\(value) became \(own), seed 0x5B0B, round \(round)")
                return
            }
        }
    }

    /// Numbers just at and beside a power of two, where the next lower one is twice as close.
    @Test func powersOfTwo() {
        for exponent in -66...72 {
            let power = Double(sign: .plus, exponent: exponent, significand: 1)
            for value in [power, power.nextDown, power.nextUp] {
                let own = text(ShortestDecimal(value))
                #expect(Double(own) == value)
                #expect(digits(own) == digits(value.description), "\(value)")
            }
        }
    }

    private func text(_ number: ShortestDecimal) -> String {
        String(decoding: (0..<number.count).map { number.ascii[$0] }, as: UTF8.self)
    }

    /// Of the significand, without zeros around it.
    private func digits(_ text: String) -> String {
        let significand = text.split(separator: "e")[0].filter { ("0"..."9").contains($0) }
        let first = significand.drop { $0 == "0" }
        let last = first.reversed().drop { $0 == "0" }
        return String(last.reversed())
    }
}
