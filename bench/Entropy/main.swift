import Flows
import Glibc
import Packets
import Support

// Nanoseconds of processor time, one core:
//
//     payload-CONTENT-BYTES    the entropy of one payload, histogram and Shannon's sum, of random bytes, letters, zeros;
//                              behind one another in memory, as in a ring
//     first-bytes              the same of a flow's first 1,024 bytes that come in packets of 300, from a pool
//     distributions-FEW        one packet into the five sketches of a window: 500 clients of 20 servers
//     distributions-FLOOD      the same where every packet has a new source address and port
//     window-FEW, -FLOOD       the five entropies at a window's end
//     community-id             one identifier
//
//     Entropy [ROUNDS [MEASURE]]    default: 40 rounds of each

/// What is measured: some work over memory made before, and how many units it is.
struct Measure {
    let name: String
    let units: Int
    /// Bytes in a unit, where a speed in bytes a second makes sense.
    var bytes = 0
    let work: () -> Double
}

/// Nanoseconds that this thread has run: other work on the machine does not count.
func processorTime() -> Int {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Bytes of one kind: `random`, `letters` (the first most frequent, as in text), or `zeros`.
func content(_ kind: String, count: Int) -> [UInt8] {
    var random = SeededGenerator(seed: 7)
    return (0..<count).map { _ in
        switch kind {
        case "random": UInt8.random(in: 0...255, using: &random)
        case "letters": 97 + UInt8((0..<3).map { _ in Int.random(in: 0..<26, using: &random) }.min() ?? 0)
        default: 0
        }
    }
}

func payloadMeasure(_ kind: String, length: Int) -> Measure {
    let payloads = content(kind, count: 1 << 20)
    let meters = Box(EntropyMeter())
    return Measure(name: "payload-\(kind)-\(length)", units: payloads.count / length, bytes: length) {
        measurePayloads(payloads, length: length, &meters.value)
    }
}

/// Keeps a value that cannot be copied between rounds.
final class Box<Value: ~Copyable> {
    var value: Value

    init(_ value: consuming Value) {
        self.value = value
    }
}

@inline(never)
func measurePayloads(_ payloads: [UInt8], length: Int, _ meter: inout EntropyMeter) -> Double {
    let bytes = unsafe payloads.span.bytes
    var sum = 0.0
    var offset = 0
    while offset + length <= bytes.byteCount {
        sum += meter.entropy(of: bytes.extracting(offset..<offset + length)).bits
        offset += length
    }
    return sum
}

@inline(never)
func measureFirstBytes(_ payloads: [UInt8], _ pool: inout HistogramPool, _ meter: inout EntropyMeter) -> Double {
    let bytes = unsafe payloads.span.bytes
    var sum = 0.0
    var offset = 0
    while offset + 1_200 <= bytes.byteCount {
        var first = FirstBytes()
        for packet in 0..<4 {
            let start = offset + 300 * packet
            pool.gather(bytes.extracting(start..<start + 300), into: &first, &meter)
        }
        sum += first.entropy(meter).bits
        offset += 1_200
    }
    return sum
}

func firstBytesMeasure() -> Measure {
    let payloads = content("letters", count: 1 << 20)
    let (pools, meters) = (Box(HistogramPool(slots: 64)), Box(EntropyMeter()))
    return Measure(name: "first-bytes", units: payloads.count / 1_200, bytes: 1_024) {
        measureFirstBytes(payloads, &pools.value, &meters.value)
    }
}

/// Packets as one window of the sensor has them: one frame, with its addresses, ports and length written anew.
func packets(spoofed: Bool) -> [Packet] {
    var random = SeededGenerator(seed: 5)
    var frame = PacketBuilder().ethernet().ipv4(from: "10.0.0.0", to: "192.0.2.0").tcp(to: spoofed ? 80 : 443).bytes
    return (0..<50_000).map { _ in
        let client = Int.random(in: 0..<(spoofed ? 1 << 24 : 500), using: &random)
        for byte in 0..<3 { frame[27 + byte] = UInt8(client >> (8 * byte) & 0xFF) }
        frame[33] = UInt8(client % 20)
        frame[34] = 4 + UInt8(client >> 8 & 0x7F)
        frame[35] = UInt8(client & 0xFF)
        let span = unsafe frame.span.bytes
        return Packet(decoding: span, wireLength: frame.count + 64 * Int.random(in: 0..<20, using: &random))
    }
}

@inline(never)
func measureDistributions(_ packets: [Packet], _ distributions: inout TrafficDistributions) -> Double {
    distributions.reset()
    for packet in packets { distributions.count(packet) }
    return Double(distributions.sources.packets)
}

@inline(never)
func entropies(_ distributions: TrafficDistributions) -> Double {
    distributions.sources.entropy.bits + distributions.destinations.entropy.bits
        + distributions.sourcePorts.entropy.bits
        + distributions.destinationPorts.entropy.bits + distributions.sizes.entropy.bits
}

func distributionMeasures(spoofed: Bool) -> [Measure] {
    let packets = packets(spoofed: spoofed)
    let boxed = Box(TrafficDistributions(seed: 7))
    _ = measureDistributions(packets, &boxed.value)
    let name = spoofed ? "flood" : "few"
    return [
        Measure(name: "distributions-\(name)", units: packets.count) {
            measureDistributions(packets, &boxed.value)
        },
        Measure(name: "window-\(name)", units: 1) { entropies(boxed.value) },
    ]
}

@inline(never)
func measureIdentifiers(_ packets: [Packet]) -> Double {
    var sum = 0
    for packet in packets {
        let identifier = CommunityID(
            source: packet.source,
            destination: packet.destination,
            family: packet.family,
            protocolNumber: packet.protocolNumber,
            ports: (source: packet.sourcePort, destination: packet.destinationPort)
        )
        sum += Int(identifier?.ascii[29] ?? 0)
    }
    return Double(sum)
}

func identifierMeasure() -> Measure {
    let packets = packets(spoofed: true)
    return Measure(name: "community-id", units: packets.count) { measureIdentifiers(packets) }
}

func text(_ value: Double) -> String { String((value * 100).rounded() / 100) }

let rounds = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 0 : 40
let only = CommandLine.arguments.count > 2 ? CommandLine.arguments[2] : nil
guard rounds > 0 else {
    print("usage: Entropy [ROUNDS [MEASURE]]")
    exit(64)
}
/// What a name begins with, and what makes its measures: only what is asked for is made.
var makers: [(name: String, make: () -> [Measure])] = []
for kind in ["random", "letters", "zeros"] {
    for length in [16, 64, 200, 256, 512, 1_400, 9_000, 65_535] {
        makers.append(("payload-\(kind)-\(length)", { [payloadMeasure(kind, length: length)] }))
    }
}
makers += [
    ("first-bytes", { [firstBytesMeasure()] }),
    ("few", { distributionMeasures(spoofed: false) }),
    ("flood", { distributionMeasures(spoofed: true) }),
    ("community-id", { [identifierMeasure()] }),
]
let wanted = makers.filter { maker in only.map { $0 == maker.name || $0.hasSuffix("-" + maker.name) } ?? true }
print("\(rounds) rounds; median and best\nmeasure\tns\tns\tGB/s\tGB/s")
for measure in wanted.lazy.flatMap({ $0.make() }) where only == nil || only == measure.name {
    var times: [Double] = []
    times.reserveCapacity(rounds)
    var sum = 0.0
    for _ in 0..<rounds {
        let start = processorTime()
        sum += measure.work()
        times.append(Double(processorTime() - start) / Double(measure.units))
    }
    precondition(sum >= 0, "what is not used is not computed")
    times.sort()
    let (median, best) = (times[rounds / 2], times[0])
    var row = "\(measure.name)\t\(text(median))\t\(text(best))"
    var line = #"{"bench":"Entropy","measure":"\#(measure.name)","units":\#(measure.units),"#
    line += #""ns":\#(text(median)),"best_ns":\#(text(best))"#
    if measure.bytes > 0 {
        let (speed, bestSpeed) = (Double(measure.bytes) / median, Double(measure.bytes) / best)
        row += "\t\(text(speed))\t\(text(bestSpeed))"
        line += #","gb_per_s":\#(text(speed)),"best_gb_per_s":\#(text(bestSpeed))"#
    }
    print(row)
    print(line + "}")
}
