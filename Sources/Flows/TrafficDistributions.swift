public import Packets

/// How the packets of a window spread over addresses, ports and sizes: five sketches, 320 KiB, made once.
///
/// Only IP packets are counted, each segment of a frame as a packet; ports only of packets that carry them. Where the sensor
/// samples, this is the spread of what it kept. Entropies of addresses and ports say much the same of ordinary traffic and
/// part ways in an attack (Lakhina, Crovella, Diot 2005; Nychis et al. 2008): judge their changes together.
public struct TrafficDistributions: Equatable, Sendable {
    public private(set) var sources = DistributionSketch()
    public private(set) var destinations = DistributionSketch()
    public private(set) var sourcePorts = DistributionSketch()
    public private(set) var destinationPorts = DistributionSketch()
    /// Of packets on the wire, in bytes (L2, without FCS).
    public private(set) var sizes = DistributionSketch()

    private let keys: [5 of UInt64]

    /// - Parameter seed: secret and random when live, so that nobody can choose what is kept; fixed in a replay. Only what
    ///   was counted under one seed can be merged.
    public init(seed: UInt64) {
        keys = ShardMap(seed: seed, workers: 1).keys
    }

    /// Takes constant time and allocates nothing.
    public mutating func count(_ packet: borrowing Packet) {
        guard packet.family != .other else { return }
        let packets = UInt64(packet.segments)
        sources.count(hash(of: packet.source), packets: packets)
        destinations.count(hash(of: packet.destination), packets: packets)
        if packet.hasPorts {
            sourcePorts.count(hash(of: UInt64(packet.sourcePort)), packets: packets)
            destinationPorts.count(hash(of: UInt64(packet.destinationPort)), packets: packets)
        }
        if packets == 1 {
            sizes.count(hash(of: packet.bytes), packets: 1)
        } else {
            countSizes(packet)
        }
    }

    /// Takes in what another shard or window counted; the order of merges does not matter.
    public mutating func merge(_ other: TrafficDistributions) {
        precondition(keys[0] == other.keys[0], "sketches under different seeds cannot be merged")
        sources.merge(other.sources)
        destinations.merge(other.destinations)
        sourcePorts.merge(other.sourcePorts)
        destinationPorts.merge(other.destinationPorts)
        sizes.merge(other.sizes)
    }

    /// Begins a new window in the same memory.
    public mutating func reset() {
        sources.reset()
        destinations.reset()
        sourcePorts.reset()
        destinationPorts.reset()
        sizes.reset()
    }

    /// All segments but the last are full; the last has what remains.
    @inline(never)
    private mutating func countSizes(_ packet: borrowing Packet) {
        let full = UInt64(packet.segments) &- 1
        let size = packet.bytesOfFullSegment
        sizes.count(hash(of: size), packets: full)
        sizes.count(hash(of: packet.bytes &- min(packet.bytes, full &* size)), packets: 1)
    }

    @inline(__always)
    private func hash(of address: Address) -> UInt64 {
        fold(fold(address.high ^ keys[0], address.low ^ keys[1]) ^ keys[2], keys[3])
    }

    /// Of a port or a size.
    @inline(__always)
    private func hash(of number: UInt64) -> UInt64 { fold(fold(number ^ keys[0], keys[1]) ^ keys[2], keys[3]) }

    public static func == (left: TrafficDistributions, right: TrafficDistributions) -> Bool {
        left.keys[0] == right.keys[0] && left.sources == right.sources && left.destinations == right.destinations
            && left.sourcePorts == right.sourcePorts && left.destinationPorts == right.destinationPorts
            && left.sizes == right.sizes
    }
}
