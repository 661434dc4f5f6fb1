import Glibc
public import Linux

/// Reads a capture file, one frame after another: pcap and pcapng in all their variants, each of them plain or packed with
/// gzip. Its first bytes say which.
///
/// Plain files are mapped a window at a time; pipes and packed files pass through a buffer. Frames are read where they
/// lie: nothing is allocated or copied for one. Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
// Sendable: it cannot be copied, so one thread at a time reads; `numbers` is shared with nobody but readers of one merge.
@safe
public struct CaptureReader: ~Copyable, @unchecked Sendable {
    /// Where the bytes come from; "-" for standard input.
    public let path: String
    /// Frames read so far.
    public internal(set) var frames: UInt64 = 0

    var input: CaptureInput
    /// The bytes of the last frame.
    var frame: UnsafeRawPointer
    var frameCount = 0

    /// Words stand in the other byte order than this machine's.
    var isSwapped = false
    private let isPcapng: Bool
    private let records: RecordFormat
    /// The only one of a pcap file.
    private var interface = CaptureInterface(number: 0, link: .unknown)
    /// Of the section of a pcapng file that is read.
    var interfaces = CaptureInterfaces()
    /// How many of each kind of interface the section has.
    var kinds: [InterfaceNumbers.Kind: Int] = [:]
    let numbers: InterfaceNumbers
    /// The time of the last frame: what a frame without time gets.
    var lastTime: Int64 = 0

    /// Bytes in a record or block; one that claims more ends the reading.
    public static let longestRecord = 16 << 20
    /// Bytes of a file that are mapped at a time.
    public static let window = 16 << 20

    /// Opens a file; "-" is standard input.
    public init(path: String) throws(CaptureFileError) {
        try self.init(path: path, window: Self.window, numbers: InterfaceNumbers())
    }

    /// Reads from a descriptor of any kind, from where it stands.
    /// - Parameters:
    ///   - path: what errors call it.
    ///   - window: bytes of a regular file to map at a time. More are mapped for a record that is longer.
    public init(_ file: consuming Descriptor, path: String, window: Int = window) throws(CaptureFileError) {
        try self.init(file, path: path, window: window, numbers: InterfaceNumbers())
    }

    init(path: String, window: Int, numbers: InterfaceNumbers) throws(CaptureFileError) {
        let file: Descriptor
        do throws(SystemError) {
            file = try Descriptor(reading: path)
        } catch {
            throw CaptureFileError(.system(error), file: path)
        }
        try self.init(file, path: path, window: window, numbers: numbers)
    }

    init(
        _ file: consuming Descriptor,
        path: String,
        window: Int,
        numbers: InterfaceNumbers
    ) throws(CaptureFileError) {
        var input = CaptureInput(file, window: window)
        let records: RecordFormat?
        do throws(CaptureFileError.Reason) {
            try input.start()
            records = try RecordFormat(&input)
            if let records { interface = try records.interface(numbers) }
        } catch {
            throw CaptureFileError(error, file: path)
        }
        unsafe frame = unsafe input.cursor
        self.input = input
        self.path = path
        self.numbers = numbers
        isPcapng = records == nil
        self.records = records ?? RecordFormat()
        isSwapped = self.records.isSwapped
    }

    /// Reads the next frame; its bytes are then `bytes`.
    ///
    /// A call for each frame costs about 2 ns more than a loop that becomes one with its body.
    /// - Returns: nil at the end of the file.
    /// - Throws: `CaptureFileError` where the file is cut or makes no sense. What was read before stays true.
    public mutating func next() throws(CaptureFileError) -> FrameInfo? {
        isPcapng ? try nextBlock() : try nextRecord()
    }

    /// The captured bytes of the last frame, from its link header on and without its check sequence, until the next is
    /// read; empty before the first and behind the last.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        @inline(__always)
        get {
            let span = unsafe RawSpan(_unsafeStart: frame, byteCount: frameCount)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}

// MARK: - Parts that both formats use

extension CaptureReader {
    /// A word at a place that is known to lie in memory, counted from the next byte.
    @inline(__always)
    func word(_ place: Int) -> UInt32 {
        let word = unsafe input.cursor.loadUnaligned(fromByteOffset: place, as: UInt32.self)
        return isSwapped ? word.byteSwapped : word
    }

    @inline(__always)
    func half(_ place: Int) -> UInt16 {
        let half = unsafe input.cursor.loadUnaligned(fromByteOffset: place, as: UInt16.self)
        return isSwapped ? half.byteSwapped : half
    }

    /// Brings `count` bytes into memory.
    /// - Returns: false at the end of the file.
    @inline(never)
    mutating func reach(_ count: Int) throws(CaptureFileError) -> Bool {
        let hasAll: Bool
        do throws(CaptureFileError.Reason) {
            hasAll = try input.fill(count)
        } catch {
            throw failure(error)
        }
        if hasAll { return true }
        if input.available == 0 {
            // The bytes may have gone with their window.
            frameCount = 0
            return false
        }
        throw failure(.cut(missing: count - input.available))
    }

