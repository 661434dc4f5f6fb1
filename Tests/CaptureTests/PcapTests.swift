import Capture
import Glibc
import Linux
import Support
import Testing

@Suite struct PcapTests {
    @Test(arguments: [false, true], PcapWriter.Variant.allCases)
    func everyByteOrderAndResolution(isBigEndian: Bool, variant: PcapWriter.Variant) throws {
        let tick: Int64 = variant == .nano ? 1 : 1000
        var file = PcapWriter(variant, isBigEndian: isBigEndian, link: 113)
        file.record([1, 2, 3], seconds: 1_700_000_000, fraction: 123_456, wire: 60)
        file.record([])
        file.record([4], seconds: .max, fraction: .max)
        let link = LinkType(rawValue: 113)
        let frames = [
            Seen(
                info: FrameInfo(time: 1_700_000_000_000_000_000 + 123_456 * tick, wireLength: 60, link: link),
                bytes: [1, 2, 3]
            ),
            Seen(info: FrameInfo(time: 0, wireLength: 0, link: link), bytes: []),
            Seen(
                info: FrameInfo(time: 4_294_967_295 * (1_000_000_000 + tick), wireLength: 1, link: link),
                bytes: [4]
            ),
        ]
        for chunk in [1, 7, 4096] {
            let reading = try Reading(file.bytes, chunk: chunk)
            #expect(reading.error == nil)
            #expect(reading.frames == frames)
        }
        #expect(try Reading(file.bytes).frames == frames)
    }

    @Test func theCheckSequenceIsCutOff() throws {
        // Two pairs of bytes, and the bit that says so.
        var file = PcapWriter(link: 0x2400_0001)
        file.record([1, 2, 3, 4, 5, 6])
        file.record([1, 2, 3], wire: 8)
        file.record([1, 2, 3], wire: 6)
        file.record([1, 2])
        let reading = try Reading(file.bytes)
        #expect(reading.frames.map(\.bytes) == [[1, 2], [1, 2, 3], [1, 2], []])
        #expect(reading.frames.map(\.info.wireLength) == [2, 4, 2, 0])
        #expect(reading.frames.allSatisfy { $0.info.link == .ethernet })
    }

    @Test func withoutItsBitThereIsNoCheckSequence() throws {
        var file = PcapWriter(link: 0x2000_0001)
        file.record([1, 2, 3, 4, 5, 6])
        #expect(try Reading(file.bytes).frames.map(\.bytes.count) == [6])
    }

    @Test(arguments: [(UInt16(1), true), (2, true), (3, true), (3, false), (4, false)])
    func oldVersionsHaveTheirLengthsInTheOtherOrder(minor: UInt16, isSwapped: Bool) throws {
        var file = PcapWriter(minor: minor)
        file.record([1, 2, 3], captured: isSwapped ? 60 : 3, wire: isSwapped ? 3 : 60)
        let reading = try Reading(file.bytes)
        #expect(reading.error == nil)
        #expect(reading.frames.map(\.bytes) == [[1, 2, 3]])
        #expect(reading.frames.map(\.info.wireLength) == [60])
    }

    @Test func aSnapLengthMayLieAndAFrameHadWhatWasCaptured() throws {
        var file = PcapWriter(snapLength: 2)
        file.record([1, 2, 3], wire: 1)
        let reading = try Reading(file.bytes)
        #expect(reading.error == nil)
        #expect(reading.frames == [Seen(info: FrameInfo(time: 0, wireLength: 3), bytes: [1, 2, 3])])
    }

