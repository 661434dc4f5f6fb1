import Flows
import Logging
import Publishing
import Reports

/// Where flows go beyond this host: the sinks that the configuration switched on. Used by the coordinator alone.
final class FlowPublisher {
    private let stream: Sink?
    private let file: Sink?
    private let service: Sink?
    private let settings: Configuration.Publish.Flows
    private let profile: FlowProfile
    /// Named in each flow where the service takes them one by one.
    private let clientID: String?
    private let resourceID: String?
    private let json: FlowJSON
    private let csv: FlowCSV

    /// Starts a thread for each sink.
    /// - Parameter redis: with its password.
    init(_ configuration: Configuration, redis: RedisAddress, logger: Logger) throws(SensorError) {
        settings = configuration.publish.flows
        profile = configuration.flows.profile
        json = FlowJSON(profile, entropy: configuration.flows.entropy)
        csv = FlowCSV(profile)
        let onChange = logger.tellsSinks
        do {
            stream =
                settings.stream.isEmpty
                ? nil
                : try Sink(
                    flows: StreamSettings(
                        address: redis,
                        key: settings.stream,
                        length: settings.length,
                        queue: settings.queue
                    ),
                    onChange: onChange
                )
            let header = settings.format == .csv ? Array(FlowCSV.columns.joined(separator: ",").utf8) : []
            file = try configuration.flowFile.map { [settings] path in
                try Sink(
                    flows: LineFileSettings(
                        path: path,
                        size: settings.size,
                        keep: settings.keep,
                        header: header,
                        queue: settings.queue
                    ),
                    onChange: onChange
                )
            }
            let prediction = try settings.service.map { [settings] address in
                try PredictionSettings(
                    address: address,
                    clientID: configuration.publish.clientID,
                    resourceID: configuration.resourceID,
                    queue: settings.queue
                )
            }
            service = try prediction.map { try Sink(flows: $0, onChange: onChange) }
            clientID = prediction?.mode == .buffered ? configuration.publish.clientID : nil
            resourceID = prediction?.mode == .buffered ? configuration.resourceID : nil
        } catch {
            throw .start("cannot start publishing flows: \(error)")
        }
    }

    /// How it goes with each; empty when none is switched on.
    var statuses: [SinkStatus] { sinks.map(\.status) }

    private var sinks: [Sink] { [stream, file, service].compactMap(\.self) }

    /// Hands over what a window holds; returns at once. Interim records stand in JSON alone: elsewhere a row is a whole flow.
    func publish(_ records: [FlowRecord]) {
        guard !records.isEmpty else { return }
        let isFileJSON = settings.format == .json
        if stream != nil || (file != nil && isFileJSON) {
            let documents = records.map { object($0) }
            stream?.offer(documents)
            if isFileJSON { file?.offer(documents) }
        }
        let whole = service == nil && isFileJSON ? [] : records.filter { $0.end != .interim && csv.hasRow(for: $0) }
        if let file, !isFileJSON { file.offer(whole.map { row($0) }) }
        service?.offer(whole.map { fields($0) })
    }

    private func object(_ record: FlowRecord) -> [UInt8] {
        var writer = JSONWriter()
        json.write(record, to: &writer)
        return writer.bytes
    }

    private func row(_ record: FlowRecord) -> [UInt8] {
        var text = TextBuffer(capacity: 1_024)
        csv.write(record, to: &text)
        let bytes = text.bytes
        // Without its line feed.
        return (0..<max(0, bytes.byteCount - 1)).map { unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    }

    private func fields(_ record: FlowRecord) -> [UInt8] {
        var writer = JSONWriter()
        PredictionFields(record, profile: profile).json(into: &writer, client: clientID, resource: resourceID)
        return writer.bytes
    }

    /// Asks all for the end; returns at once.
    func stop() {
        for sink in sinks { sink.stop() }
    }

    /// Ends all, after what waits was brought where that is possible now: within a second of `stop`.
    func finish() {
        for sink in sinks { sink.finish() }
    }
}
