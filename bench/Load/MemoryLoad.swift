import Glibc
import Linux
import Measuring
import Support

/// What the sensor holds while the mix and then a spoofed flood run, each for the seconds given, and how fast it grows.
enum MemoryLoad {
    static func measure(seconds: Int) throws {
        var measure = Measure("Load", "memory")
        try Traffic.with {
            let sensor = try SensorProcess(interface: VethPair.far)
            let mix = LiveFrames.Variation.clients(UInt32(Traffic.clients))
            try SensorLoad.prepare(mix)
            let start = try sensor.usage()
            let first = try hold(sensor, Traffic.request, mix, seconds)
            let second = try hold(sensor, Traffic.synchronize, .spoofed(ports: Traffic.service), seconds)
            let status = try sensor.statusAtRest()
            let rings = Double(status.kernelMemory.rings)
            let all = first.samples + second.samples
            let most = all.map(\.y).max() ?? 0
            measure.add("seconds", 2 * seconds)
            measure.add("frames_sent", first.sent.frames + second.sent.frames)
            measure.add("frames_per_second_mix", first.sent.perSecond.rounded())
            measure.add("frames_per_second_flood", second.sent.perSecond.rounded())
            measure.add("ring_drops", status.ledger.dropped)
            measure.add("highest_n", status.sampling.history.map(\.n).max() ?? 1)
            measure.add("anonymous_at_start_mib", start.anonymous / 1_048_576)
            measure.add("anonymous_most_mib", most / 1_048_576)
            measure.add("rings_mib", rings / 1_048_576)
            measure.add("anonymous_and_rings_mib", (most + rings) / 1_048_576)
            measure.add("kernel_maps_mib", Double(status.kernelMemory.maps) / 1_048_576)
            measure.add("resident_peak_mib", try sensor.usage().peak / 1_048_576)
            // The first quarter is left out: buffers are still being touched for the first time.
            measure.add("growth_mix_kib_per_minute", growth(first.samples))
            measure.add("growth_flood_kib_per_minute", growth(second.samples))
        }
        measure.show()
    }

    private static func hold(
        _ sensor: SensorProcess,
        _ frame: [UInt8],
        _ variation: LiveFrames.Variation,
        _ seconds: Int
    ) throws -> (sent: Generator.Sent, samples: [(x: Double, y: Double)]) {
        let generator = try Generator(frame, variation)
        var samples: [(x: Double, y: Double)] = []
        for second in 0..<seconds {
            sleep(1)
            samples.append((Double(second), try sensor.usage().anonymous))
        }
        return (try generator.end(), samples)
    }

    private static func growth(_ samples: [(x: Double, y: Double)]) -> Double {
        slope(Array(samples.dropFirst(samples.count / 4))) * 60 / 1_024
    }
}
