import Detection
import Logging
import Packets
import Publishing
import Reports

/// Where incidents go beyond this host: the sinks that the configuration switched on. Used by the coordinator alone.
final class ThreatPublisher {
    private let stream: Sink?
    private let file: Sink?
    private let sources: NetworkEvents?

    /// Starts a thread for each sink.
    /// - Parameter redis: with its password.
    init(_ configuration: Configuration, redis: RedisAddress, logger: Logger) throws(SensorError) {
        let (settings, events) = (configuration.publish.threats, configuration.publish.events)
        if let path = configuration.threatFile, path == configuration.flowFile {
            throw .start("publish.threats.file and publish.flows.file are one file, \(path); name two")
        }
        let onChange = logger.tellsSinks
        do {
            stream =
                settings.stream.isEmpty
                ? nil
                : try Sink(
                    threats: StreamSettings(address: redis, key: settings.stream, length: settings.length),
                    onChange: onChange
                )
            file = try configuration.threatFile.map { path in
                try Sink(
                    threats: LineFileSettings(path: path, size: settings.size, keep: settings.keep),
                    onChange: onChange
                )
            }
            sources =
                events.stream.isEmpty
                ? nil
                : try NetworkEvents(
                    StreamSettings(address: redis, key: events.stream, length: events.length),
                    clientID: configuration.publish.clientID,
                    resourceID: configuration.resourceID,
                    onChange: onChange
                )
        } catch {
            throw .start("cannot start publishing threats: \(error)")
        }
    }

    /// How it goes with each that is switched on.
    var statuses: [SinkStatus] { [stream?.status, file?.status, sources?.status].compactMap(\.self) }

    /// Hands over what became of incidents; returns at once.
    func publish(_ events: [IncidentEvent], _ context: ThreatContext) {
        guard !events.isEmpty else { return }
        if stream != nil || file != nil {
            let documents = events.map { Threat(event: $0, context).json() }
            stream?.offer(documents)
            file?.offer(documents)
        }
        for event in events { report(event) }
    }

    /// Tells the map where an incident that is new, or worse than before, comes from.
    private func report(_ event: IncidentEvent) {
        let incident = event.incident
        guard let sources, incident.state == .opened || incident.state == .escalated,
            let first = incident.topSources.first
        else { return }
        sources.report(
            ip: first.address.text(as: first.family),
            isAttack: true,
            confidence: incident.confidence,
            time: WallTime(nanoseconds: event.time)
        )
    }

    /// Asks all for the end; returns at once.
    func stop() {
        stream?.stop()
        file?.stop()
        sources?.stop()
    }

    /// Ends all, after what waits was brought where that is possible now: within a second of `stop`.
    func finish() {
        stream?.finish()
        file?.finish()
        sources?.finish()
    }
}

extension Logger {
    /// Tells each change of a sink's state in a line.
    var tellsSinks: @Sendable (SinkStatus) -> Void {
        { status in
            let level: Logger.Level = status.state == .working ? .info : .warning
            let cause = status.cause.isEmpty ? "" : ": \(status.cause)"
            log(level: level, "\(status.name) (\(status.address)) is \(status.state.rawValue)\(cause)")
        }
    }
}
