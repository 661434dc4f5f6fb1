import Glibc

// The sensor under load, sent by the kernel at the rate that one processor can (see LiveFrames). Needs root; everything
// happens in network namespaces of its own.
//
//     Load [SECONDS [NAME]]      default: 8 seconds each of all
//
// counting-hot, counting-mix     the counting programs alone, on one flow and on 65,000 clients of a service
// sensor-n1, -n8, -n64, -hot     `weir run` on the 65,000 clients with N = 1, 8, 64, and with N = 1 on one flow
// flood-syn, flood-udp           `weir run` with N = 64 under frames of random source addresses and ports
// estimates                      the sampling filter at N = 64: totals told from the kept frames against the exact ones
// counts                         `weir run` under callgrind: instructions, allocations, retains and locks a frame
// overload                       `weir run` that is stopped again and again: N rises by itself, and falls
// memory                         `weir run` on the mix, then under a flood: what it holds, and how fast that grows

let arguments = CommandLine.arguments
let seconds = arguments.count > 1 ? Int(arguments[1]) ?? 0 : 8
let only = arguments.count > 2 ? arguments[2] : nil
guard seconds > 0 else {
    print("usage: Load [SECONDS [NAME]]")
    exit(64)
}
guard geteuid() == 0 else {
    print("Load needs root: it makes network namespaces and loads programs into the kernel")
    exit(77)
}

let mix = LiveFrames.Variation.clients(UInt32(Traffic.clients))
let spoofed = LiveFrames.Variation.spoofed(ports: Traffic.service)
func sensor(_ name: String, _ frame: [UInt8], _ variation: LiveFrames.Variation, n: Int) -> () throws -> Void {
    { try SensorLoad.measure(name, frame, variation, settings: ["SAMPLE_N=\(n)"], seconds: seconds) }
}
let measures: [(name: String, run: () throws -> Void)] = [
    ("counting-hot", { try CountingLoad.measure("counting-hot", .none, seconds: seconds) }),
    ("counting-mix", { try CountingLoad.measure("counting-mix", mix, seconds: seconds) }),
    ("sensor-n1", sensor("sensor-n1", Traffic.request, mix, n: 1)),
    ("sensor-n8", sensor("sensor-n8", Traffic.request, mix, n: 8)),
    ("sensor-n64", sensor("sensor-n64", Traffic.request, mix, n: 64)),
    ("sensor-hot", sensor("sensor-hot", Traffic.request, .none, n: 1)),
    ("flood-syn", sensor("flood-syn", Traffic.synchronize, spoofed, n: 64)),
    ("flood-udp", sensor("flood-udp", Traffic.request, spoofed, n: 64)),
    ("estimates", { try EstimateLoad.measure(seconds: seconds) }),
    ("counts", { try CountedLoad.measure() }),
    ("overload", { try OverloadLoad.measure() }),
    ("memory", { try MemoryLoad.measure(seconds: seconds) }),
]
guard only == nil || measures.contains(where: { $0.name == only }) else {
    print("Load: there is no measure \(only ?? ""); choose from \(measures.map(\.name).joined(separator: ", "))")
    exit(64)
}
var failed = false
for measure in measures where only == nil || only == measure.name {
    do {
        try measure.run()
    } catch {
        print("Load: \(measure.name) failed: \(error)")
        failed = true
    }
}
exit(failed ? 1 : 0)
