import Glibc

/// A network namespace with a name, so that other programs can be run in it; its loopback link is up. Removed with
/// this value. Needs root.
public struct NamedNamespace: ~Copyable {
    public struct Failure: Error {
        let step: String
    }

    public let name: String

    /// The label makes the name, with this process's id.
    public init(_ label: String) throws {
        name = "whost-\(label)-\(getpid())"
        try Self.ip(["netns", "add", name])
        try Self.ip(["-n", name, "link", "set", "lo", "up"])
    }

    deinit {
        try? Self.ip(["netns", "del", name])
    }

    /// Runs `ip` on the namespace: `ip(["link", "add", ...])`.
    public func ip(_ arguments: [String]) throws { try Self.ip(["-n", name] + arguments) }

    private static func ip(_ arguments: [String]) throws {
        let outcome = ChildProcess.run(["/usr/sbin/ip"] + arguments)
        guard outcome.status == 0 else { throw Failure(step: "ip \(arguments): \(outcome.text)") }
    }

    /// The words that run a program in it.
    public func command(_ words: [String]) -> [String] { ["/usr/sbin/ip", "netns", "exec", name] + words }

    /// Runs `body` with this thread in the namespace; the sockets it opens stay there.
    public func enter<Result: ~Copyable>(_ body: () throws -> Result) throws -> Result {
        try Self.enter(name, body)
    }

    /// The same, by a namespace's name: for another process that was told it.
    public static func enter<Result: ~Copyable>(_ name: String, _ body: () throws -> Result) throws -> Result {
        let home = unsafe open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        let there = unsafe open("/run/netns/\(name)", O_RDONLY | O_CLOEXEC)
        defer {
            close(home)
            close(there)
        }
        try join(there)
        defer { try? join(home) }
        return try body()
    }

    /// setns(2), which Glibc's module hides.
    private static func join(_ namespace: Int32) throws {
        typealias Join = @convention(c) (Int32, Int32) -> Int32
        guard let symbol = unsafe dlsym(nil, "setns") else { throw Failure(step: "dlsym(setns)") }
        let setns = unsafe unsafeBitCast(symbol, to: Join.self)
        guard setns(namespace, 0x4000_0000) == 0 else { throw Failure(step: "setns: \(errno)") }
    }
}
