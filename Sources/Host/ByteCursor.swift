/// Reads the text of a kernel file from front to back, without making strings of it.
struct ByteCursor: ~Escapable {
    private let bytes: Span<UInt8>
    private var offset = 0

    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>) {
        self.bytes = bytes
    }

    /// The next line that is complete, without its newline; nil when none is left. A cut last line is not believed.
    @_lifetime(copy self)
    mutating func line() -> ByteCursor? {
        var end = offset
        while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
        guard end < bytes.count else { return nil }
        let line = ByteCursor(bytes.extracting(offset..<end))
        offset = end + 1
        return line
    }

    /// The next word: what stands between blanks.
    @_lifetime(copy self)
    mutating func word() -> Span<UInt8>? {
        while offset < bytes.count, Self.isBlank(bytes[offset]) { offset += 1 }
        let start = offset
        while offset < bytes.count, !Self.isBlank(bytes[offset]) { offset += 1 }
        return start == offset ? nil : bytes.extracting(start..<offset)
    }

    /// The next word as a number; nil when there is none, it has other characters, or exceeds 64 bits.
    mutating func number() -> UInt64? {
        guard let word = word() else { return nil }
        return word.number
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
}

extension Span where Element == UInt8 {
    /// The bytes as a decimal number without sign.
    var number: UInt64? {
        var value: UInt64 = 0
        for index in indices {
            let digit = self[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            let (shifted, tooFar) = value.multipliedReportingOverflow(by: 10)
            let (sum, over) = shifted.addingReportingOverflow(UInt64(digit))
            guard !tooFar, !over else { return nil }
            value = sum
        }
        return isEmpty ? nil : value
    }

    /// Whether the bytes begin with this ASCII text.
    func starts(with text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount {
            guard unsafe self[index] == text.utf8Start[index] else { return false }
        }
        return true
    }

    /// Whether the bytes are this ASCII text.
    func equals(_ text: StaticString) -> Bool { count == text.utf8CodeUnitCount && starts(with: text) }

    /// A copy, for the seldom case that a name is kept.
    var array: [UInt8] { indices.map { self[$0] } }
}
