import FoundationEssentials
import Glibc
public import Support

/// The release binary, running as `weir run` in the calling thread's network namespace, and what it says of itself.
///
/// It publishes to a real Redis over a unix socket, has a data directory of its own, and ends with this value.
public final class SensorProcess: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
        public init(_ description: String) { self.description = description }
    }

    /// What the bench needs of `weir status --json`.
    public struct Status: Decodable, Sendable {
        public struct Direction: Decodable, Sendable {
            public let packets, bytes: UInt64
            public let frames: UInt64?
        }

        public struct Interface: Decodable, Sendable {
            public let name, source: String
            public let rx, tx: Direction
        }

        public struct Ledger: Decodable, Sendable {
            public let offered, skipped, kept, dropped, read, decoded, malformed, shed, residue: UInt64
        }

        public struct Change: Decodable, Sendable {
            public let timestamp: String
            public let n: UInt32
            public let state, reason: String
        }

        public struct Sampling: Decodable, Sendable {
            public let n: UInt32
            public let state: String
            public let history: [Change]
        }

        public struct KernelMemory: Decodable, Sendable {
            public let maps, rings: UInt64
        }

        public let interfaces: [Interface]
        public let ledger: Ledger
        public let sampling: Sampling
        public let kernelMemory: KernelMemory

        enum CodingKeys: String, CodingKey {
            case interfaces, ledger, sampling
            case kernelMemory = "kernel_memory"
        }
    }

    /// `BENCH_BINARY`, or the release build's place in the checkout.
    public static let binary = unsafe getenv("BENCH_BINARY").map { unsafe String(cString: $0) } ?? ".build/release/weir"

    public let redis: RedisServer
    private let directory: String
    private let process: BackgroundProcess

    /// Returns once it watches the interface.
    /// - Parameters:
    ///   - settings: `WEIR_*` variables without the prefix, such as `SAMPLE_N=64`.
    ///   - command: what runs the sensor instead of the binary alone: a profiler, say, and a copy of it.
    public init(interface: String, settings: [String] = [], command: [String] = [binary]) throws {
        guard ChildProcess.exists(Self.binary) else {
            throw Failure("\(Self.binary) is not there: run make build, or set BENCH_BINARY")
        }
        guard let redis = RedisServer() else { throw Failure("redis-server does not start") }
        self.redis = redis
        directory = "/tmp/weir-bench-\(getpid())-\(interface)"
        let command =
            ["/usr/bin/env"] + settings.map { "WEIR_" + $0 } + command
            + ["run", "--interface", interface, "--redis", "unix://" + redis.socket, "--data-dir", directory]
        guard let process = BackgroundProcess(command) else {
            throw Failure("\(Self.binary) does not start")
        }
        self.process = process
        for _ in 0..<600 {
            guard Usage(of: process.pid) != nil else { break }
            if let status = try? status(), status.interfaces.contains(where: { $0.name == interface }) { return }
            usleep(100_000)
        }
        throw Failure("the sensor does not watch \(interface): \(log)")
    }

    /// SIGTERM, and waits until it has ended.
    public func stop() {
        process.signal(SIGTERM)
        for _ in 0..<1_000 where Usage(of: process.pid).map({ $0.resident > 0 }) ?? false { usleep(10_000) }
    }

    deinit {
        stop()
        for name in ["weir.sock", "network_monitor.log"] { _ = unsafe unlink("\(directory)/\(name)") }
        _ = unsafe rmdir(directory)
    }

    public var pid: Int32 { process.pid }

    public var log: String { String(decoding: process.output, as: UTF8.self) }

    public func signal(_ number: Int32) { process.signal(number) }

    public func usage() throws -> Usage {
        guard let usage = Usage(of: process.pid) else { throw Failure("the sensor is gone: \(log)") }
        return usage
    }

    public func status() throws -> Status {
        let outcome = ChildProcess.run([Self.binary, "status", "--json", "--data-dir", directory])
        guard outcome.status == 0 else { throw Failure("weir status: \(outcome.text)") }
        return try JSONDecoder().decode(Status.self, from: Data(outcome.output))
    }

    /// The status once nothing is on its way any more: two snapshots, 1.2 s apart, with the same counts.
    public func statusAtRest() throws -> Status {
        var last = try status()
        for _ in 0..<20 {
            usleep(1_200_000)
            let next = try status()
            if next.ledger.read == last.ledger.read, next.ledger.offered == last.ledger.offered { return next }
            last = next
        }
        throw Failure("the sensor's counts do not come to rest")
    }
}
