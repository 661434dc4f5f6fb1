import Glibc
import Linux
import Measuring
import Support

/// The whole sensor, `weir run`, under the generator: errors, losses, and what it costs.
enum SensorLoad {
    /// - Parameter settings: of the sensor, such as `SAMPLE_N=64`.
    static func measure(
        _ name: String,
        _ frame: [UInt8],
        _ variation: LiveFrames.Variation,
        settings: [String],
        seconds: Int
    ) throws {
        var measure = Measure("Load", name)
        try Traffic.with {
            let sensor = try SensorProcess(interface: VethPair.far, settings: settings)
            try prepare(variation)
            let before = try sensor.statusAtRest()
            let usageBefore = try sensor.usage()
            let generator = try Generator(frame, variation)
            sleep(UInt32(seconds))
            let sent = try generator.end()
            usleep(200_000)
            let usage = try sensor.usage()
            let after = try sensor.statusAtRest()

            measure.note("settings", settings.isEmpty ? "defaults" : settings.joined(separator: " "))
            measure.note("frames", "\(frame.count) bytes, one sending processor")
            measure.add("seconds", seconds)
            measure.add("frames_per_second", sent.perSecond.rounded())
            try addErrors(sent, before, after, to: &measure)
            addCost(Double(sent.frames), usageBefore, usage, before, after, seconds, to: &measure)
            measure.add("anonymous_mib", try sensor.usage().anonymous / 1_048_576)
            measure.add("rings_mib", Double(after.kernelMemory.rings) / 1_048_576)
            measure.add("kernel_maps_mib", Double(after.kernelMemory.maps) / 1_048_576)
        }
        measure.show()
    }

    /// Lets the clients in, once the sensor has seen the service: it looks every two seconds.
    static func prepare(_ variation: LiveFrames.Variation) throws {
        guard case .clients = variation else { return }
        sleep(3)
        try Traffic.answerClients()
    }

    static func addErrors(
        _ sent: Generator.Sent,
        _ before: SensorProcess.Status,
        _ after: SensorProcess.Status,
        to measure: inout Measure
    ) throws {
        guard let start = before.interfaces.first?.rx, let end = after.interfaces.first?.rx else {
            throw SensorProcess.Failure("the sensor watches nothing")
        }
        let (old, new) = (before.ledger, after.ledger)
        measure.add("frames_sent", sent.frames)
        measure.add("error_frames", distance(sent.frames, (end.frames ?? 0) - (start.frames ?? 0)))
        measure.add("error_packets", distance(sent.frames, end.packets - start.packets))
        measure.add("error_bytes", distance(sent.bytes, end.bytes - start.bytes))
        measure.add("error_offered", distance(sent.frames, new.offered - old.offered))
        measure.add("ring_drops", new.dropped - old.dropped)
        measure.add("shed", new.shed - old.shed)
        measure.add("residue", new.residue)
        measure.add("malformed", new.malformed - old.malformed)
        let (offered, kept) = (Double(new.offered - old.offered), Double(new.kept - old.kept))
        measure.add("crossed_share", kept / offered)
        // The budget lets 50,000 frames a second of each class pass, whatever the rate; a second begun counts whole.
        let budget = 50_000 * (Double(sent.frames) / sent.perSecond + 1).rounded(.up)
        measure.add("crossed_share_above_budget", max(0, kept - budget) / offered)
    }

    private static func addCost(
        _ frames: Double,
        _ before: Usage,
        _ after: Usage,
        _ start: SensorProcess.Status,
        _ end: SensorProcess.Status,
        _ seconds: Int,
        to measure: inout Measure
    ) {
        let processor = after.processor - before.processor
        let read = Double(end.ledger.read - start.ledger.read)
        let (old, new) = (before.threads("sample-"), after.threads("sample-"))
        measure.add("sensor_cpu_seconds", processor / 1e9)
        measure.add("sensor_cpu_ns_per_frame_sent", processor / frames)
        measure.add("worker_cpu_ns_per_frame_read", (new.processor - old.processor) / read)
        measure.add("worker_user_ns_per_frame_read", (new.user - old.user) / read)
    }
}
