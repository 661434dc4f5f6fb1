import BPF
import CLibBPF
import Glibc
import KernelABI
import Linux
import Support
import Testing

/// `weir_direction` with arrays, so that tests can name what they expect.
struct Totals: Equatable, CustomStringConvertible {
    var frames: UInt64 = 0
    var total = Pair()
    var family = [Pair](repeating: Pair(), count: Int(WEIR_FAMILIES))
    var `protocol` = [Pair](repeating: Pair(), count: Int(WEIR_PROTOCOLS))
    var flags = [UInt64](repeating: 0, count: Int(WEIR_FLAGS))
    var sizes = [UInt64](repeating: 0, count: Int(WEIR_SIZE_BUCKETS))
    var fragments: UInt64 = 0
    var malformed: UInt64 = 0

    struct Pair: Equatable {
        var packets: UInt64 = 0
        var bytes: UInt64 = 0
    }

    init() {}

    init(_ direction: weir_direction) {
        let words = unsafe withUnsafeBytes(of: direction) { unsafe Array($0.bindMemory(to: UInt64.self)) }
        func pair(_ index: Int) -> Pair { Pair(packets: words[index], bytes: words[index + 1]) }
        frames = words[0]
        total = pair(1)
        family = (0..<3).map { pair(3 + 2 * $0) }
        `protocol` = (0..<4).map { pair(9 + 2 * $0) }
        flags = Array(words[17..<21])
        sizes = Array(words[21..<29])
        fragments = words[29]
        malformed = words[30]
    }

    /// Adds what one frame is expected to count; `sizes` names the buckets and how many packets fall into each.
    mutating func expect(
        packets: UInt64 = 1,
        bytes: Int,
        family: UInt32,
        protocol: UInt32? = nil,
        flags: [UInt32] = [],
        sizes: [UInt32: UInt64]? = nil,
        fragment: Bool = false,
        malformed: Bool = false
    ) {
        let pair = Pair(packets: packets, bytes: UInt64(bytes))
        func add(_ target: inout Pair) {
            target.packets += pair.packets
            target.bytes += pair.bytes
        }
        frames += 1
        add(&total)
        add(&self.family[Int(family)])
        if let `protocol` { add(&self.protocol[Int(`protocol`)]) }
        for flag in flags { self.flags[Int(flag)] += 1 }
        for (bucket, count) in sizes ?? [Self.bucket(bytes): 1] { self.sizes[Int(bucket)] += count }
        if fragment { fragments += packets }
        if malformed { self.malformed += packets }
    }

    /// The bucket of a packet's size.
    static func bucket(_ bytes: Int) -> UInt32 {
        UInt32([64, 127, 255, 511, 1023, 1518, 9018].firstIndex { bytes <= $0 } ?? 7)
    }

    var description: String {
        func list(_ pairs: [Pair]) -> String { pairs.map { "\($0.packets)/\($0.bytes)" }.joined(separator: " ") }
        return "frames \(frames) total \(total.packets)/\(total.bytes) family \(list(family)) protocol "
            + "\(list(`protocol`)) flags \(flags) sizes \(sizes) fragments \(fragments) malformed \(malformed)"
    }
}

/// The counting programs with loopback watched, run on frames without an interface.
struct Counted: ~Copyable {
    let counting: Counting
    private let options: UInt32
    /// Loopback.
    static let interface: UInt32 = 1

    init(options: UInt32 = WEIR_INTERFACE_LOCAL_PORTS, clients: Int = 1024, layout: TableLayout? = nil) throws {
        let counting = try Counting(clients: clients, layout: layout)
        try Self.watch(counting, options)
        self.counting = counting
        self.options = options
    }

    /// Begins the interface's totals again.
    func reset() throws { try Self.watch(counting, options) }

    private static func watch(_ counting: borrowing Counting, _ options: UInt32) throws {
        var entry = weir_interface()
        entry.options = UInt64(options)
        try counting.interfaces.set(entry, for: interface)
    }

    func ingress(_ frame: Program.TestFrame) throws {
        let result = try counting.ingress.run(frame)
        #expect(result.answer == -1, "the packet must pass on")
    }

    func egress(_ frame: Program.TestFrame) throws {
        let result = try counting.egress.run(frame)
        #expect(result.answer == -1, "the packet must pass on")
    }

    func ingress(_ packet: PacketBuilder) throws { try ingress(Program.TestFrame(packet.bytes)) }
    func egress(_ packet: PacketBuilder) throws { try egress(Program.TestFrame(packet.bytes)) }

    func rx() throws -> Totals { Totals(try #require(try counting.interfaces.value(for: Self.interface)).rx) }
    func tx() throws -> Totals { Totals(try #require(try counting.interfaces.value(for: Self.interface)).tx) }

    func port(_ protocol: UInt32, _ port: UInt16) throws -> weir_port {
        try #require(try counting.ports.value(for: `protocol` << 16 | UInt32(port)))
    }

    func serve(_ protocol: UInt32, _ port: UInt16, as number: UInt16) {
        counting.serviceOf[Int(`protocol`) << 16 | Int(port)] = number
    }

    func service(_ number: UInt32) throws -> weir_service { try #require(try counting.services.value(for: number)) }

    /// Of an address of four bytes or sixteen.
    func client(_ address: [UInt8], _ protocol: UInt32, _ port: UInt16) -> CountedClient? {
        let mapped = address.count == 4 ? [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF] + address : address
        return clients().first { $0.address == mapped && $0.entry.service == `protocol` << 16 | UInt32(port) }
    }

    /// One that must be in the table.
    func entered(_ address: [UInt8], _ protocol: UInt32, _ port: UInt16) throws -> CountedClient {
        let found = client(address, `protocol`, port)
        return try #require(found)
    }

    func clients() -> [CountedClient] {
        var clients: [CountedClient] = []
        counting.clients.forEach { clients.append(CountedClient(entry: $0, volume: $1)) }
        return clients
    }

    /// The ports at which something was counted.
    func countedPorts() throws -> [UInt32: weir_port] {
        let (entries, copies) = (Int(WEIR_PORT_PROTOCOLS * WEIR_PORTS), counting.ports.description.isPerCPU)
        let stride = copies ? try Processors.possible() : 1
        var keys = [UInt32](repeating: 0, count: entries)
        var values = [weir_port](repeating: weir_port(), count: entries * stride)
        var (count, cursor) = (UInt32(entries), UInt32(0))
        let number = counting.ports.descriptor.rawValue
        let result = unsafe bpf_map_lookup_batch(number, nil, &cursor, &keys, &values, &count, nil)
        try #require((result == 0 || result == -ENOENT) && Int(count) == entries)
        var found: [UInt32: weir_port] = [:]
        for place in values.indices where values[place].in.packets + values[place].out.packets > 0 {
            found[keys[place / stride], default: weir_port()].add(values[place])
        }
        return found
    }

    func losses() throws -> weir_losses { try #require(try counting.losses.value(for: 0)) }
}

struct CountedClient {
    var entry: weir_client
    var volume: weir_port

    var address: [UInt8] { unsafe withUnsafeBytes(of: entry.address) { unsafe Array($0) } }
}

extension weir_port {
    fileprivate mutating func add(_ other: weir_port) {
        `in`.packets += other.in.packets
        `in`.bytes += other.in.bytes
        out.packets += other.out.packets
        out.bytes += other.out.bytes
    }
}
