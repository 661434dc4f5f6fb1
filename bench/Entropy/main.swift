import Flows
import Glibc

// Nanoseconds of processor time and bytes a second of the entropy of payloads: histogram and Shannon's sum.
//
//     Entropy [ROUNDS]    default: 40 rounds of about a megabyte each
//
// The payloads are random bytes, letters (skewed, as text is) and zeros, each length in its own buffers, behind one
// another in memory as in a ring.

/// SplitMix64: the same bytes everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

enum Content: String, CaseIterable {
    case random, letters, zeros

    func bytes(count: Int) -> [UInt8] {
        var random = SeededGenerator(state: 7)
        return (0..<count).map { _ in
            switch self {
            case .random: UInt8.random(in: 0...255, using: &random)
            // The least of three: the first letters are the most frequent.
            case .letters:
                97
                    + min(
                        UInt8.random(in: 0..<26, using: &random),
                        UInt8.random(in: 0..<26, using: &random),
                        UInt8.random(in: 0..<26, using: &random)
                    )
            case .zeros: 0
            }
        }
    }
}

/// Nanoseconds that this thread has run: other work on the machine does not count.
func processorTime() -> Int {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

@inline(never)
func measure(_ payloads: [UInt8], length: Int, _ meter: inout EntropyMeter) -> Double {
    let bytes = unsafe payloads.span.bytes
    var sum = 0.0
    var offset = 0
    while offset + length <= bytes.byteCount {
        sum += meter.entropy(of: bytes.extracting(offset..<offset + length)).bits
        offset += length
    }
    return sum
}

func text(_ value: Double, digits: Double = 100) -> String { String((value * digits).rounded() / digits) }

let rounds = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 0 : 40
guard rounds > 0 else {
    print("usage: Entropy [ROUNDS]")
    exit(64)
}
var meter = EntropyMeter()
print("content\tbytes\tns (median, best)\tGB/s (median, best)\tbits per byte")
for content in Content.allCases {
    let payloads = content.bytes(count: 1 << 20)
    for length in [16, 64, 200, 255, 256, 400, 512, 1_400, 9_000, 65_535] {
        let count = payloads.count / length
        var times: [Double] = []
        var sum = 0.0
        for _ in 0..<rounds {
            let start = processorTime()
            sum = measure(payloads, length: length, &meter)
            times.append(Double(processorTime() - start) / Double(count))
        }
        times.sort()
        let (median, best) = (times[rounds / 2], times[0])
        let speeds = "\(text(Double(length) / median))\t\(text(Double(length) / best))"
        print("\(content)\t\(length)\t\(text(median))\t\(text(best))\t\(speeds)\t\(text(sum / Double(count)))")
        print(
            #"{"bench":"Entropy","measure":"\#(content)-\#(length)","ns":\#(text(median)),"best_ns":\#(text(best)),"#
                + #""gb_per_s":\#(text(Double(length) / median)),"bits":\#(text(sum / Double(count), digits: 1e6))}"#
        )
    }
}
