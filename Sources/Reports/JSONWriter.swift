/// Writes JSON (RFC 8259) by appending: the result is always valid UTF-8, without null numbers or NaN.
///
/// Text that strangers choose (process names, units) is escaped so far that it is harmless in a terminal, a log line
/// and a `<script>` element: control characters, `<`, `>`, `&` and the line separators U+2028 and U+2029.
public struct JSONWriter: Sendable {
    /// What was written so far.
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    public init() {}

    /// Forgets what was written, and keeps the room for it.
    public mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
    }

    // MARK: Values

    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        nest(open: UInt8(ascii: "{"), close: UInt8(ascii: "}"), body)
    }

    public mutating func array(_ body: (inout JSONWriter) -> Void) {
        nest(open: UInt8(ascii: "["), close: UInt8(ascii: "]"), body)
    }

    /// A string of at most `limit` characters (Unicode scalars); what is cut off leaves an ellipsis.
    public mutating func string(_ text: String, limit: Int = .max) {
        separate()
        appendQuoted(text, limit: limit)
    }

    public mutating func integer(_ value: some BinaryInteger) {
        separate()
        if let small = UInt64(exactly: value) {
            append(ShortestDecimal(small))
        } else {
            bytes.append(contentsOf: String(value).utf8)
        }
    }

    /// The shortest decimal with at most `places` (0-6) digits after the point; what is not finite becomes 0.
    public mutating func decimal(_ value: Double, places: Int) {
        separate()
        let finite = value.isFinite ? min(max(value, -1e12), 1e12) : 0
        var scale: Int64 = 1
        for _ in 0..<places { scale *= 10 }
        let scaled = Int64((finite * Double(scale)).rounded())
        if scaled < 0 { bytes.append(UInt8(ascii: "-")) }
        let magnitude = scaled.magnitude
        bytes.append(contentsOf: String(magnitude / scale.magnitude).utf8)
        var rest = magnitude % scale.magnitude
        guard rest > 0 else { return }
        bytes.append(UInt8(ascii: "."))
        var place = scale.magnitude / 10
        while rest > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(rest / place))
            rest %= place
            place /= 10
        }
    }

    /// The shortest decimal that reads back as the same number; what is not finite becomes 0.
    public mutating func number(_ value: Double) {
        separate()
        append(ShortestDecimal(value.isFinite ? value : 0))
    }

    private mutating func append(_ number: ShortestDecimal) {
        bytes.append(addingCapacity: number.count) { room in
            for place in 0..<number.count { room.append(number.ascii[place]) }
        }
    }

    public mutating func boolean(_ value: Bool) {
        separate()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    public mutating func null() {
        separate()
        bytes.append(contentsOf: "null".utf8)
    }

    /// Values that other writers made.
    mutating func values(_ written: ArraySlice<[UInt8]>) {
        for value in written {
            separate()
            bytes.append(contentsOf: value)
        }
    }

    // MARK: Members of an object

    public mutating func object(_ name: String, _ body: (inout JSONWriter) -> Void) {
        key(name)
        object(body)
    }

    public mutating func array(_ name: String, _ body: (inout JSONWriter) -> Void) {
        key(name)
        array(body)
    }

    public mutating func field(_ name: String, _ text: String, limit: Int = .max) {
        key(name)
        string(text, limit: limit)
    }

    public mutating func field(_ name: String, _ value: some BinaryInteger) {
        key(name)
        integer(value)
    }

    public mutating func field(_ name: String, _ value: Double, places: Int) {
        key(name)
        decimal(value, places: places)
    }

    public mutating func field(_ name: String, _ value: Double) {
        key(name)
        number(value)
    }

    public mutating func field(_ name: String, _ value: Bool) {
        key(name)
        boolean(value)
    }

    /// A time with 0, 3 or 6 fraction digits.
    public mutating func field(_ name: String, _ time: WallTime, digits: WallTime.Digits) {
        key(name)
        string(time.formatted(digits))
    }

    public mutating func fieldNull(_ name: String) {
        key(name)
        null()
    }

    private mutating func key(_ name: String) {
        separate()
        appendQuoted(name, limit: .max)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    // MARK: Characters

    private mutating func nest(open: UInt8, close: UInt8, _ body: (inout JSONWriter) -> Void) {
        separate()
        bytes.append(open)
        needsComma = false
        body(&self)
        bytes.append(close)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func appendQuoted(_ text: String, limit: Int) {
        bytes.append(UInt8(ascii: "\""))
        if text.utf8.count <= limit, isHarmless(text.utf8) {
            bytes.append(contentsOf: text.utf8)
            bytes.append(UInt8(ascii: "\""))
            return
        }
        var room = limit
        for scalar in text.unicodeScalars {
            guard room > 0 else {
                bytes.append(contentsOf: "…".utf8)
                break
            }
            room -= 1
            append(scalar)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Whether nothing of it needs an escape: plain ASCII, as most text is.
    private func isHarmless(_ text: String.UTF8View) -> Bool {
        let span = text.span
        for place in span.indices {
            switch span[place] {
            case 0x22, 0x26, 0x3C, 0x3E, 0x5C, ..<0x20, 0x7F...: return false
            default: continue
            }
        }
        return true
    }

    private mutating func append(_ scalar: Unicode.Scalar) {
        switch scalar {
        case "\"": bytes.append(contentsOf: "\\\"".utf8)
        case "\\": bytes.append(contentsOf: "\\\\".utf8)
        case "\n": bytes.append(contentsOf: "\\n".utf8)
        case "\r": bytes.append(contentsOf: "\\r".utf8)
        case "\t": bytes.append(contentsOf: "\\t".utf8)
        case "\0"..."\u{1F}", "\u{7F}"..."\u{9F}", "<", ">", "&", "\u{2028}", "\u{2029}": appendEscape(scalar.value)
        default: bytes.append(contentsOf: String(scalar).utf8)
        }
    }

    /// `\u` and four hexadecimal digits; only for scalars below U+10000.
    private mutating func appendEscape(_ value: UInt32) {
        bytes.append(contentsOf: "\\u".utf8)
        for shift in [12, 8, 4, 0] as [UInt32] {
            let digit = UInt8(truncatingIfNeeded: value >> shift) & 15
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
