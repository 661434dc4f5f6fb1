import Support
import Testing

@testable import Flows

/// The document for users, docs/features.md, says what the code does.
struct FeatureDocumentTests {
    private static let lines: [Substring] = {
        let checkout = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        return Oracle.text(at: checkout.joined(separator: "/") + "/docs/features.md").split(whereSeparator: \.isNewline)
    }()

    private static func cells(_ line: Substring) -> [String] {
        line.split(separator: "|").map { cell in
            String(cell.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
    }

    @Test func everyFeatureHasItsRow() {
        let rows = Self.lines.map { Self.cells($0) }.filter { Int($0.first ?? "") != nil }
        #expect(rows.map { $0.dropFirst().first ?? "" } == FlowFeatures.names.map { "`\($0)`" })
        #expect(rows.map { Int($0[0]) ?? 0 } == Array(1...76))
        #expect(rows.allSatisfy { row in row.count == 6 && row.allSatisfy { !$0.isEmpty } })
    }

    @Test(arguments: FlowProfile.allCases) func everyDifferenceIsTold(profile: FlowProfile) {
        for (tool, reasons) in [
            ("Java", ColumnDifferences.java(profile)), ("Python", ColumnDifferences.python(profile)),
        ] {
            let title = "### \(tool), `\(profile.rawValue)`"
            let section = Self.lines.drop { $0 != title }.dropFirst().prefix { !$0.hasPrefix("#") }
            let told = section.map { Self.cells($0) }.dropFirst(2)
            #expect(told.map { $0.first ?? "" } == reasons.map { $0.columns.joined(separator: ", ") })
            #expect(told.map { $0.last ?? "" } == reasons.map(\.why))
            #expect(Set(reasons.flatMap(\.columns)).isSubset(of: FlowFeatures.names))
        }
    }
}
