import FoundationEssentials
import Glibc
import Logging
import Reports
import Testing

@testable import Sensor

@Suite struct LogFileTests {
    private func contents(_ path: String) -> String {
        let descriptor = unsafe open(path, O_RDONLY)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes[..<max(count, 0)], as: UTF8.self)
    }

    private func logger(_ output: LineLogHandler.Output, level: Logger.Level = .info) -> Logger {
        Logger(label: "weir.test") { LineLogHandler(name: $0, output: output, logLevel: level) }
    }

    @Test func aLineHasTimeNameLevelMessage() throws {
        let folder = try TemporaryFolder()
        let file = LogFile(path: folder.path + "/log")
        logger(.file(file)).warning("ring overloaded", metadata: ["n": "8", "interface": "eth0"])
        let line = try #require(contents(file.path).split(separator: "\n").first)
        let pattern =
            #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z - weir\.test - WARNING - ring overloaded interface=eth0 n=8/#
        #expect(line.wholeMatch(of: pattern) != nil, "\(line)")
    }

    @Test func controlCharactersCannotForgeLines() throws {
        let folder = try TemporaryFolder()
        let file = LogFile(path: folder.path + "/log")
        logger(.file(file)).info("program \("a\nb\u{1B}[31m\u{202E}")")
        let text = contents(file.path)
        #expect(text.filter { $0 == "\n" }.count == 1)
        #expect(text.contains("program a\\x0ab\\x1b[31m\\u202e\n"))
    }

    @Test func levelsBelowTheChosenOneAreNotLogged() throws {
        let folder = try TemporaryFolder()
        let file = LogFile(path: folder.path + "/log")
        let log = logger(.file(file), level: .warning)
        log.info("no")
        log.error("yes")
        #expect(contents(file.path).hasSuffix(" - ERROR - yes\n"))
        #expect(!contents(file.path).contains("no"))
    }

    @Test func rotationKeepsTheNewestFilesWithinTheirSize() throws {
        let folder = try TemporaryFolder()
        let file = LogFile(path: folder.path + "/log", maximumSize: 100, maximumCount: 3)
        for number in 0..<50 { file.append("line \(number) " + String(repeating: "x", count: 20)) { "\($0)" } }
        let files = ["log", "log.1", "log.2"].map { contents(folder.path + "/" + $0) }
        for text in files { #expect((1...100).contains(text.utf8.count)) }
        #expect(unsafe access(folder.path + "/log.3", F_OK) != 0)
        let lines = (files[2] + files[1] + files[0]).split(separator: "\n").map { $0.split(separator: " ")[1] }
        #expect(lines == (0..<50).suffix(lines.count).map { Substring(String($0)) }, "the newest, in order")
        #expect(file.lost == 0)
    }

    @Test func aSingleFileStartsAnew() throws {
        let folder = try TemporaryFolder()
        let file = LogFile(path: folder.path + "/log", maximumSize: 10, maximumCount: 1)
        file.append("12345678") { "\($0)" }
        file.append("abc") { "\($0)" }
        #expect(contents(file.path) == "abc\n")
    }

    @Test func anExistingFileIsContinuedWithItsSize() throws {
        let folder = try TemporaryFolder()
        LogFile(path: folder.path + "/log").append("first") { "\($0)" }
        let file = LogFile(path: folder.path + "/log", maximumSize: 12, maximumCount: 2)
        file.append("second") { "\($0)" }
        #expect(contents(folder.path + "/log.1") == "first\n")
        #expect(contents(folder.path + "/log") == "second\n")
    }

    @Test func linesLostAreCountedAndToldOfLater() throws {
        let folder = try TemporaryFolder()
        let file = LogFile(path: folder.path + "/later/log")
        file.append("one") { "\($0)" }
        file.append("two") { "\($0)" }
        #expect(file.lost == 2)
        try #require(unsafe mkdir(folder.path + "/later", 0o700) == 0)
        file.append("three") { "lost \($0)" }
        #expect(contents(file.path) == "lost 2\nthree\n")
        #expect(file.lost == 2)
    }

    @Test func aFullDiskLosesLinesOnly() {
        let file = LogFile(path: "/dev/full")
        file.append("one") { "\($0)" }
        #expect(file.lost == 1)
    }

    @Test func aLinkIsNotFollowed() throws {
        let folder = try TemporaryFolder()
        try #require(unsafe symlink(folder.path + "/target", folder.path + "/log") == 0)
        let file = LogFile(path: folder.path + "/log")
        file.append("one") { "\($0)" }
        #expect(file.lost == 1)
        #expect(unsafe access(folder.path + "/target", F_OK) != 0)
    }

    @Test func consoleLinesAreJSONOrText() throws {
        var ends: [Int32] = [0, 0]
        try #require(unsafe pipe(&ends) == 0)
        defer { ends.forEach { _ = close($0) } }
        func next() -> String {
            var bytes = [UInt8](repeating: 0, count: 4_096)
            let count = unsafe read(ends[0], &bytes, bytes.count)
            return String(decoding: bytes[..<max(count, 0)], as: UTF8.self)
        }
        logger(.json(descriptor: ends[1])).error("a \"b\"\n", metadata: ["path": "/x"])
        let json = next()
        #expect(json.hasPrefix("{\"timestamp\":\""))
        #expect(
            json.hasSuffix(
                "\"level\":\"error\",\"logger\":\"weir.test\",\"message\":\"a \\\"b\\\"\\n\",\"path\":\"/x\"}\n"
            )
        )
        logger(.text(descriptor: ends[1], coloured: false)).info("hello")
        #expect(next().wholeMatch(of: #/\d\d:\d\d:\d\d INFO     hello\n/#) != nil)
        logger(.text(descriptor: ends[1], coloured: true)).info("hello")
        #expect(next().contains("\u{1B}[32mINFO"))
    }

    @Test func thePathIsTakenFromTheDataDirectory() {
        var log = Configuration.Log()
        #expect(log.path(in: "/var/lib/weir") == "/var/lib/weir/network_monitor.log")
        log.file = "/var/log/x"
        #expect(log.path(in: "/var/lib/weir") == "/var/log/x")
        log.file = ""
        #expect(log.path(in: "/var/lib/weir") == nil)
    }
}

/// A folder that is gone, with what is in it, when the value is.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/weir-test-XXXXXX".utf8CString)
        try #require(unsafe mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
