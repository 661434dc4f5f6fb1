import Packets
import Testing

@Suite struct OutcomeTests {
    @Test func everyOutcomeIsOfExactlyOneKind() {
        for outcome in Outcome.allCases {
            let kinds = [outcome == .decoded, outcome.isTruncated, outcome.isMalformed, outcome.isUnknown]
            #expect(kinds.filter { $0 }.count == 1, "\(outcome)")
        }
    }

    @Test func countersAddUp() {
        var counters = DecodeCounters()
        for (index, outcome) in Outcome.allCases.enumerated() {
            for _ in 0...index { counters.count(outcome) }
        }
        let cases = UInt64(Outcome.allCases.count)
        #expect(counters.total == cases * (cases + 1) / 2)
        #expect(counters.total == counters.decoded + counters.truncated + counters.malformed + counters.unknown)
        for (index, outcome) in Outcome.allCases.enumerated() {
            #expect(counters[outcome] == UInt64(index + 1))
        }
        var twice = counters
        twice += counters
        #expect(twice.total == 2 * counters.total)
        #expect(twice != counters)
    }
}
