import Glibc

/// A program that runs beside a test and never outlives it: it is killed with this value, and also when the test
/// process dies, because a shell beside it waits for the end of a pipe that only we hold.
public final class BackgroundProcess: Sendable {
    /// The program itself.
    public let pid: Int32
    private let shell: Int32
    private let leash: Int32
    private let log: Int32

    /// Nil if it could not be started.
    public init?(_ arguments: [String]) {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let log = ChildProcess.scratchFile(holding: [])
        let script = #"exec 3<&0; "$@" </dev/null 3<&- & echo $!; read _ <&3; kill -9 $! 2>/dev/null; wait"#
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
        var status: Int32 = 0
        while unsafe waitpid(shell, &status, 0) == -1, errno == EINTR {}
        close(log)
    }

    public func signal(_ number: Int32) {
        _ = kill(pid, number)
    }

    /// What it printed so far; the first line is its process id.
    public var output: [UInt8] { ChildProcess.contents(of: log) }
}
