import BPF
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
    let padding = String(repeating: " ", count: max(1, 48 - measure.count))
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

/// Loaded counters that watch loopback, with a service on TCP port 443.
func watching(clients: Int = 65_536) throws -> Counting {
    let counting = try Counting(clients: clients)
    var entry = weir_interface()
    entry.options = UInt64(WEIR_INTERFACE_LOCAL_PORTS)
    try counting.interfaces.set(entry, for: 1)
    counting.serviceOf[443] = 1
    return counting
}

/// The mean time of a frame of each of many clients in turn: one timed run each, the clock's and the kernel's set-up
/// included alike for every program.
func timeMix(_ program: borrowing Program, _ frames: [Program.TestFrame]) throws -> Double {
    var total = 0.0
    for frame in frames { total += Double(try program.run(frame).nanosecondsPerRun) }
    return total / Double(frames.count)
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

    let clients = 65_000
    let frames = (0..<clients).map { number in
        Program.TestFrame(
            link.ipv4(from: "192.0.2.1", to: address(number)).tcp(from: 443, to: 40000).payload(count: 10).bytes
        )
    }
    for frame in frames { try counting.egress.run(frame) }
    let mixFloor = try timeMix(empty, frames)
    let mix = try timeMix(counting.egress, frames)
    emit("empty, one run each of 65,000 clients", mixFloor, "ns")
    emit("count egress, one run each of 65,000 clients", mix, "ns")
    emit("count egress, 65,000 clients, net of empty", mix - mixFloor, "ns")

    for processors in [1, 2, 12, 13, 64] {
        let layout = PortLayout.fitting(processors: processors, clients: 65_536)
        let bytes = PortLayout.kernelMemory(layout, processors: processors, clients: 65_536)
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
