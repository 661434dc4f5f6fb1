import Flows
import Glibc
import Measuring
import Packets
import Support

/// Frames of one UDP flow each, of which only addresses, ports and VLAN differ.
private struct Frames {
    private(set) var bytes: [UInt8]
    private let ip: Int

    init(isTagged: Bool = false) {
        let link = PacketBuilder().ethernet()
        bytes = (isTagged ? link.vlan(1) : link).ipv4().udp(to: 443).payload([UInt8](repeating: 0, count: 20)).bytes
        ip = isTagged ? 18 : 14
    }

    private mutating func set(_ value: UInt32, at place: Int) {
        for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * index)) }
    }

    mutating func address(client: UInt32, ports: UInt32) {
        set(client, at: ip + 12)
        set(ports, at: ip + 20)
    }

    /// Turns the frame around.
    mutating func answer() {
        for index in 0..<4 { bytes.swapAt(ip + 12 + index, ip + 16 + index) }
        for index in 0..<2 { bytes.swapAt(ip + 20 + index, ip + 22 + index) }
    }

    mutating func tag(_ vlan: UInt16) {
        bytes[14] = UInt8(vlan >> 8)
        bytes[15] = UInt8(vlan & 0xFF)
    }

    func decode(into packet: inout Packet) {
        let span = bytes.span
        packet.decode(unsafe span.bytes, wireLength: bytes.count)
    }
}

private func processorTime() -> Double {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
}

// MARK: - Flood

/// One-packet flows from 20 million spoofed sources, a million a second, among 4,000 flows that both ends keep up.
func flood() {
    let (established, spoofed) = (4_000, 20_000_000)
    var tables = FlowTables(FlowSettings(), map: ShardMap(seed: 7, workers: 1), worker: 0)
    var time: Int64 = 1_000_000_000
    var kept = established
    var told = 0
    func take(_ record: borrowing FlowRecord) {
        told += 1
        if record.end == .evicted, record.backward.packets > 0 { kept -= 1 }
    }
    var packet = Packet()
    func send(_ frames: borrowing Frames) {
        frames.decode(into: &packet)
        if tables.advance(to: time) { tables.drain(take) }
        if tables.add(&packet, time: time, interface: 1) { tables.drain(take) }
    }
    func talk(_ client: Int) {
        var frames = Frames()
        frames.address(client: 0x0A00_0000 + UInt32(client), ports: 40_000 << 16 | 443)
        send(frames)
        frames.answer()
        send(frames)
    }
    for client in 0..<established { talk(client) }
    var frames = Frames()
    var random = SeededGenerator(seed: 7)
    var memory: [Double] = []
    let start = processorTime()
    for number in 0..<spoofed {
        // Every established flow is heard of once a second.
        if number % 250 == 0 { talk(number / 250 % established) }
        if number % 1_000_000 == 0 { memory.append(Usage(of: getpid())?.anonymous ?? 0) }
        time += 1_000
        let word = random.next()
        frames.address(client: UInt32(word >> 32) | 0x8000_0000, ports: UInt32(truncatingIfNeeded: word))
        send(frames)
    }
    let growth = (memory.last ?? 0) - memory[1]
    var measure = Measure("Flows", "flood")
    measure.add("spoofed_flows", spoofed)
    measure.add("established_kept_percent", 100 * Double(kept) / Double(established))
    measure.add("memory_growth_kib", growth / 1024)
    measure.add("memory_mib", (memory.last ?? 0) / 1_048_576)
    measure.add("evicted", tables.counters.evicted)
    measure.add("ns_per_spoofed_packet", (processorTime() - start) / Double(spoofed))
    measure.show()
}

// MARK: - Collisions

