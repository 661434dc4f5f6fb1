import Glibc
import Synchronization

/// A program that runs beside a test and never outlives it: it is killed with this value, and also when the test
/// process dies, because a shell beside it waits for the end of a pipe that only we hold.
public final class BackgroundProcess: Sendable {
    /// The program itself.
    public let pid: Int32
    private let shell: Int32
    private let leash: Int32
    private let log: Int32
    /// The status that the shell ended with, once it was reaped.
    private let status = Mutex<Int32?>(nil)

    /// Nil if it could not be started.
    public init?(_ arguments: [String]) {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let log = ChildProcess.scratchFile(holding: [])
        let script = #"""
            exec 3<&0
            "$@" </dev/null 3<&- & program=$!
            echo $program
            { read _ <&3; kill -9 $program; } >/dev/null 2>&1 & watcher=$!
            exec 3<&-
            wait $program 2>/dev/null; status=$?
            kill $watcher 2>/dev/null
            exit $status
            """#
        let shell = ChildProcess.spawn(["/bin/sh", "-c", script, "sh"] + arguments, input: ends[0], output: log)
        close(ends[0])
        var pid: pid_t?
        for _ in 0..<500 where shell != nil && pid == nil {
            let text = String(decoding: ChildProcess.contents(of: log), as: UTF8.self)
            if let line = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false).first,
                text.contains("\n")
            {
                pid = pid_t(line)
            }
            usleep(10_000)
        }
        guard let shell, let pid else {
            close(ends[1])
            close(log)
            return nil
        }
        self.pid = pid
        self.shell = shell
        self.leash = ends[1]
        self.log = log
    }

    deinit {
        // A stopped process is killed as well; the shell then ends and is reaped.
        close(leash)
        _ = reap(options: 0)
        close(log)
    }

    /// Waits until the program has ended.
    /// - Returns: its exit status, 128 + the signal that ended it; nil when it still runs after `seconds`.
    public func exitStatus(within seconds: Double) -> Int32? {
        for _ in 0..<max(1, Int(seconds * 100)) {
            if let status = reap(options: WNOHANG) { return status }
            usleep(10_000)
        }
        return reap(options: WNOHANG)
    }

    private func reap(options: Int32) -> Int32? {
        status.withLock { known in
            if let known { return known }
            var status: Int32 = 0
            var reaped = unsafe waitpid(shell, &status, options)
            while reaped == -1, errno == EINTR { reaped = unsafe waitpid(shell, &status, options) }
            if reaped == shell { known = status >> 8 & 0xff }
            return known
        }
    }

    public func signal(_ number: Int32) {
        _ = kill(pid, number)
    }

    /// What it printed so far; the first line is its process id.
    public var output: [UInt8] { ChildProcess.contents(of: log) }
}
