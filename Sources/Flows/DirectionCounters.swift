public import Packets

/// One direction of one interface.
///
/// Held as words in the order of the kernel's `struct weir_direction`, so that adding per-CPU copies, summing and
/// subtracting are plain loops over 31 numbers.
public struct DirectionCounters: BitwiseCopyable, Sendable {
    /// A count each, or a volume in two.
    public typealias Words = [31 of UInt64]

    public var words: Words { counted }

    @usableFromInline var counted: Words

    /// - Parameter words: as the kernel's map holds them.
    public init(words: Words) {
        counted = words
    }

    /// What a frame is counted under. The number is that of the word; of a volume the first of its two (packets, bytes).
    @usableFromInline
    enum Slot {
        @inlinable static var frames: Int { 0 }
        @inlinable static var total: Int { 1 }
        @inlinable static var families: Int { 3 }
        @inlinable static var protocols: Int { 9 }
        @inlinable static var flags: Int { 17 }
        @inlinable static var sizes: Int { 21 }
        @inlinable static var fragments: Int { 29 }
        @inlinable static var malformed: Int { 30 }
    }

    /// Counts one frame as `count.bpf.c` does.
    @inlinable @inline(__always)
    public mutating func count(_ packet: Packet) {
        let (packets, bytes) = (UInt64(packet.segments), packet.bytes)
        counted[Slot.frames] &+= 1
        add(packets, bytes, at: Slot.total)
        add(packets, bytes, at: Slot.families &+ 2 &* Int(packet.family.rawValue))
        if packet.transport != .none {
            add(packets, bytes, at: Slot.protocols &+ 2 &* Int(packet.transport.rawValue))
        }
        if packet.segments == 1 {
            countSize(bytes, packets: 1)
        } else {
            countSegments(packet)
        }
        if !packet.flags.isDisjoint(with: [.syn, .fin, .rst]) { countFlags(packet.flags) }
        if packet.fragment == .later { counted[Slot.fragments] &+= packets }
        if packet.outcome.isMalformed { counted[Slot.malformed] &+= packets }
    }

    @inlinable @inline(__always)
    mutating func add(_ packets: UInt64, _ bytes: UInt64, at slot: Int) {
        counted[slot] &+= packets
        counted[slot &+ 1] &+= bytes
    }

    @inlinable @inline(__always)
    mutating func countSize(_ bytes: UInt64, packets: UInt64) {
        counted[Slot.sizes &+ SizeBucket.index(of: bytes)] &+= packets
    }

    /// All segments but the last are full; the last has what remains.
    @usableFromInline @inline(never)
    mutating func countSegments(_ packet: Packet) {
        let full = UInt64(packet.segments &- 1)
        let size = packet.bytesOfFullSegment
        countSize(size, packets: full)
        countSize(packet.bytes &- min(packet.bytes, full &* size), packets: 1)
    }

    @usableFromInline @inline(never)
    mutating func countFlags(_ flags: TCPFlags) {
        if flags.contains(.syn) { counted[Slot.flags &+ (flags.contains(.ack) ? 1 : 0)] &+= 1 }
        if flags.contains(.fin) { counted[Slot.flags &+ 2] &+= 1 }
        if flags.contains(.rst) { counted[Slot.flags &+ 3] &+= 1 }
    }

    private func volume(at slot: Int) -> Volume {
        Volume(packets: words[slot], bytes: words[slot + 1])
    }
}

// MARK: - What was counted

extension DirectionCounters {
    public var frames: UInt64 { words[Slot.frames] }
    public var total: Volume { volume(at: Slot.total) }
    public var ipv4: Volume { self[.ipv4] }
    public var ipv6: Volume { self[.ipv6] }
    public var otherFamily: Volume { self[.other] }
    public var tcp: Volume { volume(at: Slot.protocols) }
    public var udp: Volume { volume(at: Slot.protocols + 2) }
    /// ICMP in IPv4 and ICMPv6 in IPv6.
    public var icmp: Volume { volume(at: Slot.protocols + 4) }
    public var otherProtocol: Volume { volume(at: Slot.protocols + 6) }
    /// Frames with SYN and without ACK.
    public var syn: UInt64 { words[Slot.flags] }
    /// Frames with SYN and ACK.
    public var synAck: UInt64 { words[Slot.flags + 1] }
    public var fin: UInt64 { words[Slot.flags + 2] }
    public var rst: UInt64 { words[Slot.flags + 3] }
    /// Packets by their length on the wire.
    public var sizes: [8 of UInt64] {
        [8 of UInt64] { words[Slot.sizes + $0] }
    }
    /// Packets that are a later fragment.
    public var fragments: UInt64 { words[Slot.fragments] }
    /// Packets whose headers end early or contradict themselves; in the other counters as far as they go.
    public var malformed: UInt64 { words[Slot.malformed] }

    public subscript(family: Family) -> Volume { volume(at: Slot.families + 2 * Int(family.rawValue)) }
}

extension DirectionCounters: Counters {
    public init() {
        counted = Words(repeating: 0)
    }

    public static func += (left: inout DirectionCounters, right: DirectionCounters) {
        for index in left.words.indices {
            left.counted[index] &+= right.counted[index]
        }
    }

    public func since(_ earlier: DirectionCounters) -> DirectionCounters {
        DirectionCounters(words: Words { words[$0].since(earlier.words[$0]) })
    }

    public static func == (left: DirectionCounters, right: DirectionCounters) -> Bool {
        left.words.indices.allSatisfy { left.words[$0] == right.words[$0] }
    }
}

/// Buckets of packet lengths on the wire, in L2 bytes without FCS.
public enum SizeBucket {
    /// Upper bounds, each in its bucket; the last bucket holds what is longer.
    public static var bounds: [UInt64] { [64, 127, 255, 511, 1023, 1518, 9018] }

    @inlinable @inline(__always)
    static func index(of bytes: UInt64) -> Int {
        // By the number of bits instead of comparing in turn: lengths are mixed, and branches would be guessed wrong.
        let bits = 64 &- (bytes &- (bytes == 64 ? 1 : 0) | 1).leadingZeroBitCount
        return min(max(bits &- 6, 0), 5) &+ (bytes > 1518 ? 1 : 0) &+ (bytes > 9018 ? 1 : 0)
    }
}
