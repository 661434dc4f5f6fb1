import Dashboard
import Dispatch
import Flows
import Glibc
import Keeper
public import Linux
public import Logging
import Publishing
public import Reports

/// The sensor: counts in the kernel, samples through rings, publishes to Redis, answers on its socket.
public final class Sensor: SensorControl {
    private let configuration: Configuration
    private let logger: Logger
    private let state: SensorState

    /// Prepares the workers; nothing is captured before `run`.
    /// - Parameter version: shown to those who ask.
    public init(configuration: Configuration, version: String, logger: Logger) throws(SensorError) {
        self.configuration = configuration
        self.logger = logger
        var generator = SystemRandomNumberGenerator()
        let workers = configuration.capture.workers
        var flows = configuration.flows.settings
        flows.observes = configuration.detect.isEnabled
        do throws(SystemError) {
            state = try SensorState(
                version: version,
                workers: workers == 0 ? min(Processors.online, 4) : workers,
                seed: generator.next(),
                flows: flows,
                records: configuration.flows.recent,
                recording: configuration.detect.isEnabled ? configuration.record.memory : 0,
                recordsPayload: configuration.record.payload
            )
        } catch {
            throw .start("cannot start the worker threads: \(error)")
        }
    }

    /// Runs in the calling thread, in a data directory that is there, until SIGINT or SIGTERM arrives; leaves the host's interfaces as they were found.
    /// - Parameter signals: made before any other thread.
    public func run(signals: borrowing SignalSource) throws(SensorError) {
        let path = configuration.socketPath
        // Two sensors would publish under one name, and each the other's end.
        if let other = try? UnixStream(path: path, timeout: 1) {
            throw .start("\(path): process \(other.peer) answers there already; stop it, or choose another --data-dir")
        }
        let redis = try redisAddress()
        let publisher = try makePublisher(redis)
        let coordinator = try Coordinator(
            configuration: configuration,
            keeper: LocalKeeper(),
            publisher: publisher,
            flowPublisher: try FlowPublisher(configuration, redis: redis, logger: logger),
            threatPublisher: try ThreatPublisher(configuration, redis: redis, logger: logger),
            shared: state,
            logger: logger
        )
        let served = DispatchSemaphore(value: 0)
        let server = Task { [self] in
            defer { served.signal() }
            do throws(DashboardError) {
                try await Dashboard(control: self, path: path, logger: logger).run { [logger] in
                    logger.info("answering on \(path)")
                }
            } catch {
                logger.error("no answers on \(path), counting and publishing go on: \(error)")
            }
        }
        coordinator.run(signals: signals)
        state.finish()
        server.cancel()
        _ = served.wait(timeout: .now() + 2)
    }

    private func redisAddress() throws(SensorError) -> RedisAddress {
        do throws(SystemError) {
            return try configuration.redis.addressWithPassword()
        } catch {
            throw .start("redis.password_file: \(error)")
        }
    }

    private func makePublisher(_ address: RedisAddress) throws(SensorError) -> RedisPublisher {
        let settings = RedisSettings(
            address: address,
            key: configuration.publish.key,
            channel: configuration.publish.channel,
            resourceID: configuration.resourceID,
            interval: .milliseconds(Int64(configuration.publish.interval * 1_000))
        )
        do throws(SystemError) {
            return try RedisPublisher(settings) { [logger] status in
                let level: Logger.Level = status.state == .connected ? .info : .warning
                let cause = status.cause.isEmpty ? "" : ": \(status.cause)"
                logger.log(level: level, "redis \(status.address) is \(status.state.rawValue)\(cause)")
            }
        } catch {
            throw .start("cannot start the publishing thread: \(error)")
        }
    }

    // MARK: - What the outside may ask

    public func status() async -> SensorStatus { await state.status() }

    public func packets(count: Int, after sequence: UInt64?) async -> PacketList {
        state.packets(count: count, after: sequence)
    }

    public func ports() async -> PortList { state.ports }

    public func threats(_ query: ThreatQuery) async -> ThreatList { state.threats(query) }

    public func threat(id: String) async -> Threat? { state.threat(id: id) }

    public func capture(ofThreat id: String) async -> [UInt8]? { state.capture(of: id) }

    public func start() async throws(ControlError) { try await send(.start) }

    public func stop() async throws(ControlError) { try await send(.stop) }

    private func send(_ kind: SensorState.Command.Kind) async throws(ControlError) {
        let result: Result<Void, ControlError> = await withCheckedContinuation { continuation in
            state.send(.init(kind: kind) { continuation.resume(returning: $0) })
        }
        try result.get()
    }
}

/// Why the sensor could not start.
public enum SensorError: Error, Equatable, Sendable, CustomStringConvertible {
    case start(String)

    public var description: String {
        switch self {
        case .start(let reason): reason
        }
    }
}
