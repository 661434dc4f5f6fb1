import Flows
import Packets
import Testing

@Suite struct LedgerTests {
    private var balanced: Ledger {
        var ledger = Ledger()
        ledger.offered = 100
        ledger.skipped = 60
        ledger.kept = 40
        ledger.dropped = 5
        ledger.read = 35
        ledger.decoded = 30
        ledger.malformed = 3
        ledger.shed = 2
        return ledger
    }

    @Test func nothingIsLeftOver() {
        #expect(balanced.residue == 0)
        #expect((balanced + balanced).residue == 0)
        #expect((balanced + balanced).since(balanced) == balanced)
    }

    @Test func everyFieldIsInTheBalance() {
        let fields: [WritableKeyPath<Ledger, UInt64>] = [
            \.offered, \.skipped, \.kept, \.dropped, \.read, \.decoded, \.malformed, \.shed,
        ]
        for field in fields {
            var ledger = balanced
            ledger[keyPath: field] += 1
            #expect(ledger.residue > 0)
        }
    }

    /// One frame too many in one equation and one too few in the next are two mistakes, not none.
    @Test func mistakesDoNotCancelOut() {
        var ledger = balanced
        ledger.kept += 1
        #expect(ledger.residue == 2)
    }

    @Test func takesInDecodedFrames() {
        var counters = DecodeCounters()
        for outcome in Outcome.allCases { counters.count(outcome) }
        var ledger = Ledger()
        ledger.add(counters)
        #expect(ledger.malformed == counters.malformed)
        #expect(ledger.decoded == counters.decoded + counters.truncated + counters.unknown)
    }
}
