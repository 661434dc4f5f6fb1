public import Packets

/// Bytes of text that grow by appending, without a `String` and, once it has its size, without allocation.
@safe
public struct TextBuffer: ~Copyable {
    public private(set) var count = 0
    private var capacity: Int
    private var base: UnsafeMutablePointer<UInt8>

    public init(capacity: Int = 4096) {
        self.capacity = max(capacity, 64)
        unsafe base = .allocate(capacity: self.capacity)
    }

    deinit {
        unsafe base.deallocate()
    }

    /// What was written, until the next change.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = unsafe RawSpan(_unsafeStart: base, byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// Forgets what was written, and keeps the room for it.
    public mutating func clear() { count = 0 }

    /// Makes sure that `room` bytes can be appended.
    @inline(__always)
    mutating func reserve(_ room: Int) {
        if capacity &- count < room { grow(room) }
    }

    @inline(never)
    private mutating func grow(_ room: Int) {
        capacity = max(2 * capacity, count + room)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        unsafe larger.update(from: base, count: count)
        unsafe base.deallocate()
        unsafe base = larger
    }

    @inline(__always)
    public mutating func append(byte: UInt8) {
        reserve(1)
        unsafe base[count] = byte
        count &+= 1
    }

    public mutating func append(_ text: StaticString) {
        append(unsafe UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount).bytes)
    }

    public mutating func append(_ bytes: RawSpan) {
        reserve(bytes.byteCount)
        let (start, target) = unsafe (count, base)
        unsafe bytes.withUnsafeBytes { source in
            unsafe UnsafeMutableRawBufferPointer(start: target + start, count: source.count).copyMemory(from: source)
        }
        count &+= bytes.byteCount
    }

    /// Appends a part of another text.
    public mutating func append(_ other: borrowing TextBuffer, _ range: Range<Int>) {
        let bytes = other.bytes
        append(bytes.extracting(range))
    }

    /// Appends what a writer wrote.
    mutating func append(_ json: borrowing JSONWriter) {
        let written = json.bytes.span
        append(unsafe written.bytes)
    }

    /// Appends what was appended before, once more.
    mutating func append(again range: Range<Int>) {
        reserve(range.count)
        unsafe (base + count).update(from: base + range.lowerBound, count: range.count)
        count &+= range.count
    }
}

// MARK: - Numbers

extension TextBuffer {
    @inline(__always)
    public mutating func append(_ value: UInt64) {
        if value < 10 {
            append(byte: 0x30 | UInt8(truncatingIfNeeded: value))
        } else {
            appendDigits(value, decimalDigits(value))
        }
    }

    /// With zeros in front, up to `digits`.
    @inline(__always)
    mutating func append(_ value: UInt64, digits: Int) { appendDigits(value, digits) }

    private mutating func appendDigits(_ value: UInt64, _ digits: Int) {
        reserve(digits)
        var (rest, place) = (value, count &+ digits)
        while place > count {
            place &-= 1
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            unsafe base[place] = 0x30 | UInt8(truncatingIfNeeded: digit)
            rest = quotient
        }
        count &+= digits
    }

    /// The shortest decimal that reads back as the same number; `Infinity`, `-Infinity` and `NaN` as Java writes them.
    @inline(__always)
    public mutating func append(_ value: Double) {
        if value >= 0, value < 0x1p53 {
            let whole = UInt64(value)
            if Double(whole) == value { return append(whole) }
        }
        appendOther(value)
    }

    @inline(never)
    private mutating func appendOther(_ value: Double) {
        guard value.isFinite else {
            return value.isNaN ? append("NaN") : value < 0 ? append("-Infinity") : append("Infinity")
        }
        let text = ShortestDecimal(value)
        reserve(text.count)
        for place in 0..<text.count { unsafe base[count &+ place] = text.ascii[place] }
        count &+= text.count
    }
}

// MARK: - Addresses and times

