import Glibc
import Measuring

// Nanoseconds of processor time per packet over one capture file in the page cache, each stage with all before it:
//
//     read       takes each frame out of the file and touches it
//     decode     also decodes its headers
//     lookup     also finds its flow, in tables that hold all flows of the file, one packet after another
//     features   decodes, and counts each packet to its flow with all that its features need, a batch at a time; flows end
//                by time and flags, and their records are handed out
//     values     also computes the 76 features of each record
//     csv        also writes them into memory as a row of 84 columns
//     entropy    as `features`, with the entropy of the first payload bytes
//     workers-2  as `values`, by two threads that each read the whole file: wall time, and that of one beside it
//     flood      20 million packets of as many sources among 4,000 established flows
//     collisions flows whose keys fall together under the seed of a replay, beside flows that do not
//     chains     headers in chains of growing length
//
//     Flows [ROUNDS [MEASURE [FILE]]]    default: 5 rounds of each stage over a file made for it, then the hostile ones
//     Flows make FILE [PACKETS FLOWS]    only writes the file
//
// Rounds are read from one table, one behind the other in time, so that all but the first find it as a sensor does.

let stages = ["read", "decode", "lookup", "features", "values", "csv", "entropy", "workers-2"]
let hostile = ["flood", "collisions", "chains"]
var arguments = Array(CommandLine.arguments.dropFirst())

func make(_ path: String, packets: Int = 1_200_000, flows: Int = 80_000) throws {
    var mix = Mix(packets: packets, flows: flows)
    try mix.write(to: path)
    var measure = Measure("Flows", "mix")
    measure.add("packets", mix.packets)
    measure.add("frame_bytes", mix.bytes)
    measure.add("flows", mix.flowCount)
    measure.add("tcp_flows", mix.tcp)
    measure.add("udp_flows", mix.udp)
    measure.add("ping_flows", mix.pings)
    measure.add("probes", mix.probes)
    measure.add("ipv6_flows", mix.ipv6)
    measure.add("arp_packets", mix.arp)
    measure.add("tagged_percent", 100 * Double(mix.tagged) / Double(mix.packets))
    for (place, name) in ["to_128", "to_512", "to_1024", "longer"].enumerated() {
        measure.add(name + "_percent", 100 * Double(mix.sizes[place]) / Double(mix.packets))
    }
    measure.show()
}

func usage() -> Never {
    print("usage: Flows [ROUNDS [\((stages + hostile).joined(separator: "|")) [FILE]]] | make FILE [PACKETS FLOWS]")
    exit(64)
}

if arguments.first == "make" {
    guard arguments.count == 2 || arguments.count == 4 else { usage() }
    let numbers = arguments.dropFirst(2).compactMap { Int($0) }
    if numbers.count == 2 {
        try make(arguments[1], packets: numbers[0], flows: numbers[1])
    } else {
        try make(arguments[1])
    }
    exit(0)
}
let rounds = arguments.isEmpty ? 5 : Int(arguments[0]) ?? 0
let only = arguments.count > 1 ? arguments[1] : nil
guard rounds > 0, arguments.count <= 3, only.map({ (stages + hostile).contains($0) }) ?? true else { usage() }

let chosen = stages.filter { only == nil || only == $0 }
if !chosen.isEmpty {
    let given = arguments.count > 2 ? arguments[2] : nil
    let path = given ?? "/tmp/weir-bench-flows-\(getpid()).pcap"
    if given == nil { try make(path) }
    defer { if given == nil { _ = unsafe unlink(path) } }
    let pipeline = Pipeline(path)
    for stage in chosen { try pipeline.run(stage, rounds: rounds) }
}
if only == nil || only == "flood" { flood() }
if only == nil || only == "collisions" { collisions(rounds: rounds) }
if only == nil || only == "chains" { chains(rounds: rounds) }
