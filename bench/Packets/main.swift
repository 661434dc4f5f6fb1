import Flows
import Glibc
import Packets
import Support

// Nanoseconds of processor time per packet, over frames that lie in memory one behind the other as in a ring:
//
//     walk    only touches each frame; what the others cost beside it is their own
//     decode  also decodes
//     inner   decodes and looks for tunnels, of which the mix has none
//     vxlan   the same with every frame inside VXLAN
//     count   decodes and counts, as a replay does
//     all     decodes, finds the shard and fills the packet view, as a live worker does
//
//     Packets [ROUNDS [MEASURE]]    default: 40 rounds of each
//
// The mix is that of many hosts: 65,536 flows, 72 % TCP, 26 % UDP, 2 % ICMP, 18 % IPv6, 2.4 % tagged, some ARP; frames of
// up to 128 bytes 58 %, up to 512 13 %, up to 1,024 16 %, up to 1,518 13 %; cut at 256 bytes, as the sensor's ring does.

/// SplitMix64: the same frames everywhere.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

struct Frames {
    struct Place {
        var offset: UInt32
        var captured: UInt16
        var length: UInt16
        var direction: Direction
    }

    static let snap = 256
    private(set) var bytes: [UInt8] = []
    private(set) var places: [Place] = []

    /// - Parameter around: headers to put before each frame
    init(count: Int, flows: Int, seed: UInt64, around: PacketBuilder? = nil) {
        var random = SeededGenerator(state: seed)
        let shapes = (0..<flows).map { _ in Shape(&random) }
        let templates = Templates()
        for _ in 0..<count {
            let flow = Int.random(in: 0..<flows, using: &random)
            let length = Self.length(&random)
            let control = Int.random(in: 0..<10, using: &random) == 0
            let isAnswer = Bool.random(using: &random)
            var frame = templates.frame(shapes[flow], length: length, isControl: control)
            shapes[flow].patch(&frame, number: UInt32(flow), isAnswer: isAnswer)
            if let around { frame = around.payload(frame, etherType: 0x6558).bytes }
            places.append(
                Place(
                    offset: UInt32(bytes.count),
                    captured: UInt16(min(frame.count, Self.snap)),
                    length: UInt16(frame.count),
                    direction: isAnswer ? .tx : .rx
                )
            )
            bytes += frame.prefix(Self.snap)
            bytes += [UInt8](repeating: 0, count: 15 - (bytes.count + 15) % 16)
        }
    }

    private static func length(_ random: inout SeededGenerator) -> Int {
        switch Int.random(in: 0..<100, using: &random) {
        case ..<58: Int.random(in: 90...128, using: &random)
        case ..<71: Int.random(in: 129...512, using: &random)
        case ..<87: Int.random(in: 513...1024, using: &random)
        default: Int.random(in: 1025...1518, using: &random)
        }
    }
}

/// What all frames of one flow have in common.
struct Shape {
    enum Kind: Int { case tcp, udp, icmp, arp }
    let kind: Kind
    let isIPv6: Bool
    let isTagged: Bool

    init(_ random: inout SeededGenerator) {
        kind =
            switch Int.random(in: 0..<1000, using: &random) {
            case ..<720: .tcp
            case ..<979: .udp
            case ..<999: .icmp
            default: .arp
            }
        isIPv6 = Int.random(in: 0..<100, using: &random) < 18
        isTagged = Int.random(in: 0..<1000, using: &random) < 24
    }

    /// Gives a template its flow's addresses and ports.
    func patch(_ frame: inout [UInt8], number: UInt32, isAnswer: Bool) {
        guard kind != .arp else { return }
        let ip = isTagged ? 18 : 14
        let client = isIPv6 ? (isAnswer ? ip + 36 : ip + 20) : isAnswer ? ip + 16 : ip + 12
        for index in 0..<4 {
            frame[client + index] = UInt8(truncatingIfNeeded: number &* 0x9E37_79B1 >> UInt32(8 * index))
        }
        let ports = ip + (isIPv6 ? 40 : 20) + (isAnswer ? 2 : 0)
        guard kind != .icmp else { return }
        frame[ports] = UInt8(truncatingIfNeeded: number >> 8) | 0x80
        frame[ports + 1] = UInt8(truncatingIfNeeded: number)
    }
}

/// One frame of each shape and of the longest length, to be cut and patched.
struct Templates {
    private let heads: [[UInt8]]

    init() {
        heads = (0..<32).map { index in
            let frame = PacketBuilder().ethernet()
            let link = index & 8 == 0 ? frame : frame.vlan(100)
            let isIPv6 = index & 4 != 0
            let ip = isIPv6 ? link.ipv6() : link.ipv4()
            let flags: PacketBuilder.Flags = index & 16 == 0 ? [.ack] : [.syn]
            return switch Shape.Kind(rawValue: index & 3) {
            case .tcp: ip.tcp(flags: flags, options: [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1]).bytes
            case .udp: ip.udp(to: 443).bytes
            case .icmp: (isIPv6 ? ip.icmpv6() : ip.icmp()).bytes
            default: link.arp().bytes
            }
        }
    }

    func frame(_ shape: Shape, length: Int, isControl: Bool) -> [UInt8] {
        let index =
            shape.kind.rawValue | (shape.isIPv6 ? 4 : 0) | (shape.isTagged ? 8 : 0)
            | (isControl && shape.kind == .tcp ? 16 : 0)
        var frame = heads[index]
        guard shape.kind != .arp, !(isControl && shape.kind == .tcp) else { return frame }
        let ip = shape.isTagged ? 18 : 14
        frame += [UInt8](repeating: 0, count: max(0, length - frame.count))
        let field = shape.isIPv6 ? frame.count - ip - 40 : frame.count - ip
        write(UInt16(field), to: &frame, at: shape.isIPv6 ? ip + 4 : ip + 2)
        let transport = ip + (shape.isIPv6 ? 40 : 20)
        if shape.kind == .udp { write(UInt16(frame.count - transport), to: &frame, at: transport + 4) }
        return frame
    }