extension TextBuffer {
    /// As people of that family write it; IPv6 as RFC 5952 has it.
    public mutating func append(_ address: Address, as family: Family) {
        guard family == .ipv6 || !address.isMapped else { return appendDotted(address) }
        guard !address.isMapped else {
            append("::ffff:")
            return appendDotted(address)
        }
        let gap = longestZeros(in: address)
        var place = 0
        while place < 8 {
            if place == gap.lowerBound, !gap.isEmpty {
                append("::")
                place = gap.upperBound
                continue
            }
            if place > 0, place != gap.upperBound || gap.isEmpty { append(byte: 0x3A) }
            appendHexadecimal(address.group(place))
            place += 1
        }
    }

    private mutating func appendDotted(_ address: Address) {
        for part in 0..<4 {
            if part > 0 { append(byte: 0x2E) }
            append(address.low >> UInt64(24 - 8 * part) & 0xFF)
        }
    }

    private mutating func appendHexadecimal(_ value: UInt16) {
        var shift = 12
        while shift > 0, value >> shift == 0 { shift -= 4 }
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: value >> shift & 15)
            append(byte: digit < 10 ? 0x30 + digit : 0x57 + digit)
            shift -= 4
        }
    }

    /// The first longest row of at least two groups of zeros (RFC 5952 section 4.2).
    private func longestZeros(in address: Address) -> Range<Int> {
        var (longest, start) = (8..<8, 0)
        for place in 0...8 where place == 8 || address.group(place) != 0 {
            if place - start > max(longest.count, 1) { longest = start..<place }
            start = place + 1
        }
        return longest
    }

    /// RFC 3339 in UTC with microseconds; cut, not rounded. Times before 1970 show as 1970.
    public mutating func append(_ time: WallTime) {
        let parts = CalendarTime(time)
        append(parts.year, digits: 4)
        append(byte: 0x2D)
        append(parts.month, digits: 2)
        append(byte: 0x2D)
        append(parts.day, digits: 2)
        append(byte: 0x54)
        append(parts.hour, digits: 2)
        append(byte: 0x3A)
        append(parts.minute, digits: 2)
        append(byte: 0x3A)
        append(parts.second, digits: 2)
        append(byte: 0x2E)
        append(parts.nanosecond / 1000, digits: 6)
        append(byte: 0x5A)
    }

    /// As CICFlowMeter writes it, `05/07/2017 07:46:12 PM`, but in UTC.
    mutating func appendTwelveHours(_ time: WallTime) {
        let parts = CalendarTime(time)
        append(parts.day, digits: 2)
        append(byte: 0x2F)
        append(parts.month, digits: 2)
        append(byte: 0x2F)
        append(parts.year, digits: 4)
        append(byte: 0x20)
        append(parts.hour % 12 == 0 ? 12 : parts.hour % 12, digits: 2)
        append(byte: 0x3A)
        append(parts.minute, digits: 2)
        append(byte: 0x3A)
        append(parts.second, digits: 2)
        append(parts.hour < 12 ? " AM" : " PM")
    }
}

extension Address {
    /// Sixteen bits of it, the first ones at 0.
    fileprivate func group(_ place: Int) -> UInt16 {
        UInt16(truncatingIfNeeded: (place < 4 ? high : low) >> UInt64(48 - 16 * (place & 3)))
    }
}

/// A time in parts, UTC.
private struct CalendarTime {
    let year, month, day, hour, minute, second, nanosecond: UInt64

    init(_ time: WallTime) {
        let nanoseconds = max(time.nanoseconds, 0)
        let seconds = nanoseconds / 1_000_000_000
        let date = WallTime.date(ofDay: seconds / 86_400)
        (year, month, day) = (UInt64(date.year), UInt64(date.month), UInt64(date.day))
        hour = UInt64(seconds / 3_600 % 24)
        minute = UInt64(seconds / 60 % 60)
        second = UInt64(seconds % 60)
        nanosecond = UInt64(nanoseconds % 1_000_000_000)
    }
}

/// It owns its memory alone and cannot be copied: it may go to the thread that uses it.
extension TextBuffer: @unchecked Sendable {}
