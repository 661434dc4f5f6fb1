import Glibc
import Linux

/// A process that holds a socket.
public struct SocketOwner: Equatable, Hashable, Sendable {
    public var pid: Int32
    /// The process's name, bytes that are not printable escaped.
    public var program: String
    /// The systemd unit it runs in, for example `ssh.service`; nil outside of one.
    public var unit: String?
    /// When it started, in clock ticks since boot; tells a process from a later one with its id.
    public var startTime: UInt64

    public init(pid: Int32, program: String, unit: String? = nil, startTime: UInt64 = 0) {
        self.pid = pid
        self.program = program
        self.unit = unit
        self.startTime = startTime
    }

    /// Looks a process up in /proc; nil when it is gone or may not be seen.
    init?(pid: Int32) {
        guard let stat = try? ProcFile("/proc/\(pid)/stat").contents(),
            let comm = try? ProcFile("/proc/\(pid)/comm").contents()
        else { return nil }
        let command = try? ProcFile("/proc/\(pid)/cmdline").contents(limit: 4096)
        let groups = try? ProcFile("/proc/\(pid)/cgroup").contents()
        self.init(
            pid: pid,
            program: Self.program(comm: comm, command: command ?? []),
            unit: groups.flatMap(Self.unit),
            startTime: Self.startTime(stat) ?? 0
        )
    }

    /// Whether the process is there still, under the same name. A process that has ended but was not waited for keeps
    /// its name; it no longer has an executable, as it no longer has descriptors.
    var isUnchanged: Bool {
        var first: CChar = 0
        guard let comm = try? ProcFile("/proc/\(pid)/comm").contents(limit: 64),
            unsafe readlink("/proc/\(pid)/exe", &first, 1) == 1
        else { return false }
        return program.hasPrefix(Self.program(comm: comm, command: []))
    }

    /// The name from /proc/PID/comm. The kernel cuts it to 15 bytes: where it may be cut, the command's own name is
    /// taken if it begins alike.
    static func program(comm: [UInt8], command: [UInt8]) -> String {
        let name = comm.last == UInt8(ascii: "\n") ? comm.dropLast() : comm[...]
        if name.count >= 15 {
            let path = command.prefix { $0 != 0 }
            let base = path.suffix(from: (path.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)
            if base.starts(with: name) { return String(harmless: base, limit: 64) }
        }
        return String(harmless: name, limit: 64)
    }

    /// The innermost service or scope on the way to the process's control group, from /proc/PID/cgroup.
    static func unit(_ groups: [UInt8]) -> String? {
        for line in groups.split(separator: UInt8(ascii: "\n")) {
            // hierarchy:controllers:path; systemd's is the one of version 2, or of its own name.
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, fields[1].isEmpty || fields[1].elementsEqual("name=systemd".utf8) else { continue }
            let parts = fields[2].split(separator: UInt8(ascii: "/")).map { String(harmless: $0) }
            if let unit = parts.last(where: { $0.hasSuffix(".service") || $0.hasSuffix(".scope") }) { return unit }
        }
        return nil
    }

    /// The 22nd field of /proc/PID/stat. The second, the name, may hold blanks and parentheses.
    static func startTime(_ stat: [UInt8]) -> UInt64? {
        guard let close = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = stat[(close + 1)...].split(separator: UInt8(ascii: " "))
        return fields.count > 19 ? Array(fields[19]).span.number : nil
    }
}
