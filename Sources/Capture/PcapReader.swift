import Glibc
public import Linux

/// Reads a capture in the classic pcap format, one frame after another, in a buffer of bounded size.
///
/// Understood are micro- and nanosecond files of both byte orders, and the records of the "modified" format (magic
/// 0xA1B2CD34). Source: draft-ietf-opsawg-pcap.
public struct PcapReader: ~Copyable {
    /// What every frame of the file starts with.
    public let link: LinkType
    /// Frames read so far.
    public private(set) var frames: UInt64 = 0

    private let format: Format
    private var input: InputBuffer
    private var current = 0..<0

    /// Records that claim to be longer end the reading.
    public static let longestRecord = 16 << 20

    /// Opens a file; "-" is standard input.
    public init(path: String) throws(CaptureFileError) {
        let file: Descriptor
        do throws(SystemError) {
            if path == "-" {
                file = Descriptor(owning: try check("dup(standard input)") { dup(STDIN_FILENO) })
            } else {
                file = Descriptor(owning: try check("open(\(path))") { unsafe open(path, O_RDONLY | O_CLOEXEC) })
            }
        } catch {
            throw CaptureFileError(.system(error), offset: 0, frames: 0)
        }
        try self.init(file)
    }

    /// Reads from a descriptor of any kind, from where it stands.
    public init(_ file: consuming Descriptor) throws(CaptureFileError) {
        var input = InputBuffer(file)
        let header: (format: Format, link: LinkType)
        do throws(CaptureFileError.Reason) {
            header = try Format.read(&input)
        } catch {
            throw CaptureFileError(error, offset: 0, frames: 0)
        }
        format = header.format
        link = header.link
        self.input = input
    }

    /// Reads the next frame; its bytes are then `bytes`.
    /// - Returns: nil at the end of the file.
    /// - Throws: `CaptureFileError` where the file is cut or makes no sense. What was read before stays true.
    public mutating func next() throws(CaptureFileError) -> FrameInfo? {
        let offset = input.offset
        do throws(CaptureFileError.Reason) {
            return try readRecord()
        } catch {
            current = 0..<0
            throw CaptureFileError(error, offset: offset, frames: frames)
        }
    }

    /// The captured bytes of the last frame, from its link header on; empty before the first.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get { input.bytes(current) }
    }

    private mutating func readRecord() throws(CaptureFileError.Reason) -> FrameInfo? {
        let size = format.recordHeader
        let header = try input.take(size)
        if header.isEmpty { return nil }
        guard header.count == size else { throw .cut(missing: size - header.count) }
        let (captured, wireLength) = format.lengths(input, at: header.lowerBound + 8)
        guard captured <= UInt32(Self.longestRecord) else { throw .recordTooLong(captured) }
        let fraction = format.word(input, at: header.lowerBound + 4)
        let info = FrameInfo(
            time: Int64(format.word(input, at: header.lowerBound)) * 1_000_000_000 + Int64(fraction) * format.tick,
            wireLength: wireLength,
            link: link
        )
        let frame = try input.take(Int(captured))
        guard frame.count == Int(captured) else { throw .cut(missing: Int(captured) - frame.count) }
        current = frame
        frames += 1
        return info
    }
}

/// How the numbers of a file are written.
private struct Format {
    let isBigEndian: Bool
    /// Nanoseconds in one unit of a record's fraction.
    let tick: Int64
    let recordHeader: Int
    /// Of version 2.
    var minor: UInt16 = 4

    /// Reads the file header.
    static func read(_ input: inout InputBuffer) throws(CaptureFileError.Reason) -> (format: Format, link: LinkType) {
        let magicBytes = try input.take(4)
        guard magicBytes.count == 4 else { throw .notACapture }
        var format: Format
        switch input.word(magicBytes.lowerBound) {
        case 0xa1b2_c3d4: format = Format(isBigEndian: false, tick: 1000, recordHeader: 16)
        case 0xd4c3_b2a1: format = Format(isBigEndian: true, tick: 1000, recordHeader: 16)
        case 0xa1b2_3c4d: format = Format(isBigEndian: false, tick: 1, recordHeader: 16)
        case 0x4d3c_b2a1: format = Format(isBigEndian: true, tick: 1, recordHeader: 16)
        // Interface, protocol and packet type follow the lengths of a record.
        case 0xa1b2_cd34: format = Format(isBigEndian: false, tick: 1000, recordHeader: 24)
        case 0x34cd_b2a1: format = Format(isBigEndian: true, tick: 1000, recordHeader: 24)
        case 0x0a0d_0d0a: throw .pcapng
        case let magic where magic & 0xffff == 0x8b1f: throw .compressed
        default: throw .notACapture
        }
        let rest = try input.take(20)
        guard rest.count == 20 else { throw .cut(missing: 20 - rest.count) }
        let versions = format.word(input, at: rest.lowerBound)
        let major = UInt16(truncatingIfNeeded: format.isBigEndian ? versions >> 16 : versions)
        let minor = UInt16(truncatingIfNeeded: format.isBigEndian ? versions : versions >> 16)
        guard major == 2 else { throw .version(major: major, minor: minor) }
        format.minor = minor
        // The upper half tells of a frame check sequence.
        return (format, LinkType(rawValue: UInt16(truncatingIfNeeded: format.word(input, at: rest.lowerBound + 16))))
    }

    /// The two lengths of a record. Before version 2.3 they stood in the other order, in 2.3 in either.
    func lengths(_ input: borrowing InputBuffer, at offset: Int) -> (captured: UInt32, wire: UInt32) {
        let (first, second) = (word(input, at: offset), word(input, at: offset + 4))
        return minor < 3 || minor == 3 && first > second ? (second, first) : (first, second)
    }

    func word(_ input: borrowing InputBuffer, at offset: Int) -> UInt32 {
        isBigEndian ? input.word(offset).byteSwapped : input.word(offset)
    }
}
