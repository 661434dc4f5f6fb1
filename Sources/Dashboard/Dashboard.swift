import Glibc
import Hummingbird
import HummingbirdCore
import Linux
public import Logging
import NIOCore
public import Reports
import ServiceLifecycle

/// The REST API on a unix socket: what a running sensor says and does when asked.
public struct Dashboard: Sendable {
    /// What a client may cost.
    enum Limit {
        static let connections = 64
        static let headerBytes = 16 << 10
        static let headers = 64
        static let bodyBytes = 64 << 10
        static let idleSeconds = 30
    }

    private let control: any SensorControl
    private let path: String
    private let logger: Logger

    /// - Parameters:
    ///   - control: the sensor.
    ///   - path: where the socket is made, at most 107 bytes. Its directory must keep others out.
    public init(control: any SensorControl, path: String, logger: Logger) {
        self.control = control
        self.path = path
        self.logger = logger
    }

    /// Serves until the task is cancelled; then open connections are closed and the socket is removed.
    ///
    /// - Parameter onListening: called once clients can connect.
    public func run(onListening: @escaping @Sendable () -> Void = {}) async throws(DashboardError) {
        try claim()
        defer { _ = unsafe unlink(path) }
        _ = Self.usesOneThread
        var quiet = logger
        quiet.logLevel = max(quiet.logLevel, .warning)
        let application = Application(
            responder: API(control: control),
            server: .http1(
                configuration: .init(
                    idleTimeout: .seconds(Int64(Limit.idleSeconds)),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: Limit.headerBytes,
                        maxHeaderListSize: Limit.headerBytes,
                        maxHeaderFieldCount: Limit.headers
                    )
                )
            ),
            configuration: .init(
                address: .unixDomainSocket(path: path),
                backlog: Limit.connections,
                availableConnectionsDelegate: MaximumAvailableConnections(Limit.connections, logger: quiet)
            ),
            onServerRunning: { [path] _ in
                _ = unsafe chmod(path, 0o600)
                onListening()
            },
            logger: quiet
        )
        do {
            try await runUntilCancelled(application, logger: quiet)
        } catch {
            throw .cannotServe(path: path, reason: "\(error)")
        }
    }

    /// Ends the server in the order it needs: no more connections, then those that are idle, then, a second later, the
    /// rest. Cancelling it at once would drop connections that were just taken, which its channels answer with a trap.
    private func runUntilCancelled(_ service: some Service, logger: Logger) async throws {
        var configuration = ServiceGroupConfiguration(services: [service], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(1)
        let group = ServiceGroup(configuration: configuration)
        let server = Task { try await group.run() }
        try await withTaskCancellationHandler {
            do {
                try await server.value
            } catch  where Task.isCancelled {
                // It was ended before it began, or cut off after the second.
            }
        } onCancel: {
            Task { await group.triggerGracefulShutdown() }
        }
    }

    /// One thread serves, where a large host would get one for each CPU. Set once, before the threads are made.
    private static let usesOneThread: Void = { NIOSingletons.groupLoopCountSuggestion = 1 }()

    /// Makes sure that the path is free, or holds the socket of a process that is gone.
    private func claim() throws(DashboardError) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
        let owner: Int32
        do throws(SystemError) {
            owner = try UnixStream(path: path, timeout: 1).peer
        } catch {
            return  // nobody answers: the server removes it and makes its own
        }
        throw .served(path: path, process: owner)
    }
}

/// Why the socket could not be served.
public enum DashboardError: Error, Sendable, CustomStringConvertible {
    /// Another sensor answers there. Its process id, 0 when the kernel does not tell.
    case served(path: String, process: Int32)
    case notASocket(path: String)
    case cannotServe(path: String, reason: String)

    public var description: String {
        switch self {
        case .served(let path, let process):
            "\(path): a sensor already runs there (process \(process)); stop it, or give this one another --data-dir"
        case .notASocket(let path):
            "\(path): is in the way and not a socket; move it, or use another --data-dir"
        case .cannotServe(let path, let reason):
            "\(path): cannot serve there: \(reason)"
        }
    }
}
