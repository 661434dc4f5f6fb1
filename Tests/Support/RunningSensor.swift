import Glibc
import Linux
import Synchronization

/// The built `weir run`, as a child in a network namespace with a data directory of its own. It is killed with this
/// value and leaves nothing behind.
public final class RunningSensor: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// The binary beside the test executable; `WEIR_BINARY` names another one.
    public static let binary: String = {
        if let path = unsafe getenv("WEIR_BINARY") { return unsafe String(cString: path) }
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = unsafe max(0, readlink("/proc/self/exe", &buffer, buffer.count))
        let path = String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return path.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/weir"
    }()

    public static var isBuilt: Bool { ChildProcess.exists(binary) }

    public let dataDirectory: String
    private let process: BackgroundProcess
    private let ownsDirectory: Bool

    /// Starts it.
    /// - Parameters:
    ///   - arguments: of `weir run`, besides the data directory.
    ///   - environment: `WEIR_*` variables, the only ones it gets.
    ///   - launcher: words before the binary, for example of setpriv.
    ///   - directory: another sensor's data directory, which stays; nil makes a new one, which goes with this value.
    public init(
        in namespace: borrowing NamedNamespace,
        _ arguments: [String],
        environment: [String: String] = [:],
        launcher: [String] = [],
        directory: String? = nil
    ) throws {
        if let directory {
            dataDirectory = directory
        } else {
            var template = Array("/tmp/weir-e2e-XXXXXX".utf8CString)
            guard unsafe mkdtemp(&template) != nil else { throw Failure(description: "mkdtemp: \(errno)") }
            dataDirectory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        let variables = environment.map { "\($0.key)=\($0.value)" }.sorted()
        let words =
            ["/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"] + variables + launcher
            + [Self.binary, "run", "--data-dir", dataDirectory] + arguments
        guard let process = BackgroundProcess(namespace.command(words)) else {
            throw Failure(description: "cannot start \(words)")
        }
        self.process = process
        ownsDirectory = directory == nil
    }

    deinit {
        process.signal(SIGKILL)
        _ = process.exitStatus(within: 5)
        if ownsDirectory { _ = ChildProcess.run(["/bin/rm", "-rf", dataDirectory]) }
    }

    public var pid: Int32 { process.pid }
    public var socket: String { dataDirectory + "/weir.sock" }

    public func signal(_ number: Int32) { process.signal(number) }

    /// Its exit status once it has ended, 128 + the signal that ended it; nil when it still runs after `seconds`.
    public func exitStatus(within seconds: Double) -> Int32? { process.exitStatus(within: seconds) }

    /// All that it has logged to the console: JSON, a line each.
    public var log: String { String(decoding: process.output, as: UTF8.self) }

    // MARK: - Asking it

    /// One request over its socket; nil when nobody answers.
    public func request(_ method: String = "GET", _ target: String) -> (status: Int, body: [UInt8])? {
        guard let stream = try? UnixStream(path: socket, timeout: 5) else { return nil }
        let head = "\(method) \(target) HTTP/1.1\r\nHost: weir\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        var answer: [UInt8] = []
        do {
            try stream.write(Array(head.utf8))
            while answer.count < 1 << 22 {
                let chunk = try stream.read(atMost: 65_536)
                if chunk.isEmpty { break }
                answer += chunk
            }
        } catch {
            return nil
        }
        guard let end = answer.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let words = String(decoding: answer[..<end.lowerBound], as: UTF8.self).split(separator: " ", maxSplits: 2)
        guard words.count > 1, let status = Int(words[1]) else { return nil }
        return (status, Array(answer[end.upperBound...]))
    }

    public func status() -> StatusDocument? {
        request("GET", "/api/status").flatMap { $0.status == 200 ? try? StatusDocument($0.body) : nil }
    }

    /// Waits for a status that `holds`; throws with the last one and the log when none came.
    @discardableResult
    public func waitForStatus(
        _ what: String,
        within seconds: Double = 15,
        _ holds: (StatusDocument) throws -> Bool
    ) throws -> StatusDocument {
        var last: StatusDocument?
        let came = try eventually(within: seconds, every: 100) {
            last = status()
            return try last.map(holds) ?? false
        }
        guard came, let last else {
            let shown = last.map { "\($0)" } ?? "no status"
            throw Failure(description: "not within \(seconds) s: \(what)\n\(shown)\n\(log)")
        }
        return last
    }

    /// Descriptors it has open.
    public var descriptorCount: Int {
        ChildProcess.run(["/bin/ls", "/proc/\(pid)/fd"]).text.split(separator: "\n").count
    }

    /// Waits until it watches an interface.
    @discardableResult
    public func waitUntilWatching(_ name: String, source: String? = nil) throws -> SensorDocument.Interface {
        let status = try waitForStatus("it watches \(name)", within: 20) { status in
            status.interface(name).map { source == nil || $0.source == source } ?? false
        }
        guard let interface = status.interface(name) else { throw Failure(description: "no \(name)") }
        return interface
    }

    /// Waits for a line of its log that contains a text.
    public func logs(_ text: String, within seconds: Double = 10) -> Bool {
        eventually(within: seconds) { log.contains(text) }
    }
}
