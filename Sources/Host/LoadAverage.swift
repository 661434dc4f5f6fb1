/// Tasks that run or wait, on average over the last 1, 5 and 15 minutes, from /proc/loadavg.
public struct LoadAverage: Equatable, Sendable {
    public let one: Double
    public let five: Double
    public let fifteen: Double

    /// Reads /proc/loadavg; nil when its first three words are no numbers.
    public init?(_ text: Span<UInt8>) {
        var words = ByteCursor(text)
        guard let one = words.decimal(), let five = words.decimal(), let fifteen = words.decimal() else { return nil }
        (self.one, self.five, self.fifteen) = (one, five, fifteen)
    }
}

extension ByteCursor {
    /// The next word as a number with two decimals, as the kernel writes it: `0.07`.
    fileprivate mutating func decimal() -> Double? {
        guard let word = word(), word.count > 3, word[word.count - 3] == UInt8(ascii: "."),
            let whole = word.extracting(droppingLast: 3).number, let hundredths = word.extracting(last: 2).number
        else { return nil }
        return Double(whole) + Double(hundredths) / 100
    }
}
