import Glibc
import Linux
import Publishing
import Reports
import Support
import Testing

/// A directory of its own, which is gone when the value is.
final class ScratchDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/weir-flows-XXXXXX".utf8CString)
        try #require(unsafe mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { _ = ChildProcess.run(["/bin/rm", "-rf", path]) }
}

/// A file's text; nil when it is not there.
func text(of path: String) -> String? {
    guard unsafe access(path, F_OK) == 0 else { return nil }
    return ChildProcess.run(["/bin/cat", path]).text
}

@Suite(.serialized, .timeLimit(.minutes(1)))
struct FlowFileTests {
    private let directory: ScratchDirectory
    private var path: String { directory.path + "/flows.jsonl" }

    init() throws {
        directory = try ScratchDirectory()
    }

    private func sink(
        size: Int = 64 << 20,
        keep: Int = 8,
        header: String = "",
        queue: Int = 8 << 20,
        path: String? = nil,
        changes: SinkChanges = SinkChanges()
    ) throws -> Sink {
        let settings = LineFileSettings(
            path: path ?? self.path,
            size: size,
            keep: keep,
            header: Array(header.utf8),
            queue: queue
        )
        return try Sink(flows: settings) { changes.append($0) }
    }

    private func write(_ text: String, to path: String) throws {
        let number = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o640)
        try #require(number >= 0)
        let bytes = Array(text.utf8)
        #expect(unsafe Glibc.write(number, bytes, bytes.count) == bytes.count)
        close(number)
    }

    private func numbers(_ text: String?) -> [Int] { (text ?? "").split(separator: "\n").compactMap(number) }

    @Test("A line each, in a file of mode 0640 that is ours, whatever the umask is")
    func lines() throws {
        let before = umask(0o077)
        defer { umask(before) }
        let sink = try sink()
        sink.offer(documents(0..<10))
        try #require(wait { sink.status.delivered == 10 } != nil, "\(sink.status)")
        sink.offer(documents(10..<5_000))
        #expect(sink.finish())
        let expected = documents(0..<5_000).map { String(decoding: $0, as: UTF8.self) + "\n" }.joined()
        #expect(text(of: path) == expected)
        var status = stat()
        #expect(unsafe stat(path, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o640 && status.st_uid == geteuid())
        #expect(sink.status.state == .working && sink.status.addsUp)
    }

    @Test("Full files move up, no line is split, and no more are kept than asked for")
    func rotation() throws {
        let header = "Flow ID,Src IP"
        let sink = try sink(size: 10_000, keep: 3, header: header)
        for round in 0..<20 { sink.offer(documents(round * 50..<(round + 1) * 50)) }
        #expect(sink.finish())
        #expect(text(of: path + ".4") == nil)
        var all: [Int] = []
        for name in [path + ".3", path + ".2", path + ".1", path] {
            let content = try #require(text(of: name))
            let lines = content.split(separator: "\n")
            #expect(content.utf8.count <= 10_000 && content.hasSuffix("\n"))
            #expect(lines[0] == header && lines.filter { $0 == header }.count == 1)
            #expect(lines.dropFirst().allSatisfy { $0.utf8.count == 100 })
            all += numbers(content)
        }
        let first = try #require(all.first)
        #expect(all == Array(first..<1_000), "the newest, without a gap")
        #expect(sink.status.delivered == 1_000)
    }

    @Test("After a crash between two renames nothing more is lost than was")
    func gap() throws {
        for number in [1, 3, 4] { try write("{\"number\":\(number)}\n", to: "\(path).\(number)") }
        try write("{\"number\":0}\n", to: path)
        let sink = try sink(size: 1 << 10, keep: 4)
        sink.offer(documents(10..<11, size: 1_015))
        #expect(sink.finish())
        #expect((1...4).map { numbers(text(of: "\(path).\($0)")) } == [[0], [1], [3], [4]])
        #expect(numbers(text(of: path)) == [10])
    }

    @Test("With none kept a full file goes")
    func keepNone() throws {
        let sink = try sink(size: 1_000, keep: 0)
        sink.offer(documents(0..<95))
        #expect(sink.finish())
        #expect(numbers(text(of: path)) == Array(90..<95))
        #expect(text(of: path + ".1") == nil)
    }

    @Test("A file is continued; a line that power loss cut is taken back; another header begins another file")
    func continuation() throws {
        try write("{\"number\":1}\n{\"number\":2}\n{\"numb", to: path)
        let first = try sink()
        first.offer(documents(3..<4))
        #expect(first.finish())
        #expect(numbers(text(of: path)) == [1, 2, 3])
        #expect(text(of: path)?.contains("{\"numb{") == false)

        let second = try sink(header: "Flow ID,Src IP")
        second.offer(documents(4..<5))
        #expect(second.finish())
        #expect(text(of: path)?.hasPrefix("Flow ID,Src IP\n{\"number\":4") == true)
        #expect(numbers(text(of: path + ".1")) == [1, 2, 3])
    }

    @Test("A file that another program moves or removes is made anew")
    func movedAway() throws {
        let sink = try sink()
        sink.offer(documents(0..<1))
        try #require(wait { sink.status.delivered == 1 } != nil)
        #expect(unsafe rename(path, path + "-elsewhere") == 0)
        sink.offer(documents(1..<2))
        try #require(wait { sink.status.delivered == 2 } != nil)
        #expect(numbers(text(of: path)) == [1] && numbers(text(of: path + "-elsewhere")) == [0])
        #expect(unsafe unlink(path) == 0)
        sink.offer(documents(2..<3))
        try #require(wait { sink.status.delivered == 3 } != nil)
        #expect(numbers(text(of: path)) == [2])
    }

    @Test("A directory that is missing is named, and used once it is there")
    func missingDirectory() throws {
        let changes = SinkChanges()
        let sink = try sink(path: directory.path + "/later/flows.jsonl", changes: changes)
        sink.offer(documents(0..<10))
        try #require(wait { sink.status.state == .down } != nil)
        #expect(sink.status.cause.contains("make the directory"))
        #expect(unsafe mkdir(directory.path + "/later", 0o750) == 0)
        try #require(wait { sink.status.delivered == 10 } != nil)
        #expect(changes.states == [.down, .working])
        #expect(sink.status.errors.keys.elementsEqual(["missing"]) && sink.status.lost == 0)
    }

    /// Each with what it makes of the file's place; none of it may be written to.
    @Test(
        "What a stranger could have planted is not written to",
        arguments: ["link", "dangling", "hard", "fifo", "other"]
    )
    func planted(kind: String) throws {
        let victim = directory.path + "/victim"
        try write("{precious}", to: victim)
        switch kind {
        case "link": #expect(unsafe symlink(victim, path) == 0)
        case "dangling": #expect(unsafe symlink(directory.path + "/made", path) == 0)
        case "hard": #expect(unsafe link(victim, path) == 0)
        case "fifo": #expect(unsafe mkfifo(path, 0o666) == 0)
        default: try write("root:x:0:0\n", to: path)
        }
        let sink = try sink()
        sink.offer(documents(0..<10))
        try #require(wait { sink.status.state == .down } != nil, "\(sink.status)")
        #expect(sink.status.errors["refused"] != nil || sink.status.errors["io"] != nil, "\(sink.status)")
        #expect(!sink.finish())
        #expect(text(of: victim) == "{precious}" && text(of: directory.path + "/made") == nil)
        if kind == "other" { #expect(text(of: path) == "root:x:0:0\n") }
        #expect(sink.status.lost == 10 && sink.status.addsUp)
    }

    @Test("Events of incidents have files of their own, whose messages name their keys")
    func threats() throws {
        try write("root:x:0:0\n", to: directory.path + "/other")
        for (name, isOurs) in [("threats.jsonl", true), ("other", false)] {
            let sink = try Sink(threats: LineFileSettings(path: "\(directory.path)/\(name)")) { _ in }
            sink.offer(documents(0..<3))
            #expect(sink.finish() == isOurs)
            #expect(sink.status.name == "publish.threats.file")
            #expect(isOurs || sink.status.cause.contains("holds something else than threats"), "\(sink.status)")
        }
        #expect(numbers(text(of: directory.path + "/threats.jsonl")) == [0, 1, 2])
    }

    @Test("A file of another user is not written to", .enabled(if: geteuid() == 0, "needs root"))
    func anotherOwner() throws {
        try write("", to: path)
        #expect(unsafe chown(path, 65_534, 65_534) == 0)
        let sink = try sink()
        sink.offer(documents(0..<1))
        try #require(wait { sink.status.errors["refused"] != nil } != nil, "\(sink.status)")
        #expect(text(of: path) == "")
    }

    @Test("A directory that others may change is refused, on the way as well; a link of root's is followed")
    func directories() throws {
        let open = directory.path + "/open"
        for path in [open, open + "/inner"] { #expect(unsafe mkdir(path, 0o700) == 0) }
        #expect(unsafe chmod(open, 0o777) == 0)
        for place in [open, open + "/inner"] {
            let sink = try sink(path: place + "/flows.jsonl")
            sink.offer(documents(0..<1))
            try #require(wait { sink.status.errors["refused"] != nil } != nil, "\(sink.status)")
            #expect(sink.status.cause.contains("\(open) can be changed by others"))
            #expect(text(of: place + "/flows.jsonl") == nil)
        }
        #expect(unsafe chmod(open, 0o1777) == 0)
        #expect(unsafe symlink(open, directory.path + "/link") == 0)
        let sink = try sink(path: directory.path + "/link/flows.jsonl")
        sink.offer(documents(0..<1))
        try #require(wait { sink.status.delivered == 1 } != nil, "\(sink.status)")
    }

    @Test(
        "A full disk cuts no line, is counted, and writing goes on once there is room",
        .enabled(if: geteuid() == 0, "needs root")
    )
    func diskFull() throws {
        let mounted = directory.path + "/small"
        #expect(unsafe mkdir(mounted, 0o700) == 0)
        try #require(unsafe mount("tmpfs", mounted, "tmpfs", 0, "size=1m,mode=0700") == 0)
        defer { _ = unsafe umount2(mounted, Int32(MNT_DETACH)) }
        let changes = SinkChanges()
        let sink = try sink(queue: 1 << 20, path: mounted + "/flows.jsonl", changes: changes)
        for round in 0..<40 {
            sink.offer(documents(round * 100..<(round + 1) * 100, size: 999))
            usleep(5_000)
        }
        try #require(wait { sink.status.state == .down } != nil, "\(sink.status)")
        #expect(sink.status.errors["disk_full"] != nil && sink.status.cause.contains("No space left"))
        let before = try #require(text(of: mounted + "/flows.jsonl"))
        #expect(before.hasSuffix("\n") && numbers(before) == Array(0..<Int(sink.status.delivered)))
        #expect(sink.status.addsUp && sink.status.lost > 1_000 && sink.status.waiting > 500)
        #expect(unsafe mount("tmpfs", mounted, "tmpfs", UInt(MS_REMOUNT), "size=16m") == 0)
        let time = try #require(wait { sink.status.waiting == 0 }, "\(sink.status)")
        print("writing went on \((time * 1000).rounded()) ms after there was room:", sink.status)
        let after = numbers(text(of: mounted + "/flows.jsonl"))
        #expect(after == after.sorted() && after.last == 3_999 && after.count == Int(sink.status.delivered))
        #expect(changes.states == [.working, .down, .working])
        #expect(sink.finish())
    }
}
