import Glibc
public import Linux

// Shown only to GNU sources by the C library.
@_silgen_name("unshare")
private func unshare(_ flags: Int32) -> Int32
@_silgen_name("setns")
private func setns(_ namespace: Int32, _ kind: Int32) -> Int32
private let newNetworkNamespace: Int32 = 0x4000_0000  // CLONE_NEWNET

/// A pair of virtual Ethernet interfaces in a network namespace of its own: what one sends, the other receives.
public struct VethPair: Sendable {
    public static let near = "near"
    public static let far = "far"

    /// Runs `body` in a new namespace that holds `lo` and the pair, all up and silent (no IPv6). Threads and processes
    /// that it starts are in it, too. The namespace ends with its last thread and socket, whatever happens. Needs root.
    public static func with(_ body: () throws -> Void) throws {
        let home = Descriptor(
            owning: try check("open(/proc/thread-self/ns/net)") {
                unsafe open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
            }
        )
        try check("unshare(CLONE_NEWNET)") { unshare(newNetworkNamespace) }
        defer {
            let code = setns(home.rawValue, newNetworkNamespace)
            precondition(code == 0, "this thread cannot return to its network namespace")
        }
        // Refused where the kernel has no IPv6: it is silent then anyway.
        try? write("1", to: "/proc/sys/net/ipv6/conf/all/disable_ipv6")
        try? write("1", to: "/proc/sys/net/ipv6/conf/default/disable_ipv6")
        try ip("link set lo up")
        try add()
        try body()
    }

    /// Makes the pair, as after `ip link del`.
    public static func add() throws {
        try ip("link add \(near) type veth peer name \(far)")
        try ip("link set \(near) up")
        try ip("link set \(far) up")
    }

    /// Runs `ip` with these words.
    public static func ip(_ words: String) throws {
        let outcome = ChildProcess.run(["/usr/sbin/ip"] + words.split(separator: " ").map(String.init))
        guard outcome.status == 0 else { throw Failure(what: "ip \(words): \(outcome.text)") }
    }

    /// The index of an interface of the calling thread's namespace.
    public static func index(of name: String) throws(SystemError) -> UInt32 {
        let index = unsafe if_nametoindex(name)
        guard index > 0 else { throw SystemError("if_nametoindex(\(name))", .current) }
        return index
    }

    public struct Failure: Error, CustomStringConvertible {
        let what: String
        public var description: String { what }
    }

    private static func write(_ text: String, to path: String) throws(SystemError) {
        let file = Descriptor(owning: try check("open(\(path))") { unsafe open(path, O_WRONLY | O_CLOEXEC) })
        let number = file.rawValue
        let count = text.utf8.count
        try check("write(\(path))") { unsafe Glibc.write(number, text, count) }
    }
}
