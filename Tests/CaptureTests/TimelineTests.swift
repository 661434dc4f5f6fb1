import Capture
import Glibc
import Linux
import Support
import Testing

@Suite struct TimelineTests {
    /// A capture with a frame at each of some seconds; the frame holds a name and its place in the file.
    private func file(_ name: UInt8, _ seconds: [UInt32]) -> PcapWriter {
        var file = PcapWriter()
        for (place, second) in seconds.enumerated() { file.record([name, UInt8(place & 0xff)], seconds: second) }
        return file
    }

    private func read(_ timeline: inout CaptureTimeline) -> [Seen] {
        var seen: [Seen] = []
        while let info = timeline.next() { seen.append(Seen(info: info, bytes: copy(timeline.bytes))) }
        #expect(timeline.bytes.byteCount == 0)
        #expect(timeline.next() == nil)
        return seen
    }

    @Test func filesAreMergedByTheirRunningMaximum() throws {
        let folder = try ScratchFolder()
        let paths = [
            try folder.write("a", file(1, [10, 5, 20, 20]).bytes),
            try folder.write("b", file(2, [7, 8, 10, 12, 30]).bytes),
        ]
        var timeline = CaptureTimeline(paths)
        let frames = read(&timeline)
        #expect(
            frames.map(\.bytes)
                == [[2, 0], [2, 1], [1, 0], [1, 1], [2, 2], [2, 3], [1, 2], [1, 3], [2, 4]]
        )
        #expect(timeline.files.map(\.frames) == [4, 5])
        #expect(timeline.files.map(\.error) == [nil, nil])
    }

    @Test func anyNumberOfFilesIsMerged() throws {
        var random = SeededGenerator(seed: 0x3e26)
        for count in [2, 3, 9, 40] {
            let folder = try ScratchFolder()
            var paths: [String] = []
            var expected: [(time: UInt32, file: Int, place: Int)] = []
            for number in 0..<count {
                // Few different times, so that many are equal; and files that step back, or hold nothing.
                let start = UInt32.random(in: 0...50, using: &random)
                let seconds = (0..<Int.random(in: 0...60, using: &random)).map {
                    start + UInt32($0 / 4) + UInt32.random(in: 0...9, using: &random)
                }
                var most: UInt32 = 0
                for (place, second) in seconds.enumerated() {
                    most = max(most, second)
                    expected.append((most, number, place))
                }
                let bytes = file(UInt8(number), seconds).bytes
                paths.append(try folder.write("\(number)", number % 3 == 0 ? gzip(bytes) : bytes))
            }
            expected.sort { ($0.time, $0.file, $0.place) < ($1.time, $1.file, $1.place) }
            var timeline = CaptureTimeline(paths)
            #expect(read(&timeline).map(\.bytes) == expected.map { [UInt8($0.file), UInt8($0.place)] })
        }
    }

    @Test func oneFileIsReadAsByItsReader() throws {
        let folder = try ScratchFolder()
        let path = try folder.write("a", file(1, [10, 5, 20, 20]).bytes)
        var timeline = CaptureTimeline([path])
        #expect(read(&timeline) == Reading(path: path).frames)
        #expect(timeline.files.map(\.frames) == [4])
    }

    @Test func foldersAreReadByName() throws {
        let folder = try ScratchFolder()
        try folder.write("b.pcap", file(2, [1]).bytes)
        try folder.write("a.pcap.gz", gzip(file(1, [1]).bytes))
        try folder.write("notes.txt", Array("nothing to see".utf8))
        try folder.write("empty", [])
        try check("mkdir") { unsafe mkdir(folder.path + "/c", 0o700) }
        try folder.write("c/d.pcap", file(3, [1]).bytes)
        try check("mkfifo") { unsafe mkfifo(folder.path + "/fifo", 0o600) }
        try check("symlink") { unsafe symlink("nowhere", folder.path + "/broken") }
        for path in [folder.path, folder.path + "/"] {
            var timeline = CaptureTimeline([path])
            #expect(read(&timeline).map(\.bytes) == [[1, 0], [2, 0]])
            #expect(timeline.files.map(\.path) == ["a.pcap.gz", "b.pcap", "broken"].map { folder.path + "/" + $0 })
            #expect(timeline.files.map { $0.error?.reason } == [nil, nil, .system(SystemError("open", .noEntry))])
            #expect(timeline.skipped == 2)
        }
    }

    @Test func aBrokenFileStopsNoOther() throws {
        let folder = try ScratchFolder()
        let cut = Array(file(2, [2, 4, 6]).bytes.dropLast())
        let paths = [
            try folder.write("a", file(1, [1, 3, 5, 7]).bytes), try folder.write("b", cut),
            try folder.write("c", Array("nothing".utf8)), folder.path + "/absent",
            // Already its first frame is broken.
            try folder.write("d", Array(file(4, [3]).bytes.dropLast())),
        ]
        var timeline = CaptureTimeline(paths)
        #expect(timeline.files.map { $0.error == nil } == [true, true, false, false, false])
        #expect(read(&timeline).map(\.bytes) == [[1, 0], [2, 0], [1, 1], [2, 1], [1, 2], [1, 3]])
        #expect(timeline.files.map(\.path) == paths)
        #expect(timeline.files.map(\.frames) == [4, 2, 0, 0, 0])
        #expect(
            timeline.files.map { $0.error?.reason }
                == [nil, .cut(missing: 1), .notACapture, .system(SystemError("open", .noEntry)), .cut(missing: 1)]
        )
        #expect(timeline.files[1].error?.file == paths[1])
    }

    @Test func aBrokenFileAloneIsTold() throws {
        let folder = try ScratchFolder()
        var timeline = CaptureTimeline([folder.path + "/absent"])
        #expect(read(&timeline).isEmpty)
        #expect(timeline.files.map { $0.error?.reason } == [.system(SystemError("open", .noEntry))])
        var nothing = CaptureTimeline([])
        #expect(read(&nothing).isEmpty)
    }

    @Test func interfacesAreNumberedAcrossFiles() throws {
        func file(_ names: [String], at time: UInt64) -> [UInt8] {
            var file = PcapngWriter()
            file.section()
            for name in names { file.interface(options: [.name(name)]) }
            for number in names.indices { file.packet([], interface: UInt32(number), time: time) }
            return file.bytes
        }
        let folder = try ScratchFolder()
        // The file that is named first is the later one.
        let paths = [
            try folder.write("a", file(["eth2", "eth1"], at: 2)), try folder.write("b", file(["eth1", "eth0"], at: 1)),
            try folder.write("c", self.file(1, [1]).bytes), try folder.write("d", self.file(1, [2]).bytes),
        ]
        var timeline = CaptureTimeline(paths)
        #expect(read(&timeline).map(\.info.interface) == [0, 1, 2, 0, 3, 3])
    }

    @Test func filesAreOpenedWhenTheirTimeHasCome() throws {
        let folder = try ScratchFolder()
        for number in 0..<100 {
            try folder.write("\(number)", file(UInt8(number), [UInt32(number), UInt32(number)]).bytes)
        }
        var timeline = CaptureTimeline([folder.path])
        var frames = 0
        var most = 0
        while timeline.next() != nil {
            most = max(most, openFiles(in: folder.path))
            frames += 1
        }
        #expect(frames == 200)
        #expect(most == 1)
        #expect(openFiles(in: folder.path) == 0)
    }

    /// Descriptors of this process for files in a folder.
    private func openFiles(in folder: String) -> Int {
        (0..<256).count { number in
            var target = [CChar](repeating: 0, count: 512)
            let length = unsafe readlink("/proc/self/fd/\(number)", &target, target.count)
            return length > 0
                && String(decoding: target.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self).hasPrefix(folder)
        }
    }

    @Test func standardInputIsOneOfTheFiles() throws {
        let folder = try ScratchFolder()
        let path = try folder.write("a", file(1, [1, 3]).bytes)
        for bytes in [file(2, [2, 4]).bytes, gzip(file(2, [2, 4]).bytes)] {
            let input = try Reading.file(bytes)
            let kept = try check("dup") { dup(STDIN_FILENO) }
            dup2(input.rawValue, STDIN_FILENO)
            var timeline = CaptureTimeline([path, "-"])
            dup2(kept, STDIN_FILENO)
            close(kept)
            #expect(read(&timeline).map(\.bytes) == [[1, 0], [2, 0], [1, 1], [2, 1]])
            #expect(timeline.files.map(\.path) == [path, "-"])
        }
    }
}

extension Errno {
    fileprivate static let noEntry = Errno(rawValue: ENOENT)
}
