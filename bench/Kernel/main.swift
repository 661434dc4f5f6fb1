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

/// Nanoseconds a run of a program that hangs on egress while frames are sent, by the kernel's own statistics; these cost
/// about 60 ns a run themselves, which the empty program shows.
func timeLive(
    _ program: borrowing Program,
    _ ingress: borrowing Program,
    _ sender: borrowing FrameSender
) throws -> Double {
    let near = Int32(try VethPair.index(of: VethPair.near))
    let attachment = try Attachment(ingress: ingress, egress: program, interface: near)
    let statistics = Descriptor(owning: try check("bpf(BPF_ENABLE_STATS)") { bpf_enable_stats(BPF_STATS_RUN_TIME) })
    var least = Double.infinity
    // The first round enters the clients.
    for round in 0..<6 {
        let before = try runs(of: program)
        try sender.send(clients)
        let after = try runs(of: program)
        let mean = Double(after.nanoseconds - before.nanoseconds) / Double(after.count - before.count)
        if round > 0 { least = min(least, mean) }
    }
    guard try attachment.isAttached() else { throw BPFError.unsupported(what: "an attachment that lasts", since: "") }
    _ = consume statistics
    return least
}

extension weir_client_key {
    /// An IPv4 client of a TCP service.
    init(mapped address: UInt32, port: UInt16) {
        self.init()
        self.port = port
        `protocol` = UInt8(WEIR_TCP)
        unsafe withUnsafeMutableBytes(of: &self.address) { bytes in
            unsafe bytes.storeBytes(of: 0xFFFF, toByteOffset: 10, as: UInt16.self)
            unsafe bytes.storeBytes(of: address.bigEndian, toByteOffset: 12, as: UInt32.self)
        }
    }
}

func runs(of program: borrowing Program) throws -> (count: UInt64, nanoseconds: UInt64) {
    var info = bpf_prog_info()
    var size = UInt32(MemoryLayout<bpf_prog_info>.size)
    let number = program.descriptor.rawValue
    try check("bpf(BPF_OBJ_GET_INFO_BY_FD)") { unsafe bpf_obj_get_info_by_fd(number, &info, &size) }
    return (count: info.run_cnt, nanoseconds: info.run_time_ns)
}

let clients = 65_000

/// 65,000 clients of one service, a frame to each in turn.
func mix() throws {
    let link = PacketBuilder().ethernet()
    let frames = (0..<clients).map { number in
        link.ipv4(from: "192.0.2.1", to: address(number)).tcp(from: 443, to: 40000).payload(count: 10).bytes
    }
    try VethPair.with {
        let sender = try FrameSender(interface: VethPair.near, frames: frames)
        let counting = try watching(interface: VethPair.index(of: VethPair.near))
        let empty = try Program.answering(-1)
        let floor = try timeLive(empty, empty, sender)
        emit("empty tc program, live", floor, "ns")
        let one = try FrameSender(interface: VethPair.near, frames: [frames[0]])
        let single = try timeLive(counting.egress, counting.ingress, one)
        emit("count egress, one client, live, net of empty", single - floor, "ns")
        // In turn, since what else runs on the machine moves both: its caches are what this measures.
        let least = try TableFloor.program(counting.clients)
        var (live, table) = (Double.infinity, Double.infinity)
        for _ in 0..<3 {
            live = min(live, try timeLive(counting.egress, counting.ingress, sender))
            table = min(table, try timeLive(least, empty, sender))
        }
        let address = weir_client_key(mapped: 10 << 24 | 7, port: 443)
        let packets = try counting.clients.value(for: address)?.out.packets ?? 0
        guard packets == 36 else {
            throw BPFError.mismatch(name: "packets of a client", expected: 36, found: Int(packets))
        }
        emit("look-up and two additions, 65,000 clients, live, net of empty", table - floor, "ns")
        emit("count egress, 65,000 clients, live, net of empty", live - floor, "ns")
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
    try emitRun("look-up and two additions, hot", TableFloor.program(counting.clients), answer.bytes)
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
