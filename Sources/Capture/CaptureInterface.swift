/// What a capture says of the interface that a frame was seen on, ready for use on every frame.
struct CaptureInterface: BitwiseCopyable {
    let number: UInt32
    let link: LinkType
    /// Bytes of a frame that were kept at most; 0 for all.
    let snapLength: UInt32
    /// Bytes of the frame check sequence at the end of each frame.
    let checkLength: UInt32
    private let resolution: Resolution
    /// What is added to each time, in nanoseconds.
    private let offset: Int64
    /// Nanoseconds in one unit of time, when they are a power of ten; else 0.
    private let tick: UInt64

    init(
        number: UInt32,
        link: LinkType,
        snapLength: UInt32 = 0,
        checkLength: UInt32 = 0,
        resolution: Resolution = .decimal(6),
        offset: Int64 = 0
    ) {
        self.number = number
        self.link = link
        self.snapLength = snapLength
        self.checkLength = checkLength
        self.resolution = resolution
        self.offset = offset
        if case .decimal(let digits) = resolution, digits <= 9 {
            tick = Self.powerOfTen(9 - digits) ?? 0
        } else {
            tick = 0
        }
    }

    /// Units of time in one second: a power of ten or of two.
    enum Resolution: BitwiseCopyable, Equatable {
        case decimal(UInt8)
        case binary(UInt8)

        /// Source: draft-ietf-opsawg-pcapng, option if_tsresol.
        init(option: UInt8) {
            self = option & 0x80 == 0 ? .decimal(option) : .binary(option & 0x7f)
        }
    }

    /// The time of a frame in nanoseconds since 1970; the nearest that fits when it does not.
    @inline(__always)
    func time(_ units: UInt64) -> Int64 {
        let (nanoseconds, overflow) = units.multipliedReportingOverflow(by: tick)
        let (time, isFar) = Int64(truncatingIfNeeded: nanoseconds).addingReportingOverflow(offset)
        if !overflow && !isFar && nanoseconds <= UInt64(Int64.max) && tick != 0 { return time }
        return Self.unusualTime(units, resolution, offset)
    }

    @inline(never)
    private static func unusualTime(_ units: UInt64, _ resolution: Resolution, _ offset: Int64) -> Int64 {
        let nanoseconds: UInt64
        switch resolution {
        case .decimal(let digits) where digits <= 9:
            let (product, overflow) = units.multipliedReportingOverflow(by: powerOfTen(9 - digits) ?? 0)
            nanoseconds = overflow ? .max : product
        case .decimal(let digits):
            nanoseconds = powerOfTen(digits - 9).map { units / $0 } ?? 0
        case .binary(let digits):
            let (high, low) = units.multipliedFullWidth(by: 1_000_000_000)
            let product = UInt128(high) << 64 | UInt128(low)
            nanoseconds = UInt64(clamping: product >> UInt128(digits))
        }
        let (time, overflow) = Int64(clamping: nanoseconds).addingReportingOverflow(offset)
        if !overflow { return time }
        return offset < 0 ? .min : .max
    }

    /// The nearest that fits.
    static func nanoseconds(seconds: Int64) -> Int64 {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if !overflow { return product }
        return seconds < 0 ? .min : .max
    }

    /// nil when it does not fit.
    private static func powerOfTen(_ exponent: UInt8) -> UInt64? {
        if exponent > 19 { return nil }
        return (0..<exponent).reduce(1) { power, _ in power * 10 }
    }
}

/// The interfaces of one section.
///
/// Not an array: reading one field of one element copies the element, or retains the array, on every frame.
@safe
struct CaptureInterfaces: ~Copyable {
    private var base: UnsafeMutablePointer<CaptureInterface>
    private var capacity = 8
    private(set) var count = 0

    init() {
        unsafe base = .allocate(capacity: capacity)
    }

    deinit {
        unsafe base.deallocate()
    }

    /// - Parameter place: less than `count`.
    @inline(__always)
    subscript(place: Int) -> UnsafePointer<CaptureInterface> {
        assert(place >= 0 && place < count)
        return unsafe UnsafePointer(base + place)
    }

    mutating func append(_ interface: CaptureInterface) {
        if count == capacity {
            let larger = UnsafeMutablePointer<CaptureInterface>.allocate(capacity: 2 * capacity)
            unsafe larger.moveInitialize(from: base, count: count)
            unsafe base.deallocate()
            unsafe base = larger
            capacity *= 2
        }
        unsafe (base + count).initialize(to: interface)
        count += 1
    }

    mutating func removeAll() { count = 0 }
}

/// Gives interfaces their numbers: the same number to what has the same name, link type, and place among its namesakes of
/// one section, in whatever section or file it is found.
///
/// Rotated captures of one interface thus stay one interface, and different ones are told apart as far as files tell.
final class InterfaceNumbers {
    /// Interfaces that get a number.
    static let limit = 65_536

    struct Kind: Hashable {
        /// A hash of the name; 0 for none.
        var name: UInt64 = 0
        let link: UInt16
    }

    private struct Key: Hashable {
        let kind: Kind
        let place: Int
    }

    private var numbers: [Key: UInt32] = [:]

    /// - Parameter place: how many of this kind stood before it in its section.
    /// - Returns: nil when there are too many.
    func number(_ kind: Kind, place: Int) -> UInt32? {
        let key = Key(kind: kind, place: place)
        if let known = numbers[key] { return known }
        guard numbers.count < Self.limit else { return nil }
        let number = UInt32(numbers.count)
        numbers[key] = number
        return number
    }
}
