extension String {
    /// Text that some stranger chose, for example a process or interface name, made safe to print.
    ///
    /// Reads up to the first NUL and at most `limit` bytes. Bytes that are not UTF-8, control characters, line and
    /// paragraph separators and characters that change the direction of text appear as `\x1b` or `\u202e`: no
    /// terminal, log line or JSON reader acts on them, and nothing about the name is lost.
    public init(harmless bytes: RawSpan, limit: Int = 256) {
        var copy: [UInt8] = []
        let count = Swift.min(bytes.byteCount, limit)
        copy.reserveCapacity(count)
        for offset in 0..<count {
            guard let byte = bytes.load(at: offset, as: UInt8.self), byte != 0 else { break }
            copy.append(byte)
        }
        self.init(harmless: copy, limit: limit)
    }

    /// As `init(harmless:limit:)` over a span; the bytes are taken to hold no NUL or to end there.
    public init(harmless bytes: some Sequence<UInt8>, limit: Int = 256) {
        let head = Array(bytes.prefix(limit).prefix { $0 != 0 })
        if head.allSatisfy({ (0x20..<0x7f).contains($0) }) {
            self.init(decoding: head, as: UTF8.self)
            return
        }
        self = ""
        var decoder = UTF8()
        var offset = 0
        while offset < head.count {
            var rest = head[offset...].makeIterator()
            guard case .scalarValue(let scalar) = decoder.decode(&rest) else {
                append(Self.escaped(head[offset]))
                offset += 1
                decoder = UTF8()
                continue
            }
            if Self.isHarmless(scalar) {
                unicodeScalars.append(scalar)
            } else {
                append(
                    scalar.value < 0x100 ? Self.escaped(UInt8(scalar.value)) : "\\u" + String(scalar.value, radix: 16)
                )
            }
            offset += UTF8.width(scalar)
            decoder = UTF8()
        }
    }

    private static func escaped(_ byte: UInt8) -> String {
        "\\x" + (byte < 0x10 ? "0" : "") + String(byte, radix: 16)
    }

    private static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }
}
