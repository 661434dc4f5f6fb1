import Glibc
import Linux
import Synchronization

/// The log file: appended line by line, rotated by size (`name`, `name.1`, ... `name.4`).
///
/// A disk that is full or gone never stops the sensor: a line that cannot be written is counted, and the file says so
/// once it takes lines again.
public final class LogFile: Sendable {
    /// 10 MiB in each of 5 files.
    public static let defaultSize = 10 << 20
    public static let defaultCount = 5

    public let path: String
    private let maximumSize: Int
    private let maximumCount: Int
    private let state = Mutex(State())

    private struct State: ~Copyable {
        var file: Descriptor?
        var size = 0
        /// The last write ended within a line.
        var isTorn = false
        var lost: UInt64 = 0
        /// Lines lost that the file does not speak of yet.
        var unreported: UInt64 = 0
    }

    public init(path: String, maximumSize: Int = defaultSize, maximumCount: Int = defaultCount) {
        precondition(maximumSize > 0 && maximumCount > 0)
        self.path = path
        self.maximumSize = maximumSize
        self.maximumCount = maximumCount
    }

    /// Lines that could not be written since the start.
    public var lost: UInt64 { state.withLock { $0.lost } }

    /// Appends a line, given without its end. `notice` makes the line that tells how many were lost before it.
    func append(_ line: String, notice: (UInt64) -> String) {
        state.withLock { state in
            do throws(SystemError) {
                if state.unreported > 0 {
                    try write(notice(state.unreported), &state)
                    state.unreported = 0
                }
                try write(line, &state)
            } catch {
                state.lost += 1
                state.unreported += 1
            }
        }
    }

    private func write(_ line: String, _ state: inout State) throws(SystemError) {
        let bytes = Array(((state.isTorn ? "\n" : "") + line + "\n").utf8)
        try prepare(for: bytes.count, &state)
        guard let number = state.file?.rawValue else { return }
        let written = try check("write \(path)") { unsafe Glibc.write(number, bytes, bytes.count) }
        state.size += written
        state.isTorn = written < bytes.count
        if state.isTorn { throw SystemError("write \(path)", Errno(rawValue: ENOSPC)) }
    }

    /// Opens the file, and a new one when the line would make the old one too large.
    private func prepare(for count: Int, _ state: inout State) throws(SystemError) {
        if state.file == nil { try open(&state) }
        guard state.size > 0, state.size + count > maximumSize else { return }
        state.file = nil
        if maximumCount == 1 { try check("unlink \(path)") { unsafe unlink(path) } }
        for number in stride(from: maximumCount - 1, to: 0, by: -1) {
            let from = number == 1 ? path : "\(path).\(number - 1)"
            let isThere = unsafe access(from, F_OK) == 0
            if isThere { try check("rename \(from)") { unsafe rename(from, "\(path).\(number)") } }
        }
        try open(&state)
    }

    private func open(_ state: inout State) throws(SystemError) {
        let number = try check("open \(path)") {
            unsafe Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        }
        let file = Descriptor(owning: number)
        var status = stat()
        try check("fstat \(path)") { unsafe fstat(number, &status) }
        state.size = Int(status.st_size)
        state.isTorn = false
        state.file = consume file
    }
}
