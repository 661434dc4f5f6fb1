import Capture
import Glibc
import Linux
import Support
import Testing

/// A pcap file, field by field.
struct PcapImage {
    var bytes: [UInt8] = []
    let isBigEndian: Bool
    let isModified: Bool

    init(
        magic: UInt32 = 0xa1b2_c3d4,
        isBigEndian: Bool = false,
        major: UInt16 = 2,
        minor: UInt16 = 4,
        link: UInt32 = 1
    ) {
        self.isBigEndian = isBigEndian
        isModified = magic == 0xa1b2_cd34
        put(magic)
        put(major)
        put(minor)
        put(UInt32(0))  // zone
        put(UInt32(0))  // accuracy
        put(UInt32(65535))  // snap length
        put(link)
    }

    mutating func put(_ value: some FixedWidthInteger) {
        let value = isBigEndian ? value.bigEndian : value.littleEndian
        unsafe withUnsafeBytes(of: value) { bytes += unsafe Array($0) }
    }

    mutating func record(
        _ frame: [UInt8],
        seconds: UInt32 = 0,
        fraction: UInt32 = 0,
        captured: UInt32? = nil,
        wire: UInt32? = nil
    ) {
        put(seconds)
        put(fraction)
        put(captured ?? UInt32(frame.count))
        put(wire ?? UInt32(frame.count))
        if isModified { bytes += [2, 0, 0, 0, 0x08, 0, 0, 0] }  // interface, protocol, packet type
        bytes += frame
    }
}

/// Everything a reader gives, and how it ended.
struct Reading: Equatable {
    var link: LinkType?
    var frames: [Seen] = []
    var error: CaptureFileError?

    /// Reads bytes through a pipe, so in pieces as small as `chunk`.
    init(_ bytes: [UInt8], chunk: Int = 4096) throws {
        var ends: [Int32] = [0, 0]
        try check("pipe") { unsafe pipe(&ends) }
        let input = Descriptor(owning: ends[0])
        let output = Descriptor(owning: ends[1])
        let writer = try Worker(name: "writer", owning: output) { (output: consuming Descriptor) in
            var rest = bytes[...]
            while !rest.isEmpty {
                let sent = unsafe rest.prefix(chunk).withUnsafeBytes {
                    unsafe write(output.rawValue, $0.baseAddress, $0.count)
                }
                if sent <= 0 { break }
                rest = rest.dropFirst(sent)
            }
        }
        read(input)
        writer.join()
    }

    init(path: String) {
        do throws(CaptureFileError) {
            var reader = try PcapReader(path: path)
            read(&reader)
        } catch {
            self.error = error
        }
    }

    private mutating func read(_ file: consuming Descriptor) {
        do throws(CaptureFileError) {
            var reader = try PcapReader(file)
            read(&reader)
        } catch {
            self.error = error
        }
    }

    private mutating func read(_ reader: inout PcapReader) {
        link = reader.link
        do throws(CaptureFileError) {
            while let info = try reader.next() {
                frames.append(Seen(info: info, bytes: copy(reader.bytes)))
            }
        } catch {
            self.error = error
        }
        #expect(reader.frames == UInt64(frames.count))
    }
}

