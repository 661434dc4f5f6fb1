import Capture
import Glibc
import Linux
import Support
import Testing

/// Everything a reader gives, and how it ended.
struct Reading: Equatable {
    var frames: [Seen] = []
    var error: CaptureFileError?

    /// Reads bytes from a regular file, which is mapped `window` bytes at a time.
    init(_ bytes: [UInt8], window: Int = CaptureReader.window) throws {
        let file = try Self.file(bytes)
        do throws(CaptureFileError) {
            var reader = try CaptureReader(file, path: "memory", window: window)
            read(&reader)
        } catch {
            self.error = error
        }
    }

    /// Reads bytes through a pipe, so in pieces as small as `chunk`.
    init(_ bytes: [UInt8], chunk: Int) throws {
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
        do throws(CaptureFileError) {
            // Its end closes the pipe, which ends a writer whose bytes nobody wants any more.
            var reader = try CaptureReader(input, path: "memory")
            read(&reader)
        } catch {
            self.error = error
        }
        writer.join()
    }

    init(path: String) {
        do throws(CaptureFileError) {
            var reader = try CaptureReader(path: path)
            read(&reader)
        } catch {
            self.error = error
        }
    }

    private mutating func read(_ reader: inout CaptureReader) {
        #expect(reader.bytes.byteCount == 0)
        do throws(CaptureFileError) {
            while let info = try reader.next() {
                frames.append(Seen(info: info, bytes: copy(reader.bytes)))
            }
        } catch {
            self.error = error
        }
        #expect(reader.frames == UInt64(frames.count))
        #expect(reader.bytes.byteCount == 0)
    }

    /// A regular file without a name, at its start.
    static func file(_ bytes: [UInt8]) throws -> Descriptor {
        var path = Array("/tmp/weir-capture-XXXXXX".utf8CString)
        let number = try check("mkstemp") { unsafe mkstemp(&path) }
        _ = unsafe unlink(path)
        let file = Descriptor(owning: number)
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = unsafe rest.withUnsafeBytes { unsafe write(number, $0.baseAddress, $0.count) }
            try #require(sent > 0)
            rest = rest.dropFirst(sent)
        }
        lseek(number, 0, SEEK_SET)
        return file
    }
}

/// A folder that is removed with the value.
struct ScratchFolder: ~Copyable {
    let path: String

    init() throws {
        var name = Array("/tmp/weir-captures-XXXXXX".utf8CString)
        try #require(unsafe mkdtemp(&name) != nil)
        path = String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Writes a file and answers its path.
    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = path + "/" + name
        let number = try check("open") { unsafe open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o600) }
        let descriptor = Descriptor(owning: number)
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor.rawValue, $0.baseAddress, $0.count) }
            try #require(sent > 0)
            rest = rest.dropFirst(sent)
        }
        return file
    }

    deinit {
        _ = ChildProcess.run(["/bin/rm", "-r", path])
    }
}