/// What a stranger can compute of a replay, whose seed is no secret: keys that share a shard, and keys that share one and the
/// lower bits of their hash too.
func collisions(rounds: Int) {
    let count = 1_024
    let known = ShardMap(seed: 0, workers: 1)
    func search(_ matches: (UInt64) -> Bool) -> [Packet] {
        var found: [Packet] = []
        var frames = Frames()
        var packet = Packet()
        var random = SeededGenerator(seed: 3)
        while found.count < count {
            let word = random.next()
            frames.address(client: UInt32(word >> 32) | 0x8000_0000, ports: UInt32(truncatingIfNeeded: word))
            frames.decode(into: &packet)
            if matches(known.hash(of: packet)) { found.append(packet) }
        }
        return found
    }
    var tagged: [Packet] = []
    for vlan in 1...UInt16(count) {
        var frames = Frames(isTagged: true)
        frames.tag(vlan)
        var packet = Packet()
        frames.decode(into: &packet)
        tagged.append(packet)
    }
    let sets = [
        ("random", search { _ in true }), ("one_shard", search { $0 >> 58 == 0 }),
        ("equal_low_bits", search { $0 >> 58 == 0 && $0 & 0x3FF == 0 }), ("one_tuple_on_many_vlans", tagged),
    ]
    for (name, map) in [("live", ShardMap(seed: .random(in: 1 ... .max), workers: 1)), ("replay", known)] {
        var settings = FlowSettings()
        // All fit into one shard: what is measured is finding them.
        settings.memory = 96 << 20
        var best = [Double](repeating: .infinity, count: sets.count)
        // By turns, so that what else the machine does falls on all.
        for _ in 0..<max(20, rounds) {
            for place in sets.indices {
                var tables = FlowTables(settings, map: map, worker: 0)
                addAll(sets[place].1, &tables)
                let start = processorTime()
                for _ in 0..<10 { addAll(sets[place].1, &tables) }
                best[place] = min(best[place], (processorTime() - start) / Double(10 * count))
                precondition(tables.count == count, "all flows fit")
            }
        }
        var measure = Measure("Flows", "collisions-" + name)
        for place in sets.indices { measure.add(sets[place].0 + "_ns_per_packet", best[place]) }
        for place in sets.indices.dropFirst() { measure.add(sets[place].0 + "_ratio", best[place] / best[0]) }
        measure.show()
    }
}

@inline(never)
private func addAll(_ packets: [Packet], _ tables: inout FlowTables) {
    for packet in packets {
        var packet = packet
        _ = tables.add(&packet, time: 1_000_000_000, interface: 1)
    }
}

// MARK: - Chains

/// Decoding frames with more and more headers in a row. Each kind has a bound, above which a frame is given up.
func chains(rounds: Int) {
    let kinds: [(name: String, counts: [Int], frame: (Int) -> [UInt8])] = [
        ("ipv6_extensions", [0, 2, 4, 8, 64], { extensions($0) }),
        (
            "tcp_option_words", [0, 2, 5, 10],
            { words in
                PacketBuilder().ethernet().ipv4().tcp(options: [UInt8](repeating: 1, count: 4 * words)).bytes
            }
        ),
        (
            "vlan_tags", [0, 1, 2, 4, 64],
            { count in
                (0..<count).reduce(PacketBuilder().ethernet()) { frame, _ in frame.vlan(7) }.ipv4().udp().bytes
            }
        ),
    ]
    for kind in kinds {
        let frames = kind.counts.map(kind.frame)
        var best = [Double](repeating: .infinity, count: frames.count)
        for _ in 0..<max(50, rounds) {
            for place in frames.indices { best[place] = min(best[place], decode(frames[place])) }
        }
        var measure = Measure("Flows", "chains-" + kind.name)
        for place in frames.indices { measure.add("ns_with_\(kind.counts[place])", best[place]) }
        // 2 where time grows with length, more where it grows faster. A nanosecond is what the clock cannot tell.
        measure.add("whole_to_half", max(0, best[3] - best[0]) / max(1, best[2] - best[0]))
        measure.show()
    }
}

@inline(never)
private func decode(_ frame: [UInt8]) -> Double {
    let count = 10_000
    var packet = Packet()
    var sum: UInt64 = 0
    let span = frame.span
    let start = processorTime()
    for _ in 0..<count {
        packet.decode(unsafe span.bytes, wireLength: frame.count)
        sum &+= UInt64(packet.headerLength)
    }
    precondition(sum > 0)
    return (processorTime() - start) / Double(count)
}

/// IPv6 with `count` destination options in front of UDP.
private func extensions(_ count: Int) -> [UInt8] {
    (0..<count).reduce(PacketBuilder().ethernet().ipv6()) { frame, _ in frame.ipv6Extension(60) }.udp().bytes
}
