import CLinux
import Glibc

/// What the calling thread may do beyond an ordinary user. Source: capabilities(7).
public struct Capabilities: OptionSet, Sendable, CustomStringConvertible {
    /// Bit n stands for the kernel's capability n.
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Read every file.
    public static let readSearch = Capabilities(rawValue: 1 << 2)
    /// Change interfaces, attach programs to them.
    public static let networkAdmin = Capabilities(rawValue: 1 << 12)
    /// Open packet sockets.
    public static let networkRaw = Capabilities(rawValue: 1 << 13)
    /// See which files and sockets another user's process has open.
    public static let trace = Capabilities(rawValue: 1 << 19)
    /// Everything that has no capability of its own; includes the two below.
    public static let systemAdmin = Capabilities(rawValue: 1 << 21)
    /// Load programs that read kernel memory.
    public static let performance = Capabilities(rawValue: 1 << 38)
    /// Load programs and make maps.
    public static let bpf = Capabilities(rawValue: 1 << 39)

    /// The calling thread's effective set.
    public static func effective() throws(SystemError) -> Capabilities {
        var set: UInt64 = 0
        let code = unsafe clinux_effective_capabilities(&set)
        guard code == 0 else { throw SystemError("capget", Errno(rawValue: -code)) }
        return Capabilities(rawValue: set)
    }

    private static let names: [(Capabilities, String)] = [
        (.readSearch, "CAP_DAC_READ_SEARCH"), (.networkAdmin, "CAP_NET_ADMIN"), (.networkRaw, "CAP_NET_RAW"),
        (.trace, "CAP_SYS_PTRACE"), (.systemAdmin, "CAP_SYS_ADMIN"), (.performance, "CAP_PERFMON"), (.bpf, "CAP_BPF"),
    ]

    /// The names of those that matter here, for example `CAP_NET_ADMIN, CAP_NET_RAW`.
    public var description: String {
        Self.names.filter { contains($0.0) }.map(\.1).joined(separator: ", ")
    }
}
