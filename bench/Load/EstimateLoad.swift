import BPF
import Capture
import Flows
import Glibc
import KernelABI
import Linux
import Measuring
import Packets
import Support

/// Under a spoofed flood of SYNs at N = 64: how many went to one of four ports, told from the frames that crossed, against
/// what the kernel counted on that port.
enum EstimateLoad {
    private static let rounds = 20

    static func measure(seconds: Int) throws {
        var measure = Measure("Load", "estimates")
        var (worst, within, error) = (0.0, 0, 0.0)
        var crossed = SamplingCounters()
        try Traffic.with {
            let interface = try VethPair.index(of: VethPair.far)
            let counting = try Counting(clients: 65_536)
            var entry = weir_interface()
            entry.options = UInt64(WEIR_INTERFACE_LOCAL_PORTS)
            try counting.interfaces.set(entry, for: interface)
            let attachment = try Attachment(
                ingress: counting.ingress,
                egress: counting.egress,
                interface: Int32(bitPattern: interface)
            )
            let filter = try BPF.Sampling()
            filter.parameters[0] = weir_sampling(one_in: 64, budget: 50_000, snap: 256, snap_first: 1_600)
            guard var geometry = RingGeometry.sharing(rings: 1) else { return }
            let socket = try PacketSocket(
                interface: interface,
                geometry: &geometry,
                filter: filter.filter.descriptor.rawValue
            )
            var ring = try Ring(socket, geometry: geometry)
            let port = WEIR_TCP << 16 | UInt32(Traffic.service)
            for _ in 0..<rounds {
                let offeredBefore = try class0(filter)
                let exactBefore = try counting.ports.value(for: port)?.in.packets ?? 0
                let generator = try Generator(Traffic.synchronize, .spoofed(ports: Traffic.service))
                var kept: UInt64 = 0
                let end = Clock.monotonic.now() + Int64(seconds) * 1_000_000_000 / Int64(rounds)
                while Clock.monotonic.now() < end { try read(&ring, &kept) }
                _ = try generator.end()
                for _ in 0..<3 { try read(&ring, &kept) }

                let sampled = try class0(filter).since(offeredBefore)
                let exact = (try counting.ports.value(for: port)?.in.packets ?? 0) - exactBefore
                guard let estimate = sampled.estimate(count: kept) else { continue }
                let distance = abs(estimate.total - Double(exact)) / estimate.standardError
                worst = max(worst, distance)
                within += distance <= 2 ? 1 : 0
                error += estimate.standardError / estimate.total / Double(rounds)
                crossed += sampled
            }
            try ring.updateStatistics()
            measure.add("ring_drops", ring.statistics.dropped)
            guard try attachment.isAttached() else { throw BPFError.unsupported(what: "staying attached", since: "?") }
        }
        measure.add("rounds", rounds)
        measure.add("crossed_share", Double(crossed.kept) / Double(crossed.offered))
        measure.add("stated_error_percent", error * 100)
        measure.add("within_two_errors_share", Double(within) / Double(rounds))
        measure.add("worst_in_errors", worst)
        measure.show()
    }

    /// All of the flood is of one class.
    private static func class0(_ filter: borrowing BPF.Sampling) throws -> SamplingCounters {
        let counted = try filter.sampled.value(for: WEIR_CLASS_HANDSHAKE) ?? weir_sampled()
        return SamplingCounters(offered: counted.offered, kept: counted.kept)
    }

    private static func read(_ ring: inout Ring, _ kept: inout UInt64) throws {
        var poller = Poller()
        _ = poller.add(ring.socket.descriptor)
        try poller.wait(milliseconds: 2 * RingGeometry.retireMilliseconds)
        ring.walk(atMost: ring.geometry.blockCount, into: &kept) { kept, info, bytes in
            let packet = Packet(decoding: bytes, wireLength: Int(info.wireLength))
            if packet.destinationPort == Traffic.service { kept &+= 1 }
        }
    }
}
