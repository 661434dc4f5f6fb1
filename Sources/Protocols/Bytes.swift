/// The only raw loads of this module. None of them checks its offset in release: every caller has compared the end of
/// what it reads with the end of what may be read, once, on a line above. Debug and fuzz builds check here too.
extension RawSpan {
    @inline(__always)
    func byte(at offset: Int) -> UInt8 {
        assert(offset >= 0 && offset < byteCount)
        return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    @inline(__always)
    func be16(at offset: Int) -> UInt16 {
        assert(offset >= 0 && offset + 2 <= byteCount)
        return UInt16(bigEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self))
    }

    /// The first byte lowest.
    @inline(__always)
    func le64(at offset: Int) -> UInt64 {
        assert(offset >= 0 && offset + 8 <= byteCount)
        return UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// Where a byte stands first, eight at a time; where it is not, `byteCount`.
    func first(_ wanted: UInt8, from start: Int) -> Int {
        var at = start
        let ones: UInt64 = 0x0101_0101_0101_0101
        while at + 8 <= byteCount {
            // A byte that is wanted becomes zero; the lowest zero byte's highest bit is the lowest that is set below.
            let word = le64(at: at) ^ ones &* UInt64(wanted)
            let zeros = (word &- ones) & ~word & (ones << 7)
            if zeros != 0 { return at + zeros.trailingZeroBitCount / 8 }
            at += 8
        }
        while at < byteCount, byte(at: at) != wanted { at += 1 }
        return at
    }
}

extension UInt8 {
    /// ASCII letters in lower case, all else as it is.
    var lowercased: UInt8 { self >= 0x41 && self <= 0x5A ? self | 0x20 : self }
}
