import BPF
import Glibc
import KernelABI
import Linux
import Measuring
import Support

/// The counting programs alone: exact at the generator's full rate, and what they cost a packet there.
enum CountingLoad {
    static func measure(_ name: String, _ variation: LiveFrames.Variation, seconds: Int) throws {
        var measure = Measure("Load", name)
        try Traffic.with {
            let interface = try VethPair.index(of: VethPair.far)
            let counting = try Counting(clients: 65_536)
            var entry = weir_interface()
            entry.options = UInt64(WEIR_INTERFACE_LOCAL_PORTS)
            try counting.interfaces.set(entry, for: interface)
            let key = Int(WEIR_UDP) << 16 | Int(Traffic.service)
            counting.serviceOf[key] = 1
            let attachment = try Attachment(
                ingress: counting.ingress,
                egress: counting.egress,
                interface: Int32(bitPattern: interface)
            )
            if case .clients = variation { try Traffic.answerClients() }

            // The rate and the error, with nothing in the way.
            let before = try totals(counting, interface)
            let linkBefore = try Traffic.received()
            let generator = try Generator(Traffic.request, variation)
            sleep(UInt32(seconds))
            let sent = try generator.end()
            let after = try totals(counting, interface)
            measure.note("frames", "\(Traffic.request.count) bytes, one sending processor")
            measure.add("seconds", seconds)
            measure.add("frames_per_second", sent.perSecond.rounded())
            measure.add("frames_sent", sent.frames)
            measure.add("interface_lost_frames", sent.frames - (try Traffic.received() - linkBefore))
            measure.add("error_frames", distance(sent.frames, after.frames - before.frames))
            measure.add("error_packets", distance(sent.frames, after.total.packets - before.total.packets))
            measure.add("error_bytes", distance(sent.bytes, after.total.bytes - before.total.bytes))
            if case .clients = variation { addClients(counting, sent, to: &measure) }

            try addCost(counting.ingress, interface, variation, seconds, to: &measure)
            guard try attachment.isAttached() else { throw BPFError.unsupported(what: "staying attached", since: "?") }
        }
        measure.show()
    }

    /// The kernel times our program and an empty one on the same frames.
    private static func addCost(
        _ program: borrowing Program,
        _ interface: UInt32,
        _ variation: LiveFrames.Variation,
        _ seconds: Int,
        to measure: inout Measure
    ) throws {
        let empty = try Program.answering(-1, name: "empty")
        let other = try Attachment(ingress: empty, egress: empty, interface: Int32(bitPattern: interface))
        let statistics = try ProgramStatistics()
        let (ours, nothing) = (try ProgramStatistics.runs(of: program), try ProgramStatistics.runs(of: empty))
        let generator = try Generator(Traffic.request, variation)
        sleep(UInt32(seconds))
        _ = try generator.end()
        let cost = try ProgramStatistics.runs(of: program).perRun(since: ours)
        let floor = try ProgramStatistics.runs(of: empty).perRun(since: nothing)
        measure.add("kernel_ns", cost)
        measure.add("empty_program_ns", floor)
        measure.add("kernel_net_ns", cost - floor)
        guard try other.isAttached() else { throw BPFError.unsupported(what: "staying attached", since: "?") }
        _ = consume statistics
    }

    /// Every frame came from a client that had entered: the table's sum is the generator's count.
    private static func addClients(
        _ counting: borrowing Counting,
        _ sent: Generator.Sent,
        to measure: inout Measure
    ) {
        var (count, packets) = (0, UInt64(0))
        counting.clients.forEach { _, volume in
            count += 1
            packets += volume.in.packets
        }
        measure.add("clients", count)
        measure.add("error_client_packets", distance(sent.frames, packets))
    }

    private static func totals(_ counting: borrowing Counting, _ interface: UInt32) throws -> weir_direction {
        try counting.interfaces.value(for: interface)?.rx ?? weir_direction()
    }
}

func distance(_ left: UInt64, _ right: UInt64) -> UInt64 { left > right ? left - right : right - left }
