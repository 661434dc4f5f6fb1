/// What is wrong with a configuration: every problem, not the first alone.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    public struct Problem: Sendable, Equatable, CustomStringConvertible {
        /// The key, or empty when the file as a whole is at fault.
        public var key: String
        /// The value as given, a password masked; nil when the key is at fault.
        public var value: String?
        /// What happened and what is allowed.
        public var message: String
        /// Where it was set, for example `/etc/weir/weir.yaml:12`.
        public var origin: String

        public var description: String {
            var text = "\(origin): "
            if !key.isEmpty { text += key }
            if let value { text += ": \"\(value)\"" }
            return text + (key.isEmpty ? "" : " ") + message
        }
    }

    public var problems: [Problem]

    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// The closest of the candidates, when it is close enough to be what was meant.
func suggestion(for word: String, among candidates: [String]) -> String? {
    let word = String(word.prefix(64))
    let ranked = candidates.map { (name: $0, distance: editDistance(word, $0)) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= max(2, word.count / 4) ? best.name : nil
}

/// Levenshtein distance: insertions, deletions and replacements between two words.
private func editDistance(_ left: String, _ right: String) -> Int {
    let right = Array(right)
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, b) in right.enumerated() {
            let replaced = diagonal + (a == b ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
        }
    }
    return row[right.count]
}