@Suite struct PcapReaderTests {
    @Test(arguments: [false, true], [(0xa1b2_c3d4 as UInt32, 1000 as Int64), (0xa1b2_3c4d, 1), (0xa1b2_cd34, 1000)])
    func everyByteOrderAndResolution(isBigEndian: Bool, format: (magic: UInt32, tick: Int64)) throws {
        var image = PcapImage(magic: format.magic, isBigEndian: isBigEndian, link: 113)
        image.record([1, 2, 3], seconds: 1_700_000_000, fraction: 123_456, wire: 60)
        image.record([])
        image.record([4], seconds: .max, fraction: .max)
        let link = LinkType(rawValue: 113)
        for chunk in [1, 7, 4096] {
            let reading = try Reading(image.bytes, chunk: chunk)
            #expect(reading.error == nil)
            #expect(reading.link == link)
            #expect(
                reading.frames == [
                    Seen(
                        info: FrameInfo(
                            time: 1_700_000_000_000_000_000 + 123_456 * format.tick,
                            wireLength: 60,
                            link: link
                        ),
                        bytes: [1, 2, 3]
                    ),
                    Seen(info: FrameInfo(time: 0, wireLength: 0, link: link), bytes: []),
                    Seen(
                        info: FrameInfo(
                            time: 4_294_967_295 * (1_000_000_000 + format.tick),
                            wireLength: 1,
                            link: link
                        ),
                        bytes: [4]
                    ),
                ]
            )
        }
    }

    @Test func aFrameCheckSequenceIsNoPartOfTheLinkType() throws {
        let image = PcapImage(link: 0x2400_0001)
        #expect(try Reading(image.bytes).link == .ethernet)
    }

    @Test(arguments: [(UInt16(1), true), (2, true), (3, true), (3, false), (4, false)])
    func oldVersionsHaveTheirLengthsInTheOtherOrder(minor: UInt16, isSwapped: Bool) throws {
        var image = PcapImage(minor: minor)
        image.record([1, 2, 3], captured: isSwapped ? 60 : 3, wire: isSwapped ? 3 : 60)
        let reading = try Reading(image.bytes)
        #expect(reading.error == nil)
        #expect(reading.frames.map(\.bytes) == [[1, 2, 3]])
        #expect(reading.frames.map(\.info.wireLength) == [60])
    }

    @Test func framesLargerThanTheBufferAreRead() throws {
        var image = PcapImage()
        let large = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0) }
        image.record([1])
        image.record(large)
        image.record([2])
        image.record(Array(large.reversed()))
        let reading = try Reading(image.bytes)
        #expect(reading.error == nil)
        #expect(reading.frames.map(\.bytes) == [[1], large, [2], large.reversed()])
    }

    @Test func aCutAnywhereIsNamedAndKeepsWhatCameBefore() throws {
        var image = PcapImage()
        image.record([1, 2, 3])
        let second = image.bytes.count
        image.record([4, 5])
        for length in 0..<image.bytes.count {
            let reading = try Reading(Array(image.bytes.prefix(length)))
            if length == 24 || length == second {
                #expect(reading.error == nil)
                continue
            }
            let error = try #require(reading.error, "\(length)")
            switch length {
            case ..<4:
                #expect(error.reason == .notACapture)
            case ..<24:
                #expect(error.reason == .cut(missing: 24 - length))
            default:
                let start = length < second ? 24 : second
                let frame = length < second ? 3 : 2
                let done = length - start
                #expect(error.reason == .cut(missing: done < 16 ? 16 - done : 16 + frame - done))
                #expect(error.offset == UInt64(start))
                #expect(error.frames == UInt64(reading.frames.count))
                #expect(reading.frames.count == (length < second ? 0 : 1))
            }
        }
    }

    @Test func aHugeRecordIsRefused() throws {
        var image = PcapImage()
        image.record([1])
        let offset = UInt64(image.bytes.count)
        image.record([], captured: UInt32(PcapReader.longestRecord) + 1)
        let reading = try Reading(image.bytes)
        #expect(reading.frames.count == 1)
        let error = try #require(reading.error)
        #expect(error.reason == .recordTooLong(UInt32(PcapReader.longestRecord) + 1))
        #expect(error.offset == offset)
        #expect(error.frames == 1)
        #expect(error.description.contains("at byte \(offset), after 1 frames"))
    }

    @Test func theLongestRecordIsRead() throws {
        var image = PcapImage()
        image.record([UInt8](repeating: 9, count: PcapReader.longestRecord))
        let reading = try Reading(image.bytes, chunk: 1 << 20)
        #expect(reading.error == nil)
        #expect(reading.frames.map(\.bytes.count) == [PcapReader.longestRecord])
    }

    @Test func otherFormatsAreNamed() throws {
        #expect(try Reading([0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0]).error?.reason == .pcapng)
        #expect(try Reading([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).error?.reason == .compressed)
        #expect(try Reading(Array("snoop\0\0\0".utf8)).error?.reason == .notACapture)
        #expect(try Reading([]).error?.reason == .notACapture)
        #expect(try Reading(PcapImage(major: 3).bytes).error?.reason == .version(major: 3, minor: 4))
        #expect(
            try Reading(PcapImage(isBigEndian: true, major: 1).bytes).error?.reason == .version(major: 1, minor: 4)
        )
    }

    @Test func aMissingFileIsNamed() {
        let error = Reading(path: "/nonexistent/weir.pcap").error
        #expect(error?.reason == .system(SystemError("open(/nonexistent/weir.pcap)", Errno(rawValue: ENOENT))))
    }

    @Test func flippedBitsNeverCrash() throws {
        var random = SeededGenerator(seed: 0xf11b)
        var image = PcapImage()
        for length in [60, 1, 1500, 0, 200] { image.record([UInt8](repeating: 1, count: length)) }
        for _ in 0..<2000 {
            var bytes = image.bytes
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            let reading = try Reading(bytes)
            let read = reading.frames.reduce(24) { $0 + 16 + $1.bytes.count }
            // Either all bytes went into frames, or the error tells where it stopped.
            if let error = reading.error {
                #expect(error.offset == (reading.link == nil ? 0 : UInt64(read)))
            } else {
                #expect(read == bytes.count)
            }
        }
    }
}
