import Glibc

/// Other programs, run by tests.
public enum ChildProcess {
    public struct Outcome: Sendable {
        /// The exit status; 124 when time ran out, 127 when there is no such program.
        public let status: Int32
        public let output: [UInt8]

        public var text: String { String(decoding: output, as: UTF8.self) }
    }

    /// Whether a program is there, by its absolute path.
    public static func exists(_ path: String) -> Bool { unsafe access(path, X_OK) == 0 }

    /// Runs a program to its end, or for `seconds`; output and errors together.
    public static func run(_ arguments: [String], input: [UInt8] = [], seconds: Int = 20) -> Outcome {
        let source = scratchFile(holding: input)
        let sink = scratchFile(holding: [])
        defer {
            close(source)
            close(sink)
        }
        let child = spawn(["/usr/bin/timeout", "-s", "KILL", String(seconds)] + arguments, input: source, output: sink)
        guard let child else { return Outcome(status: 127, output: []) }
        var status: Int32 = 0
        while unsafe waitpid(child, &status, 0) == -1, errno == EINTR {}
        // WIFEXITED and WEXITSTATUS are macros, which Swift does not see. A killed child counts as out of time.
        let exited = status & 0x7f == 0
        return Outcome(status: exited ? (status >> 8) & 0xff : 124, output: contents(of: sink))
    }

    /// Starts a program with the descriptors given as its input and output; nil if it could not be.
    static func spawn(_ arguments: [String], input: Int32, output: Int32) -> pid_t? {
        var actions = unsafe posix_spawn_file_actions_t()
        _ = unsafe posix_spawn_file_actions_init(&actions)
        defer { _ = unsafe posix_spawn_file_actions_destroy(&actions) }
        _ = unsafe posix_spawn_file_actions_adddup2(&actions, input, 0)
        _ = unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        _ = unsafe posix_spawn_file_actions_adddup2(&actions, output, 2)
        // Threads of the test library block signals; a shell that inherits that waits for its children for ever.
        var attributes = posix_spawnattr_t()
        _ = unsafe posix_spawnattr_init(&attributes)
        defer { _ = unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        _ = unsafe sigemptyset(&none)
        _ = unsafe posix_spawnattr_setsigmask(&attributes, &none)
        _ = unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { word in unsafe free(word) } }
        var child: pid_t = 0
        let code = unsafe posix_spawn(&child, arguments[0], &actions, &attributes, &words, environ)
        return code == 0 ? child : nil
    }

    /// A file without a name that children may inherit only by `spawn`.
    static func scratchFile(holding bytes: [UInt8]) -> Int32 {
        var template = Array("/tmp/weir-test-XXXXXX".utf8CString)
        let file = unsafe mkstemp(&template)
        precondition(file >= 0, "mkstemp")
        _ = unsafe unlink(template)
        _ = fcntl(file, F_SETFD, FD_CLOEXEC)
        var written = 0
        while written < bytes.count {
            written += unsafe bytes.withUnsafeBytes { bytes in
                unsafe max(write(file, bytes.baseAddress.map { unsafe $0 + written }, bytes.count - written), 0)
            }
        }
        _ = lseek(file, 0, SEEK_SET)
        return file
    }

    static func contents(of file: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe pread(file, &chunk, chunk.count, bytes.count)
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: chunk[..<count])
        }
    }
}
