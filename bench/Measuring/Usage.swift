import Glibc

/// What a process has used and holds, by /proc.
public struct Usage: Sendable {
    /// Nanoseconds on a processor, of all threads there ever were.
    public let processor: Double
    /// By name; equal names are added.
    public let threads: [String: Thread]
    /// Bytes. Anonymous memory is the process's own: heap and stacks.
    public let resident: Double
    public let anonymous: Double
    /// Most that was ever resident, bytes.
    public let peak: Double

    public struct Thread: Sendable {
        /// Nanoseconds on a processor, by the scheduler's exact account.
        public var processor = 0.0
        /// The part of it in user space: the kernel splits by ticks, so it wants seconds of load.
        public var user = 0.0
    }

    /// Nil when the process is gone.
    public init?(of pid: Int32) {
        guard let status = File.text("/proc/\(pid)/status") else { return nil }
        func bytes(_ field: String) -> Double {
            let line = status.split(separator: "\n").first { $0.hasPrefix(field + ":") }
            return (line?.split(whereSeparator: \.isWhitespace)).flatMap { Double($0[1]) }.map { $0 * 1_024 } ?? 0
        }
        var threads: [String: Thread] = [:]
        for id in File.entries("/proc/\(pid)/task") {
            guard let stat = File.text("/proc/\(pid)/task/\(id)/stat"),
                let account = File.text("/proc/\(pid)/task/\(id)/schedstat"),
                let ran = account.split(separator: " ").first.flatMap({ Double($0) }),
                let open = stat.firstIndex(of: "("), let close = stat.lastIndex(of: ")")
            else { continue }
            let fields = stat[stat.index(after: close)...].split(separator: " ")
            let (user, system) = (Double(fields[11]) ?? 0, Double(fields[12]) ?? 0)
            let name = String(stat[stat.index(after: open)..<close])
            threads[name, default: Thread()].processor += ran
            threads[name, default: Thread()].user += user + system > 0 ? ran * user / (user + system) : 0
        }
        var clock = clockid_t()
        var time = timespec()
        guard unsafe clock_getcpuclockid(pid, &clock) == 0, unsafe clock_gettime(clock, &time) == 0 else { return nil }
        processor = Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
        self.threads = threads
        resident = bytes("VmRSS")
        anonymous = bytes("RssAnon")
        peak = bytes("VmHWM")
    }

    /// Sum over the threads whose name begins so.
    public func threads(_ prefix: String) -> Thread {
        threads.filter { $0.key.hasPrefix(prefix) }.values.reduce(into: Thread()) {
            $0.processor += $1.processor
            $0.user += $1.user
        }
    }
}

/// Small files, read whole.
public enum File {
    public static func text(_ path: String) -> String? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = unsafe read(file, &chunk, chunk.count)
            guard count > 0 else { return count == 0 ? String(decoding: bytes, as: UTF8.self) : nil }
            bytes += chunk[..<count]
        }
    }

    static func entries(_ path: String) -> [String] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }
}

/// The slope of the line through points nearest to it by squares: how fast something grows.
public func slope(_ points: [(x: Double, y: Double)]) -> Double {
    let count = Double(points.count)
    let (meanX, meanY) = (points.reduce(0) { $0 + $1.x } / count, points.reduce(0) { $0 + $1.y } / count)
    let spread = points.reduce(0) { $0 + ($1.x - meanX) * ($1.x - meanX) }
    return points.reduce(0) { $0 + ($1.x - meanX) * ($1.y - meanY) } / spread
}
