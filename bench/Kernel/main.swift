import BPF
import CLibBPF
import Glibc
import KernelABI
import Linux
import Support

// What the kernel programs cost: nanoseconds a run beside an empty program, and the memory of their maps.

/// Runs of one sample, and samples: the least is reported, since whatever else the machine does only adds.
let runs: Int32 = 10_000
let samples = 400

func emit(_ measure: String, _ value: Double, _ unit: String) {
    let text = value == value.rounded() ? "\(Int(value))" : "\((value * 10).rounded() / 10)"
    let padding = String(repeating: " ", count: max(1, 64 - measure.count))
    print("\(measure)\(padding)\(text) \(unit)")
    print(#"{"bench":"kernel","measure":"\#(measure)","value":\#(text),"unit":"\#(unit)"}"#)
}

/// The least time of a run on one frame.
func time(_ program: borrowing Program, _ frame: Program.TestFrame) throws -> Double {
    var least = UInt32.max
    for _ in 0..<samples { least = min(least, try program.run(frame, times: runs).nanosecondsPerRun) }
    return Double(least)
}

func address(_ number: Int) -> String { "10.\(number >> 16 & 0xFF).\(number >> 8 & 0xFF).\(number & 0xFF)" }

/// Loaded counters that watch one interface, with a service on TCP port 443.
func watching(interface: UInt32 = 1) throws -> Counting {
    let counting = try Counting()
    var entry = weir_interface()
    entry.options = UInt64(WEIR_INTERFACE_LOCAL_PORTS)
    try counting.interfaces.set(entry, for: interface)
    counting.serviceOf[443] = 1
    return counting
}

/// Programs on one end of a veth pair, and what a run of one of them takes while frames pass: the least of several rounds,
/// by the kernel's own statistics. These cost about 40 ns a run themselves, which the empty program shows.
func timeLive(
    _ program: borrowing Program,
    ingress: borrowing Program,
    egress: borrowing Program,
    on interface: UInt32,
    rounds: Int = 5,
    _ sender: borrowing FrameSender,
    _ count: Int
) throws -> Double {
    let attachment = try Attachment(ingress: ingress, egress: egress, interface: Int32(interface))
    let statistics = Descriptor(owning: try check("bpf(BPF_ENABLE_STATS)") { bpf_enable_stats(BPF_STATS_RUN_TIME) })
    var least = Double.infinity
    // The first round warms up.
    for round in 0...rounds {
        let before = try runs(of: program)
        try sender.send(count)
        let after = try runs(of: program)
        let mean = Double(after.nanoseconds - before.nanoseconds) / Double(after.count - before.count)
        if round > 0 { least = min(least, mean) }
    }
    guard try attachment.isAttached() else { throw BPFError.unsupported(what: "an attachment that lasts", since: "") }
    _ = consume statistics
    return least
}

func runs(of program: borrowing Program) throws -> (count: UInt64, nanoseconds: UInt64) {
    var info = bpf_prog_info()
    var size = UInt32(MemoryLayout<bpf_prog_info>.size)
    let number = program.descriptor.rawValue
    try check("bpf(BPF_OBJ_GET_INFO_BY_FD)") { unsafe bpf_obj_get_info_by_fd(number, &info, &size) }
    return (count: info.run_cnt, nanoseconds: info.run_time_ns)
}

let clients = 65_000

/// Frames whose client is next each time, with the locality of real traffic: a client's rate falls with its rank (Zipf's law
/// with exponent 1: the first of 65,000 has 9 %, the busiest hundred 45 %), and frames come in trains of four on average,
/// geometrically distributed, as a window of TCP or an answer of several packets does.
func localMix(_ count: Int) -> [Int] {
    var generator = SeededGenerator(seed: 1)
    var sums: [Double] = []
    var sum = 0.0
    for rank in 1...clients {
        sum += 1 / Double(rank)
        sums.append(sum)
    }
    let byRank = Array(0..<clients).shuffled(using: &generator)
    var mix: [Int] = []
    while mix.count < count {
        let drawn = Double.random(in: 0..<sum, using: &generator)
        var (low, high) = (0, clients - 1)
        while low < high {
            let middle = (low + high) / 2
            if sums[middle] < drawn { low = middle + 1 } else { high = middle }
        }
        repeat { mix.append(byRank[low]) } while mix.count < count && Int.random(in: 0..<4, using: &generator) > 0
    }
    return mix
}

/// What the table of clients lacks of `frames` and of the first frame of each.
func difference(_ counting: borrowing Counting, _ frames: Int) -> Int {
    var counted = 0
    counting.clients.forEach { _, volume in counted += Int(volume.in.packets + volume.out.packets) }
    return frames + clients - counted
}

/// What the memory of this machine takes for one access that waits for the one before, over as much as the clients' entries
/// and counters take, in pages of 4 KiB as theirs: what one frame of a client that is not in the cache cannot go below.
func memoryLatency() -> Double {
    let count = (6 << 20) / 64
    var generator = SeededGenerator(seed: 3)
    var next = [Int](repeating: 0, count: count * 8)
    let order = (0..<count).shuffled(using: &generator)
    for (place, following) in zip(order, order.dropFirst() + order.prefix(1)) { next[place * 8] = following * 8 }
    var (least, place) = (Double.infinity, 0)
    for _ in 0..<10 {
        let start = Clock.monotonic.now()
        for _ in 0..<count { place = next[place] }
        least = min(least, Double(Clock.monotonic.now() - start) / Double(count))
    }
    // Never so: the compiler does not know.
    return place < 0 ? 0 : least
}

/// One service and its clients, which entered in no order. Three mixes: one client; each of them in turn, the worst there
/// is, since nothing of a client is left in the cache when it comes again; and the mix of `localMix`.
func mix() throws {
    let link = PacketBuilder().ethernet()
    let answers = (0..<clients).map { number in
        link.ipv4(from: "192.0.2.1", to: address(number)).tcp(from: 443, to: 40000).payload(count: 10).bytes
    }
    let requests = (0..<clients).map { number in
        link.ipv4(from: address(number), to: "192.0.2.1").tcp(from: 40000, to: 443).payload(count: 10).bytes
    }
    try VethPair.with {
        let (near, far) = (try VethPair.index(of: VethPair.near), try VethPair.index(of: VethPair.far))
        let empty = try Program.answering(-1)
        let outward = try watching(interface: near)
        let inward = try watching(interface: far)
        var generator = SeededGenerator(seed: 2)
        for number in (0..<clients).shuffled(using: &generator) {
            try outward.egress.run(Program.TestFrame(answers[number], interface: near))
            try inward.egress.run(Program.TestFrame(answers[number], interface: far))
        }
        // Half an hour later: no handshake is open any more.
        outward.clients.sweep[0] += 180
        inward.clients.sweep[0] += 180
        let local = localMix(4 * clients)
        var floor = Double.infinity
        for (name, order) in [("one client", [0]), ("65,000 in turn", Array(0..<clients)), ("65,000, local", local)] {
            let count = max(order.count, clients)
            let out = try FrameSender(interface: VethPair.near, frames: order.map { answers[$0] })
            let into = try FrameSender(interface: VethPair.near, frames: order.map { requests[$0] })
            var (sent, received) = (Double.infinity, Double.infinity)
            // In turn, since what else runs on the machine moves them all.
            for _ in 0..<3 {
                floor = min(floor, try timeLive(empty, ingress: empty, egress: empty, on: near, out, count))
                sent = min(
                    sent,
                    try timeLive(outward.egress, ingress: empty, egress: outward.egress, on: near, out, count)
                )
                received = min(
                    received,
                    try timeLive(inward.ingress, ingress: inward.ingress, egress: empty, on: far, into, count)
                )
            }
            emit("count egress, \(name), live, net of empty", sent - floor, "ns")
            emit("count ingress, \(name), live, net of empty", received - floor, "ns")
        }
        emit("empty tc program, live", floor, "ns")
        emit("an access to 6 MiB of memory, each after the other", memoryLatency(), "ns")
        let frames = 18 * (2 * clients + local.count)
        emit("frames of clients, sent and counted, difference", Double(difference(outward, frames)), "frames")
        emit("frames of clients, received and counted, difference", Double(difference(inward, frames)), "frames")
    }
}

func main() throws {
    let empty = try Program.answering(-1)
    let emptyFilter = try Program.answering(0, .socketFilter)
    let link = PacketBuilder().ethernet()
    let other = link.ipv4(from: "10.0.0.9").tcp(from: 40000, to: 22).payload(count: 100)
    let request = link.ipv4(from: "10.0.0.9", to: "10.0.0.2").tcp(from: 40000, to: 443).payload(count: 100)
    let answer = link.ipv4(from: "10.0.0.2", to: "10.0.0.9").tcp(from: 443, to: 40000).payload(count: 100)
    let request6 = link.ipv6().tcp(from: 40000, to: 443).payload(count: 100)

    let counting = try watching()
    let floor = try time(empty, Program.TestFrame(other.bytes))
    emit("empty tc program, hot", floor, "ns")
    func emitRun(_ name: String, _ program: borrowing Program, _ frame: [UInt8]) throws {
        let ns = try time(program, Program.TestFrame(frame))
        emit(name, ns, "ns")
        emit(name + ", net of empty", ns - floor, "ns")
    }
    try emitRun("count ingress, no service, hot", counting.ingress, other.bytes)
    try emitRun("count egress, no service, hot", counting.egress, other.bytes)
    // The first answer enters the client.
    try counting.egress.run(Program.TestFrame(answer.bytes))
    try emitRun("count ingress, client of a service, hot", counting.ingress, request.bytes)
    try emitRun("count egress, client of a service, hot", counting.egress, answer.bytes)
    try emitRun("count ingress, IPv6 service, no client, hot", counting.ingress, request6.bytes)

    let filter = try Sampling()
    let head = [UInt8](repeating: 0, count: 14)
    let filterFloor = try time(emptyFilter, Program.TestFrame(head + other.bytes))
    emit("empty socket filter, hot", filterFloor, "ns")
    for oneIn: UInt32 in [1, 64] {
        filter.parameters[0].one_in = oneIn
        let ns = try time(filter.filter, Program.TestFrame(head + other.bytes))
        emit("sample, N = \(oneIn), hot", ns, "ns")
        emit("sample, N = \(oneIn), hot, net of empty", ns - filterFloor, "ns")
    }

    try mix()

    for processors in [1, 2, 8, 9, 13, 14, 64] {
        let layout = TableLayout.fitting(processors: processors, clients: 65_536)
        let bytes = TableLayout.kernelMemory(layout, processors: processors, clients: 65_536)
        emit("maps at \(processors) CPUs, \(layout.rawValue), computed", Double(bytes) / 1_048_576, "MiB")
    }
    emit("maps here, as the kernel accounts", Double(try counting.kernelMemory()) / 1_048_576, "MiB")
    emit("sampling maps of one interface", Double(try filter.kernelMemory()) / 1_048_576, "MiB")
    let start = Clock.monotonic.now()
    _ = try watching()
    emit("loading the counting programs", Double(Clock.monotonic.now() - start) / 1_000_000, "ms")
}

do {
    try main()
} catch {
    print("\(error)")
    exit(1)
}
