public import Packets

/// Which of 64 shards a packet's state lives in, and which worker owns the shard.
///
/// The shard depends on the seed and the packet's family, addresses, ports and protocol, the same in both directions,
/// never on the number of workers: a replay gives the same shards on any number of them.
public struct ShardMap: Sendable {
    public static let shards = 64

    /// What the hash is keyed with; the kernel's fanout program takes the same words.
    public let keys: [5 of UInt64]
    @usableFromInline let workers: Int

    /// - Parameters:
    ///   - seed: secret and random when live, so that a stranger cannot fill one shard; fixed in a replay
    ///   - workers: 1 ... 64
    public init(seed: UInt64, workers: Int) {
        precondition((1...Self.shards).contains(workers), "1 to 64 workers")
        var state = seed
        keys = [5 of UInt64] { _ in splitMix(&state) }
        self.workers = workers
    }

    /// The worker that owns a shard: `0 ..< workers`.
    @inlinable @inline(__always)
    public func worker(of shard: Int) -> Int { shard % workers }

    /// `0 ..< 64`; what is no IP packet belongs to no flow and is in shard 0.
    @inlinable @inline(__always)
    public func shard(of packet: Packet) -> Int { packet.family == .other ? 0 : Int(hash(of: packet) >> 58) }

    /// A keyed hash of both directions of a flow: each end by itself, their sum, then what both share. An end is folded
    /// twice, so that no address can be chosen to undo a port.
    @inlinable @inline(__always)
    public func hash(of packet: Packet) -> UInt64 {
        let ends =
            hash(of: packet.source, packet.sourcePort) &+ hash(of: packet.destination, packet.destinationPort)
        let shared = UInt64(packet.protocolNumber) << 8 | UInt64(packet.family.rawValue)
        return fold(ends, shared ^ keys[4])
    }

    @inlinable @inline(__always)
    func hash(of address: Address, _ port: UInt16) -> UInt64 {
        fold(fold(address.high ^ keys[0], address.low ^ keys[1]) ^ keys[2], UInt64(port) ^ keys[3])
    }
}

/// The two halves of a 64 x 64 bit product, one on the other (as in wyhash): one instruction that mixes all bits.
@inlinable @inline(__always)
func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = left.multipliedFullWidth(by: right)
    return product.high ^ product.low
}

/// SplitMix64 (Steele, Lea, Flood 2014): makes a row of keys from one seed.
private func splitMix(_ state: inout UInt64) -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
}
