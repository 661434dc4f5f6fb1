import Glibc
import Linux
import Measuring
import Support

/// The sensor is stopped for most of each half second while the generator goes on: rings overflow, N rises by itself, and
/// falls again once the sensor may run.
enum OverloadLoad {
    private static let patience: Int64 = 150_000_000_000

    static func measure() throws {
        var measure = Measure("Load", "overload")
        try Traffic.with {
            let sensor = try SensorProcess(interface: VethPair.far)
            try SensorLoad.prepare(.clients(UInt32(Traffic.clients)))
            let before = try sensor.statusAtRest()
            let generator = try Generator(Traffic.request, .clients(UInt32(Traffic.clients)))
            let start = Clock.monotonic.now()
            for _ in 0..<16 {
                sensor.signal(SIGSTOP)
                usleep(400_000)
                sensor.signal(SIGCONT)
                usleep(100_000)
            }
            let pulses = Clock.monotonic.now()
            var status = try sensor.status()
            while status.sampling.n > 1, Clock.monotonic.now() - pulses < patience {
                usleep(500_000)
                status = try sensor.status()
            }
            let fall = Clock.monotonic.now() - pulses
            let sent = try generator.end()
            let after = try sensor.statusAtRest()
            let history = after.sampling.history
            measure.note("load", "SIGSTOP for 400 ms of each 500 ms, \((pulses - start) / 1_000_000_000) s long")
            let changes = history.map { "\($0.timestamp) N=\($0.n) \($0.state): \($0.reason)" }
            measure.note("history", changes.joined(separator: "; "))
            measure.add("frames_per_second", sent.perSecond.rounded())
            measure.add("changes", history.count)
            measure.add("highest_n", history.map(\.n).max() ?? 1)
            measure.add("final_n", after.sampling.n)
            measure.add("seconds_until_normal", Double(fall) / 1e9)
            try SensorLoad.addErrors(sent, before, after, to: &measure)
        }
        measure.show()
    }
}
