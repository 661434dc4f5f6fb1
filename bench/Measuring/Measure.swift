import Glibc

/// What one measurement has to say: a block of the table for people, and a line of JSON for programs.
///
/// Both go to standard output. Limits are not its business: they stand in `bench/thresholds`.
public struct Measure {
    /// The folder under `bench/`.
    let bench: String
    let name: String
    private var values: [(name: String, value: Double)] = []
    private var notes: [(name: String, text: String)] = []

    /// - Parameter name: unique within the bench; thresholds refer to it.
    public init(_ bench: String, _ name: String) {
        self.bench = bench
        self.name = name
    }

    /// Adds a figure. The name ends with the unit: `cpu_ns_per_frame`. What was divided by nothing is left out.
    public mutating func add(_ name: String, _ value: Double) {
        if value.isFinite { values.append((name, value)) }
    }

    public mutating func add(_ name: String, _ value: some BinaryInteger) { add(name, Double(value)) }

    /// Adds a word on how it was measured: a version, a command.
    public mutating func note(_ name: String, _ text: String) { notes.append((name, text)) }

    public func show() {
        print("\(bench): \(name)")
        let width = (values.map(\.name) + notes.map(\.name)).map(\.utf8.count).max() ?? 0
        for (name, text) in notes { print("  \(padded(name, width))  \(text)") }
        for (name, value) in values { print("  \(padded(name, width))  \(Self.text(value))") }
        let fields =
            notes.map { "\"\($0.name)\":\"\(Self.escaped($0.text))\"" }
            + values.map { "\"\($0.name)\":\(Self.text($0.value))" }
        print("{\"bench\":\"\(bench)\",\"measure\":\"\(name)\"" + fields.map { "," + $0 }.joined() + "}")
        // Every stream: a reader at the end of a pipe sees each measure when it is done.
        _ = fflush(nil)
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.utf8.count))
    }

    /// At most three decimals.
    private static func text(_ value: Double) -> String {
        if value == value.rounded() { return String(Int(value)) }
        let thousandths = Int((abs(value) * 1_000).rounded())
        let fraction = String(thousandths % 1_000 + 1_000).dropFirst()
        return (value < 0 ? "-" : "") + "\(thousandths / 1_000).\(fraction)"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: " ")
    }
}
