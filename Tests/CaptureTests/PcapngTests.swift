import Capture
import Support
import Testing

@Suite struct PcapngTests {
    /// One section with one interface.
    private func file(
        isBigEndian: Bool = false,
        snapLength: UInt32 = 0,
        options: [PcapngWriter.Option] = []
    ) -> PcapngWriter {
        var file = PcapngWriter()
        file.section(isBigEndian: isBigEndian)
        file.interface(snapLength: snapLength, options: options)
        return file
    }

    /// Reads a file mapped and through a pipe, which must not differ.
    private func read(_ file: PcapngWriter) throws -> Reading {
        let reading = try Reading(file.bytes, window: 4096)
        #expect(try Reading(file.bytes, chunk: 4096) == reading)
        return reading
    }

    @Test(arguments: [false, true]) func everyKindOfPacketBlock(isBigEndian: Bool) throws {
        var file = file(isBigEndian: isBigEndian, snapLength: 4)
        file.otherBlocks()
        file.packet([1, 2, 3], time: 1_700_000_000_123_456, wire: 60, options: [.comment("odd")])
        file.obsoletePacket([4, 5, 6, 7, 8], drops: 3, time: 1_700_000_001_000_000)
        file.simplePacket([9])
        file.simplePacket([1, 2, 3, 4], wire: 1500)
        file.packet([])
        let reading = try read(file)
        #expect(reading.error == nil)
        #expect(
            reading.frames == [
                Seen(info: FrameInfo(time: 1_700_000_000_123_456_000, wireLength: 60), bytes: [1, 2, 3]),
                Seen(info: FrameInfo(time: 1_700_000_001_000_000_000, wireLength: 5), bytes: [4, 5, 6, 7, 8]),
                Seen(info: FrameInfo(time: 1_700_000_001_000_000_000, wireLength: 1), bytes: [9]),
                Seen(info: FrameInfo(time: 1_700_000_001_000_000_000, wireLength: 1500), bytes: [1, 2, 3, 4]),
                Seen(info: FrameInfo(time: 0, wireLength: 0), bytes: []),
            ]
        )
    }

    @Test func sectionsChangeByteOrderAndForgetInterfaces() throws {
        var file = PcapngWriter()
        file.section()
        file.interface(link: 113)
        file.interface(link: 101, options: [.resolution(9)])
        file.packet([1], interface: 1, time: 5)
        file.packet([2], interface: 0, time: 5)
        file.section(isBigEndian: true, minor: 2, length: 72, options: [.comment("second")])
        file.interface(link: 101)
        file.packet([3], time: 5)
        file.section()
        file.packet([4])
        let reading = try read(file)
        #expect(reading.frames.map(\.bytes) == [[1], [2], [3]])
        #expect(reading.frames.map(\.info.link.rawValue) == [101, 113, 101])
        #expect(reading.frames.map(\.info.time) == [5, 5000, 5000])
        // The second section's interface is what the first section's of the same link type was.
        #expect(reading.frames.map(\.info.interface) == [1, 0, 1])
        #expect(reading.error?.reason == .noInterface(0, known: 0))
        #expect(reading.error?.frames == 3)
    }

    @Test func interfacesAreKnownByTheirNames() throws {
        var file = PcapngWriter()
        file.section()
        for name in ["eth0", "eth1", "eth0", ""] { file.interface(options: name.isEmpty ? [] : [.name(name)]) }
        for interface in 0..<4 { file.packet([], interface: UInt32(interface)) }
        file.section()
        for name in ["eth1", "eth0", "eth2", "eth0\0"] { file.interface(options: [.name(name)]) }
        for interface in 0..<4 { file.packet([], interface: UInt32(interface)) }
        let reading = try read(file)
        #expect(reading.error == nil)
        #expect(reading.frames.map(\.info.interface) == [0, 1, 2, 3, 1, 0, 4, 2])
    }

    struct Moment: Sendable {
        var resolution: UInt8
        var units: UInt64
        /// Seconds.
        var offset: Int64
        /// Nanoseconds.
        var time: Int64

        init(_ resolution: UInt8, _ units: UInt64, _ offset: Int64, is time: Int64) {
            self.resolution = resolution
            self.units = units
            self.offset = offset
            self.time = time
        }

        static let all: [Moment] = [
            Moment(6, 1_700_000_000_123_456, 0, is: 1_700_000_000_123_456_000),
            Moment(0, 1_700_000_000, 0, is: 1_700_000_000_000_000_000),
            Moment(3, 1_700_000_000_123, -1, is: 1_699_999_999_123_000_000),
            Moment(9, 5, 1_700_000_000, is: 1_700_000_000_000_000_005),
            Moment(12, 1_700_000_000_999, 0, is: 1_700_000_000),
            Moment(28, .max, 0, is: 1),
            Moment(29, .max, 0, is: 0),
            Moment(127, .max, 0, is: 0),
            Moment(0x80, 7, 0, is: 7_000_000_000),
            Moment(0x80 | 10, 1536, 0, is: 1_500_000_000),
            Moment(0x80 | 30, 1 << 40 | 1 << 29, 2, is: 1_026_500_000_000),
            Moment(0x80 | 63, 1 << 63, 0, is: 1_000_000_000),
            Moment(0x80 | 127, .max, 0, is: 0),
            // Out of what 64 bits hold: the nearest that fits.
            Moment(6, .max, 0, is: .max),
            Moment(0, .max, 0, is: .max),
            Moment(9, .max, -1, is: .max - 1_000_000_000),
            Moment(0x80, .max, 0, is: .max),
            Moment(6, 0, .max, is: .max),
            Moment(6, 0, .min, is: .min),
            Moment(6, .max, .min, is: -1),
            Moment(9, 1 << 63 - 1, 1, is: .max),
        ]
    }

    @Test(arguments: Moment.all) func everyResolution(moment: Moment) throws {
        for isBigEndian in [false, true] {
            var file = PcapngWriter()
            file.section(isBigEndian: isBigEndian)
            file.interface(
                options: [.name("x"), .resolution(moment.resolution), file.timeOffset(moment.offset), .comment("y")]
            )
            file.packet([1], time: moment.units)
            let reading = try read(file)
            #expect(reading.error == nil)
            #expect(reading.frames.map(\.info.time) == [moment.time])
        }
    }

    @Test(arguments: [false, true]) func flagsTellDirectionAndCheckSequence(isBigEndian: Bool) throws {
        var file = file(isBigEndian: isBigEndian, options: [.checkLength(4)])
        let frame: [UInt8] = [1, 2, 3, 4, 5, 6]
        file.packet(frame)
        file.packet(frame, options: [file.flags(1)])
        file.packet(frame, options: [.comment("12345"), file.flags(2 | 2 << 5), .comment("after")])
        file.packet(frame, wire: 8, options: [file.flags(3)])
        file.obsoletePacket(frame, options: [file.flags(2)])
        file.simplePacket(frame)
        // The flags behind the end of the options do not count.
        file.packet(frame, options: [PcapngWriter.Option(0, []), file.flags(1)])
        // An option that is longer than its block ends the options.
        file.packet(frame, options: [PcapngWriter.Option(1, [1, 2, 3, 4], length: 60_000), file.flags(1)])
        let reading = try read(file)
        #expect(reading.error == nil)
        let directions = reading.frames.map(\.info.direction)
        #expect(directions == [.unknown, .incoming, .outgoing, .unknown, .outgoing, .unknown, .unknown, .unknown])
        #expect(reading.frames.map(\.bytes.count) == [2, 2, 4, 4, 2, 2, 2, 2])
        #expect(reading.frames.map(\.info.wireLength) == [2, 2, 4, 4, 2, 2, 2, 2])
    }

    @Test func aCutAnywhereIsNamedAndKeepsWhatCameBefore() throws {
        var file = PcapngWriter()
        var ends: [Int: Int] = [:]  // where a block ends, and the frames until there
        file.section(options: [.comment("x")])
        ends[file.bytes.count] = 0
        file.interface(options: [.name("lo"), .resolution(9)])
        ends[file.bytes.count] = 0
        file.packet([1, 2, 3], options: [file.flags(1)])
        ends[file.bytes.count] = 1
        file.simplePacket([4])
        ends[file.bytes.count] = 2
        for length in 4..<file.bytes.count {
            let reading = try Reading(Array(file.bytes.prefix(length)))
            #expect(try Reading(Array(file.bytes.prefix(length)), chunk: 4096) == reading)
            if let frames = ends[length] {
                #expect(reading.error == nil)
                #expect(reading.frames.count == frames)
                continue
            }
            let error = try #require(reading.error)
            let before = ends.filter { $0.key < length }
            #expect(error.offset == UInt64(before.keys.max() ?? 0))
            #expect(error.frames == UInt64(before.values.max() ?? 0))
            #expect(error.frames == UInt64(reading.frames.count))
            guard case .cut(let missing) = error.reason else {
                Issue.record("\(error)")
                continue
            }
            #expect(missing > 0)
        }
    }

    /// Reads two good packets with something wrong between them.
    private func error(_ wrong: (inout PcapngWriter) -> Void) throws -> CaptureFileError? {
        var file = file()
        file.packet([1, 2, 3, 4])
        let offset = file.bytes.count
        wrong(&file)
        file.packet([5, 6, 7, 8])
        let reading = try read(file)
        #expect(reading.frames.map(\.bytes) == [[1, 2, 3, 4]])
        #expect(reading.error?.frames == 1)
        #expect(reading.error?.offset == UInt64(offset))
        #expect(reading.error?.description.hasPrefix("memory: ") == true)
        #expect(reading.error?.description.contains("at byte \(offset), after 1 frames") == true)
        return reading.error
    }

    @Test func everyLieIsNamed() throws {
        let long = UInt32(CaptureReader.longestRecord) + 4
        #expect(try error { $0.block(6, [], start: 0) }?.reason == .blockTooShort(kind: 6, length: 0))
        #expect(try error { $0.block(99, [], start: 8) }?.reason == .blockTooShort(kind: 99, length: 8))
        #expect(try error { $0.block(99, [], end: 16) }?.reason == .lengthMismatch(start: 12, end: 16))
        #expect(try error { $0.block(99, [], start: long) }?.reason == .tooLong(long))
        #expect(try error { $0.block(99, [], start: .max) }?.reason == .tooLong(.max))
        #expect(try error { $0.block(6, [0, 0, 0, 0]) }?.reason == .blockTooShort(kind: 6, length: 16))
        #expect(try error { $0.block(2, [0, 0, 0, 0]) }?.reason == .blockTooShort(kind: 2, length: 16))
        #expect(try error { $0.block(3, []) }?.reason == .blockTooShort(kind: 3, length: 12))
        #expect(try error { $0.block(1, [1, 0, 0, 0]) }?.reason == .blockTooShort(kind: 1, length: 16))
        #expect(try error { $0.packet([1], interface: 1) }?.reason == .noInterface(1, known: 1))
        #expect(try error { $0.packet([1], interface: .max) }?.reason == .noInterface(.max, known: 1))
        #expect(try error { $0.obsoletePacket([1], interface: 7) }?.reason == .noInterface(7, known: 1))
        #expect(try error { $0.packet([1], captured: 5) }?.reason == .overrun(length: 5, room: 4))
        #expect(try error { $0.packet([1], captured: .max) }?.reason == .overrun(length: .max, room: 4))
        #expect(try error { $0.simplePacket([1], wire: 5) }?.reason == .overrun(length: 5, room: 4))
        #expect(try error { $0.section(magic: 0x0102_0304) }?.reason == .noByteOrder(0x0102_0304))
        #expect(
            try error { $0.section(major: 2, minor: 1) }?.reason == .version(format: "pcapng", major: 2, minor: 1)
        )
        #expect(
            try error { $0.interface(options: [PcapngWriter.Option(2, [1, 2, 3, 4], length: 99)]) }?.reason
                == .overrun(length: 99, room: 8)
        )
        let section: [UInt8] = [0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0]
        #expect(
            try error { $0.block(0x0a0d_0d0a, section) }?.reason == .blockTooShort(kind: 0x0a0d_0d0a, length: 20)
        )
    }

    @Test func aPacketBeforeAnyInterfaceIsRefused() throws {
        for write in [
            { $0.packet([1]) }, { $0.simplePacket([1]) }, { $0.obsoletePacket([1]) },
        ] as [(inout PcapngWriter) -> Void] {
            var file = PcapngWriter()
            file.section()
            write(&file)
            #expect(try read(file).error?.reason == .noInterface(0, known: 0))
        }
    }

    @Test func paddingMayBeMissingFromTheLength() throws {
        var file = file()
        file.block(0x7fff_0000, [1, 2, 3], start: 15)
        file.packet([9])
        let reading = try read(file)
        #expect(reading.error == nil)
        #expect(reading.frames.map(\.bytes) == [[9]])
    }

    @Test func interfacesAreBounded() throws {
        var file = file()
        var other = PcapngWriter()
        other.section()
        let empty = other.bytes.count
        other.interface()
        let block = other.bytes[empty...]
        var bytes = file.bytes
        for _ in 1..<65_536 { bytes += block }
        file = PcapngWriter()
        file.section()
        let section = file.bytes.count
        file.packet([1], interface: 65_535)
        let packet = file.bytes[section...]
        let full = try Reading(bytes + packet)
        #expect(full.error == nil)
        #expect(full.frames.map(\.info.interface) == [65_535])
        #expect(try Reading(bytes + block + packet).error?.reason == .tooManyInterfaces)
    }

    @Test func flippedBitsNeverCrash() throws {
        var random = SeededGenerator(seed: 0xb10c)
        for isBigEndian in [false, true] {
            var file = file(isBigEndian: isBigEndian, options: [.name("eth0"), .resolution(9)])
            file.packet([UInt8](repeating: 1, count: 60), options: [file.flags(1)])
            file.otherBlocks()
            file.simplePacket([UInt8](repeating: 1, count: 7))
            file.obsoletePacket([UInt8](repeating: 1, count: 200), options: [file.flags(2 | 4 << 5)])
            for _ in 0..<1000 {
                var bytes = file.bytes
                for _ in 0..<Int.random(in: 1...8, using: &random) {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                }
                let reading = try Reading(bytes)
                #expect(try Reading(bytes, chunk: 4096) == reading)
                #expect(reading.error.map { $0.frames == UInt64(reading.frames.count) } ?? true)
            }
        }
    }
}
