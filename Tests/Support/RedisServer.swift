import CLinux
import Glibc
import Synchronization

/// A real redis-server for tests: on a unix socket and a free loopback port, in a directory of its own, without
/// persistence. It ends with this value.
public final class RedisServer: Sendable {
    private static let program = "/usr/bin/redis-server"
    private static let client = "/usr/bin/redis-cli"

    public static var isInstalled: Bool { ChildProcess.exists(program) && ChildProcess.exists(client) }

    public let socket: String
    public let port: UInt16
    private let directory: String
    private let options: [String]
    private let process: Mutex<BackgroundProcess?>

    /// - Parameter options: added to the command line, for example `["--requirepass", "secret"]`.
    /// Nil if it does not answer within 5 s.
    public init?(_ options: [String] = []) {
        var template = Array("/tmp/weir-redis-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { return nil }
        directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        socket = directory + "/redis.sock"
        port = RedisServer.freePort()
        self.options = options
        process = Mutex(nil)
        guard start() else { return nil }
    }

    deinit {
        process.withLock { $0 = nil }
        for name in ["/redis.sock", "/log"] { _ = unsafe unlink(directory + name) }
        _ = unsafe rmdir(directory)
    }

    /// Starts it, again after `kill`; true once it accepts connections.
    @discardableResult
    public func start() -> Bool {
        let started = BackgroundProcess(
            [
                RedisServer.program, "--port", String(port), "--bind", "127.0.0.1", "--unixsocket", socket, "--save",
                "",
                "--appendonly", "no", "--dir", directory, "--loglevel", "warning", "--logfile", directory + "/log",
            ] + options
        )
        process.withLock { $0 = started }
        for _ in 0..<500 {
            if accepts() { return true }
            usleep(10_000)
        }
        return false
    }

    public func signal(_ number: Int32) {
        process.withLock { $0?.signal(number) }
    }

    /// SIGKILL, and waits until it is gone.
    public func kill() {
        process.withLock { $0 = nil }
    }

    /// What redis-cli prints for a command, without the last line feed.
    public func cli(_ arguments: String..., password: String? = nil) -> String {
        let text = ChildProcess.run(command(arguments, password)).text
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    /// The bytes of a key's value, as redis-cli prints them.
    public func value(of key: String, password: String? = nil) -> [UInt8] {
        let bytes = ChildProcess.run(command(["GET", key], password)).output
        return bytes.last == UInt8(ascii: "\n") ? Array(bytes.dropLast()) : bytes
    }

    /// A redis-cli that prints what arrives on a channel; returns once it has subscribed.
    public func subscriber(_ channel: String, password: String? = nil) -> BackgroundProcess? {
        guard let process = BackgroundProcess(command(["SUBSCRIBE", channel], password)) else { return nil }
        for _ in 0..<500 {
            if String(decoding: process.output, as: UTF8.self).contains("subscribe\n") { return process }
            usleep(10_000)
        }
        return nil
    }

    private func command(_ arguments: [String], _ password: String?) -> [String] {
        let credentials = password.map { ["-a", $0, "--no-auth-warning"] } ?? []
        return [RedisServer.client, "-s", socket, "--raw"] + credentials + arguments
    }

    private func accepts() -> Bool {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = RedisServer.loopback(port)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        return unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, size) == 0
            }
        }
    }

    /// A TCP port of loopback that nothing uses at the moment.
    public static func freePort() -> UInt16 {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = unsafe bind(descriptor, address, size)
                _ = unsafe getsockname(descriptor, address, &size)
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }
}