    @Test func framesLargerThanWindowAndBufferAreRead() throws {
        var file = PcapWriter()
        let large = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0) }
        let frames: [[UInt8]] = [[1], large, [2], large.reversed()]
        for frame in frames { file.record(frame) }
        for reading in [try Reading(file.bytes, chunk: 4096), try Reading(file.bytes, window: 4096)] {
            #expect(reading.error == nil)
            #expect(reading.frames.map(\.bytes) == frames)
        }
    }

    @Test func recordsStraddleWindowsAnywhere() throws {
        var random = SeededGenerator(seed: 0x57ad)
        var file = PcapWriter()
        var frames: [[UInt8]] = []
        for number in 0..<3000 {
            let frame = [UInt8](
                repeating: UInt8(truncatingIfNeeded: number),
                count: .random(in: 0...90, using: &random)
            )
            frames.append(frame)
            file.record(frame, seconds: UInt32(number))
        }
        for window in [4096, 8192, 65536, CaptureReader.window] {
            let reading = try Reading(file.bytes, window: window)
            #expect(reading.error == nil)
            #expect(reading.frames.map(\.bytes) == frames)
            #expect(reading.frames.indices.allSatisfy { reading.frames[$0].info.time == Int64($0) * 1_000_000_000 })
        }
    }

    @Test func aCutAnywhereIsNamedAndKeepsWhatCameBefore() throws {
        var file = PcapWriter()
        file.record([1, 2, 3])
        let second = file.bytes.count
        file.record([4, 5])
        for length in 0..<file.bytes.count {
            let start = Array(file.bytes.prefix(length))
            let reading = try Reading(start)
            #expect(try Reading(start, chunk: 4096) == reading)
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
        var file = PcapWriter()
        file.record([1])
        let offset = UInt64(file.bytes.count)
        file.record([], captured: UInt32(CaptureReader.longestRecord) + 1)
        let reading = try Reading(file.bytes)
        #expect(try Reading(file.bytes, chunk: 4096) == reading)
        #expect(reading.frames.count == 1)
        let error = try #require(reading.error)
        #expect(error.reason == .tooLong(UInt32(CaptureReader.longestRecord) + 1))
        #expect(error.offset == offset)
        #expect(error.frames == 1)
        #expect(error.description.hasPrefix("memory: corrupt at byte \(offset), after 1 frames"))
    }

    @Test func theLongestRecordIsRead() throws {
        var file = PcapWriter()
        file.record([1])
        file.record([UInt8](repeating: 9, count: CaptureReader.longestRecord))
        file.record([2])
        for reading in [try Reading(file.bytes, chunk: 1 << 20), try Reading(file.bytes)] {
            #expect(reading.error == nil)
            #expect(reading.frames.map(\.bytes.count) == [1, CaptureReader.longestRecord, 1])
        }
    }

    @Test func aDescriptorIsReadFromWhereItStands() throws {
        var file = PcapWriter()
        file.record([1, 2, 3])
        for lead in [1, 4095, 4096, 5000] {
            let descriptor = try Reading.file([UInt8](repeating: 7, count: lead) + file.bytes)
            lseek(descriptor.rawValue, lead, SEEK_SET)
            var reader = try CaptureReader(descriptor, path: "memory", window: 4096)
            #expect(try reader.next() != nil)
            #expect(copy(reader.bytes) == [1, 2, 3])
            #expect(try reader.next() == nil)
            #expect(try reader.next() == nil)
        }
    }

    @Test func otherFormatsAreNamed() throws {
        #expect(try Reading(Array("snoop\0\0\0".utf8)).error?.reason == .notACapture)
        #expect(try Reading([]).error?.reason == .notACapture)
        #expect(
            try Reading(PcapWriter(major: 3).bytes).error?.reason == .version(format: "pcap", major: 3, minor: 4)
        )
        #expect(
            try Reading(PcapWriter(isBigEndian: true, major: 1).bytes).error?.reason
                == .version(format: "pcap", major: 1, minor: 4)
        )
    }

    @Test func aMissingFileIsNamed() {
        let error = Reading(path: "/nonexistent/weir.pcap").error
        #expect(error?.reason == .system(SystemError("open", Errno(rawValue: ENOENT))))
        #expect(error?.description.contains("/nonexistent/weir.pcap") == true)
    }

    @Test func aFolderIsNoCapture() {
        #expect(Reading(path: "/tmp").error?.reason == .system(SystemError("read", Errno(rawValue: EISDIR))))
    }

    @Test func flippedBitsNeverCrash() throws {
        var random = SeededGenerator(seed: 0xf11b)
        var file = PcapWriter()
        for length in [60, 1, 1500, 0, 200] { file.record([UInt8](repeating: 1, count: length)) }
        for _ in 0..<2000 {
            var bytes = file.bytes
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            let reading = try Reading(bytes, window: 4096)
            #expect(try Reading(bytes, chunk: 4096) == reading)
            // Either all bytes went into frames, or the error tells where it stopped.
            if let error = reading.error {
                #expect(error.frames == UInt64(reading.frames.count))
            } else {
                #expect(!reading.frames.isEmpty)
            }
        }
    }
}
