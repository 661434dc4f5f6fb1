import CLinux
import Glibc

/// Another program that runs beside this one. It is killed when the value goes.
public struct Subprocess: ~Copyable, Sendable {
    private let process: pid_t
    private var hasEnded = false

    /// Starts it.
    /// - Parameters:
    ///   - path: where it is; a name without a slash is looked for where the shell would.
    ///   - words: its name, then its arguments.
    ///   - output: a file that takes its output and errors, made anew; nil: they go where this program's go.
    public init(_ path: String, _ words: [String], output: String? = nil) throws(SystemError) {
        var actions = unsafe posix_spawn_file_actions_t()
        _ = unsafe posix_spawn_file_actions_init(&actions)
        defer { _ = unsafe posix_spawn_file_actions_destroy(&actions) }
        if let output {
            let flags = O_WRONLY | O_CREAT | O_TRUNC
            _ = unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, flags, 0o600)
            _ = unsafe posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        }
        // What blocks signals here must not block them there.
        var attributes = posix_spawnattr_t()
        _ = unsafe posix_spawnattr_init(&attributes)
        defer { _ = unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        _ = unsafe sigemptyset(&none)
        _ = unsafe posix_spawnattr_setsigmask(&attributes, &none)
        _ = unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var process: pid_t = 0
        let code = unsafe posix_spawnp(&process, path, &actions, &attributes, &arguments, environ)
        guard code == 0 else { throw SystemError("start \(path)", Errno(rawValue: code)) }
        self.process = process
    }

    /// Starts it and waits for its end.
    /// - Returns: its exit status; 128 and the signal's number when one ended it.
    public static func run(_ path: String, _ words: [String], output: String? = nil) throws(SystemError) -> Int32 {
        var program = try Subprocess(path, words, output: output)
        return program.wait()
    }

    /// Whether it runs; takes notice of its end.
    public var isRunning: Bool {
        mutating get {
            if !hasEnded, waitpid(process, nil, WNOHANG) == process { hasEnded = true }
            return !hasEnded
        }
    }

    public func send(_ signal: Int32) {
        if !hasEnded { kill(process, signal) }
    }

    /// Waits for its end.
    /// - Returns: its exit status; 128 and the signal's number when one ended it.
    @discardableResult
    public mutating func wait() -> Int32 {
        guard !hasEnded else { return 0 }
        var status: Int32 = 0
        while unsafe waitpid(process, &status, 0) == -1, errno == EINTR {}
        hasEnded = true
        let signal = status & 0x7F
        return signal == 0 ? status >> 8 & 0xFF : 128 + signal
    }

    deinit {
        guard !hasEnded else { return }
        kill(process, SIGKILL)
        _ = waitpid(process, nil, 0)
    }
}