    private func write(_ value: UInt16, to bytes: inout [UInt8], at offset: Int) {
        bytes[offset] = UInt8(value >> 8)
        bytes[offset + 1] = UInt8(value & 0xFF)
    }
}

/// What a run leaves behind, so that nothing of it can be optimised away.
struct Tally: ~Copyable {
    var decoded = DecodeCounters()
    var counters = InterfaceCounters()
    var recent = RecentPackets()
    var shards = [64 of UInt64](repeating: 0)
    var sum: UInt64 = 0
}

/// Only touches what every measure touches: the frame's place and its first line in memory.
@inline(never)
func walk(_ frames: borrowing Frames, _ tally: inout Tally) {
    let bytes = unsafe frames.bytes.span.bytes
    let places = frames.places.span
    for index in places.indices {
        let place = places[index]
        tally.sum &+= unsafe UInt64(bytes.unsafeLoad(fromByteOffset: Int(place.offset), as: UInt8.self))
    }
}

@inline(never)
func decode(_ frames: borrowing Frames, _ tally: inout Tally) {
    let bytes = unsafe frames.bytes.span.bytes
    let places = frames.places.span
    var packet = Packet()
    for index in places.indices {
        let place = places[index]
        let start = Int(place.offset)
        packet.decode(bytes.extracting(start..<start + Int(place.captured)), wireLength: Int(place.length))
        tally.decoded.count(packet.outcome)
        tally.sum &+= UInt64(packet.sourcePort) ^ packet.source.low ^ UInt64(packet.payloadLength)
    }
}

@inline(never)
func inner(_ frames: borrowing Frames, _ tally: inout Tally) {
    let bytes = unsafe frames.bytes.span.bytes
    let places = frames.places.span
    var packet = Packet()
    for index in places.indices {
        let place = places[index]
        let start = Int(place.offset)
        let frame = bytes.extracting(start..<start + Int(place.captured))
        packet.decode(frame, wireLength: Int(place.length))
        packet.decodeInner(frame)
        tally.decoded.count(packet.outcome)
        tally.sum &+= UInt64(packet.sourcePort) ^ packet.source.low ^ UInt64(packet.payloadLength)
    }
}

@inline(never)
func count(_ frames: borrowing Frames, _ tally: inout Tally) {
    let bytes = unsafe frames.bytes.span.bytes
    let places = frames.places.span
    var packet = Packet()
    for index in places.indices {
        let place = places[index]
        let start = Int(place.offset)
        packet.decode(bytes.extracting(start..<start + Int(place.captured)), wireLength: Int(place.length))
        tally.decoded.count(packet.outcome)
        tally.counters.count(packet, place.direction)
    }
}

/// What a worker does with every frame today: also its shard and the packet view.
@inline(never)
func all(_ frames: borrowing Frames, _ map: ShardMap, _ tally: inout Tally) {
    let bytes = unsafe frames.bytes.span.bytes
    let places = frames.places.span
    var packet = Packet()
    for index in places.indices {
        let place = places[index]
        let start = Int(place.offset)
        packet.decode(bytes.extracting(start..<start + Int(place.captured)), wireLength: Int(place.length))
        tally.decoded.count(packet.outcome)
        tally.shards[map.shard(of: packet)] &+= 1
        tally.recent.append(PacketSummary(packet, time: UInt64(index), interface: 1, direction: place.direction))
    }
}

/// Nanoseconds that this thread has run: other work on the machine does not count.
func processorTime() -> Int {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

let rounds = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 0 : 40
let only = CommandLine.arguments.count > 2 ? CommandLine.arguments[2] : nil
guard rounds > 0 else {
    print("usage: Packets [ROUNDS [walk|decode|inner|vxlan|count|all]]")
    exit(64)
}
let frames = Frames(count: 131_072, flows: 65_536, seed: 7)
let vxlan = PacketBuilder().ethernet().ipv4().udp(to: 4789).vxlan()
let tunnelled = Frames(count: only == nil || only == "vxlan" ? 131_072 : 1, flows: 65_536, seed: 7, around: vxlan)
let map = ShardMap(seed: 7, workers: 1)
print("\(frames.places.count) frames, \(frames.bytes.count >> 20) MiB in memory, \(rounds) rounds; median and best")
for measure in ["walk", "decode", "inner", "vxlan", "count", "all"] where only == nil || only == measure {
    var tally = Tally()
    var times: [Double] = []
    times.reserveCapacity(rounds)
    for _ in 0..<rounds {
        let start = processorTime()
        switch measure {
        case "walk": walk(frames, &tally)
        case "decode": decode(frames, &tally)
        case "inner": inner(frames, &tally)
        case "vxlan": inner(tunnelled, &tally)
        case "count": count(frames, &tally)
        default: all(frames, map, &tally)
        }
        times.append(Double(processorTime() - start) / Double(frames.places.count))
    }
    let known = tally.decoded.total == 0 || tally.decoded.total == tally.decoded.decoded
    precondition(known, "every frame of the mix is whole: \(tally.decoded)")
    let sorted = times.sorted()
    let (median, best) = (sorted[sorted.count / 2], sorted[0])
    func text(_ value: Double) -> String { String((value * 10).rounded() / 10) }
    print("\(measure)\t\(text(median)) ns\t\(text(best)) ns")
    print(#"{"bench":"Packets","measure":"\#(measure)","ns_per_packet":\#(text(median)),"best":\#(text(best))}"#)
}
