import Packets

/// Remembers the ports of first fragments, so that later ones, which have none, find their flow. 4,096 packets at most, in
/// sets of four, the oldest of a set making room; whoever comes before its first fragment has no ports either.
struct FragmentTable: ~Copyable {
    private struct Entry {
        var source = Address.zero
        var destination = Address.zero
        var interface: UInt32 = 0
        var identification: UInt32 = 0
        var protocolNumber: UInt8 = 0
        var family = Family.other
        var sourcePort: UInt16 = 0
        var destinationPort: UInt16 = 0
        var time: Int64 = .min
    }

    private static let sets = 1024
    private static let ways = 4
    /// Nanoseconds for which identifications are told apart (RFC 791 section 3.2 and Linux's ipfrag_time: 30 s).
    private static let patience: Int64 = 30_000_000_000

    private var entries: [Entry] = []
    private let seed: UInt64

    /// - Parameter seed: secret and random when live; fixed in a replay, where what is forgotten must not depend on chance.
    init(seed: UInt64) { self.seed = seed }

    /// Gives a later fragment the ports of its first.
    /// - Returns: whether the packet's ports are known now.
    @inline(never)
    mutating func complete(_ packet: inout Packet, time: Int64, interface: UInt32) -> Bool {
        // Hosts without fragments need none of this memory.
        if entries.isEmpty { entries = Array(repeating: Entry(), count: Self.sets * Self.ways) }
        let mixed = fold(
            packet.source.low ^ packet.source.high ^ seed,
            packet.destination.low ^ packet.destination.high
        )
        // In IPv6 a later fragment names the first header behind its fragment header, a first one the last (RFC 8200).
        let protocolNumber = packet.family == .ipv6 ? 0 : packet.protocolNumber
        let word = UInt64(packet.fragmentIdentification) << 8 | UInt64(protocolNumber)
        let first = Int(fold(mixed ^ seed, word ^ seed) & UInt64(Self.sets - 1)) * Self.ways
        let set = first..<first + Self.ways
        let found = set.first { place in
            entries[place].identification == packet.fragmentIdentification
                && entries[place].source == packet.source && entries[place].destination == packet.destination
                && entries[place].protocolNumber == protocolNumber && entries[place].family == packet.family
                && entries[place].interface == interface && entries[place].time != .min
                && abs(time.subtractingClamped(entries[place].time)) <= Self.patience
        }
        if packet.fragment == .later {
            guard let found else { return false }
            packet.inheritPorts(source: entries[found].sourcePort, destination: entries[found].destinationPort)
            return true
        }
        let place = found ?? set.min { entries[$0].time < entries[$1].time } ?? first
        entries[place] = Entry(
            source: packet.source,
            destination: packet.destination,
            interface: interface,
            identification: packet.fragmentIdentification,
            protocolNumber: protocolNumber,
            family: packet.family,
            sourcePort: packet.sourcePort,
            destinationPort: packet.destinationPort,
            time: time
        )
        return true
    }
}

extension Int64 {
    fileprivate func subtractingClamped(_ other: Int64) -> Int64 {
        let (difference, overflows) = subtractingReportingOverflow(other)
        return overflows || difference == .min ? .max : difference
    }
}
