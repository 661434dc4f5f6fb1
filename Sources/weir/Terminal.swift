import Glibc
import Linux

/// What standard output can show.
enum Terminal {
    /// Colour is for eyes: only on a terminal, and not where NO_COLOR is set (no-color.org).
    static let hasColour =
        unsafe isatty(STDOUT_FILENO) == 1 && (getenv("NO_COLOR").map { unsafe $0.pointee == 0 } ?? true)
        && (getenv("TERM").map { unsafe String(cString: $0) != "dumb" } ?? true)

    enum Style: String {
        case plain = ""
        case bold = "1"
        case dim = "2"
        case red = "31"
        case green = "32"
        case yellow = "33"
    }

    static func styled(_ text: String, _ style: Style) -> String {
        hasColour && style != .plain ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// Writes an answer; ends quietly when nobody reads it any more.
    static func print(_ bytes: [UInt8]) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = try check("write") {
                unsafe rest.withUnsafeBytes { unsafe write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            }
            rest = rest.dropFirst(written)
        }
    }

    static func print(_ text: String) throws(SystemError) {
        try print(Array((text + "\n").utf8))
    }
}

/// Rows under headings, in columns as wide as their widest cell; the last column is not padded. Empty headings are left
/// out.
struct Table {
    struct Cell: ExpressibleByStringLiteral {
        var text: String
        var style = Terminal.Style.plain

        init(_ text: String, _ style: Terminal.Style = .plain) {
            // Names come from strangers: whatever they hold stays on its line and steers no terminal.
            self.text = String(harmless: text.utf8)
            self.style = style
        }

        init(stringLiteral text: String) { self.init(text) }
    }

    let headings: [String]
    /// Columns whose cells stand to the right, as numbers do.
    let numbers: Set<Int>
    private var rows: [[Cell]] = []

    init(_ headings: [String], numbers: Set<Int> = []) {
        self.headings = headings
        self.numbers = numbers
    }

    mutating func add(_ cells: [Cell]) {
        rows.append(cells)
    }

    var description: String {
        let all = (headings.allSatisfy(\.isEmpty) ? [] : [headings.map { Cell($0, .dim) }]) + rows
        let widths = headings.indices.map { column in all.map { $0[column].text.count }.max() ?? 0 }
        return all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.text.count)
                let shown = Terminal.styled(cell.text, cell.style)
                let isLast = column == row.count - 1
                line += numbers.contains(column) ? padding + shown : shown + (isLast ? "" : padding)
                if !isLast { line += "  " }
            }
            return line
        }.joined(separator: "\n")
    }
}

/// A number of bytes in the largest unit that leaves at least one.
func formattedBytes(_ count: UInt64) -> String {
    var value = Double(count)
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if value < 1024 { return unit == "B" ? "\(count) B" : "\(decimal(value)) \(unit)" }
        value /= 1024
    }
    return "\(decimal(value)) PiB"
}

/// With blanks behind it, or in front, up to a width.
func padded(_ text: some StringProtocol, _ width: Int, right: Bool = false) -> String {
    let blanks = String(repeating: " ", count: max(0, width - text.count))
    return right ? blanks + text : text + blanks
}

/// With commas between thousands.
func formattedCount(_ count: UInt64) -> String {
    let digits = Array(String(count))
    return String(
        digits.indices.flatMap { index -> [Character] in
            let isBreak = index > 0 && (digits.count - index) % 3 == 0
            return isBreak ? [",", digits[index]] : [digits[index]]
        }
    )
}

private func decimal(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
}