    /// Goes behind a record or block with a frame in it.
    @inline(__always)
    mutating func take(_ size: Int, frame start: Int, _ lengths: FrameLengths) {
        unsafe frame = unsafe input.cursor + start
        frameCount = Int(lengths.captured)
        unsafe input.cursor += size
        input.prefetch()
        frames &+= 1
    }

    /// An error at the record or block that comes next.
    @inline(never)
    mutating func failure(_ reason: CaptureFileError.Reason) -> CaptureFileError {
        frameCount = 0
        return CaptureFileError(reason, file: path, offset: input.offset, frames: frames)
    }
}

/// Bytes of a frame, captured and on the wire, without its check sequence.
struct FrameLengths {
    var captured: UInt32
    /// Never less than captured: what is there was there.
    var wire: UInt32

    @inline(__always)
    init(_ captured: UInt32, _ wire: UInt32, check: UInt32) {
        let wire = max(captured, wire)
        self.wire = wire &- min(check, wire)
        self.captured = min(captured, self.wire)
    }
}

// MARK: - pcap

/// How a pcap file is written. Source: draft-ietf-opsawg-pcap section 4.
private struct RecordFormat {
    var isSwapped = false
    /// Nanoseconds in one unit of a record's fraction.
    var tick: Int64 = 1000
    var header = 16
    /// Of version 2.
    var minor: UInt16 = 4
    var link: UInt32 = 0

    init() {}

    /// Reads the header of a file, if it is one of pcap.
    /// - Returns: nil for pcapng, of which nothing is taken.
    init?(_ input: inout CaptureInput) throws(CaptureFileError.Reason) {
        guard try input.fill(4) else { throw .notACapture }
        switch unsafe input.cursor.loadUnaligned(as: UInt32.self).littleEndian {
        case 0xa1b2_c3d4: break
        case 0xd4c3_b2a1: isSwapped = true
        case 0xa1b2_3c4d: tick = 1
        case 0x4d3c_b2a1: (tick, isSwapped) = (1, true)
        // The "modified" format: interface, protocol and packet type follow the lengths of a record.
        case 0xa1b2_cd34: header = 24
        case 0x34cd_b2a1: (header, isSwapped) = (24, true)
        case 0x0a0d_0d0a: return nil
        default: throw .notACapture
        }
        guard try input.fill(24) else { throw .cut(missing: 24 - input.available) }
        func word(_ place: Int) -> UInt32 {
            let word = unsafe input.cursor.loadUnaligned(fromByteOffset: place, as: UInt32.self)
            return isSwapped ? word.byteSwapped : word
        }
        let versions = word(4)
        let major = UInt16(truncatingIfNeeded: isSwapped ? versions >> 16 : versions)
        minor = UInt16(truncatingIfNeeded: isSwapped ? versions : versions >> 16)
        guard major == 2 else { throw .version(format: "pcap", major: major, minor: minor) }
        link = word(20)
        unsafe input.cursor += 24
    }

    /// Bytes of frame check sequence on each frame: the upper four bits count pairs of them if the P bit is set.
    var checkLength: UInt32 { link & 0x0400_0000 == 0 ? 0 : (link >> 28) * 2 }

    /// The one interface of the file.
    func interface(_ numbers: InterfaceNumbers) throws(CaptureFileError.Reason) -> CaptureInterface {
        let link = LinkType(rawValue: UInt16(truncatingIfNeeded: self.link))
        guard let number = numbers.number(InterfaceNumbers.Kind(link: link.rawValue), place: 0) else {
            throw .tooManyInterfaces
        }
        return CaptureInterface(number: number, link: link, checkLength: checkLength)
    }

    /// Before version 2.3 the lengths stood in the other order, in 2.3 in either.
    func isReversed(_ captured: UInt32, _ wire: UInt32) -> Bool { minor < 3 || minor == 3 && captured > wire }
}

extension CaptureReader {
    @inline(__always)
    private mutating func nextRecord() throws(CaptureFileError) -> FrameInfo? {
        let header = records.header
        if input.available < header, try !reach(header) { return nil }
        var (captured, wire) = (word(8), word(12))
        if records.minor != 4, records.isReversed(captured, wire) { swap(&captured, &wire) }
        guard captured <= UInt32(Self.longestRecord) else { throw failure(.tooLong(captured)) }
        let size = header &+ Int(captured)
        if input.available < size { _ = try reach(size) }
        // Two 32-bit numbers, of seconds and at most microseconds, fit.
        let time = Int64(word(0)) &* 1_000_000_000 &+ Int64(word(4)) &* records.tick
        let interface = interface
        let lengths = FrameLengths(captured, wire, check: interface.checkLength)
        take(size, frame: header, lengths)
        return FrameInfo(time: time, wireLength: lengths.wire, interface: interface.number, link: interface.link)
    }
}

extension Descriptor {
    /// Opens a file for reading; "-" is standard input.
    fileprivate init(reading path: String) throws(SystemError) {
        if path == "-" {
            self.init(owning: try check("dup(standard input)") { dup(STDIN_FILENO) })
        } else {
            self.init(owning: try check("open") { unsafe open(path, O_RDONLY | O_CLOEXEC) })
        }
    }
}
