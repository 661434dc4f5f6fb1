import Flows
import Packets
import Reports
import Support

/// Makes flow records as the sensor does: of frames.
struct FlowRecords: ~Copyable {
    private var tables: FlowTables
    private var records: [FlowRecord] = []

    init(_ settings: FlowSettings = FlowSettings()) {
        tables = FlowTables(settings, map: ShardMap(seed: 0, workers: 1), worker: 0)
    }

    /// 2025-12-08T10:30:00Z.
    static let start: Int64 = 1_765_189_800_000_000_000

    mutating func add(_ frame: [UInt8], after nanoseconds: Int64, inner: Bool = false) {
        let time = Self.start + nanoseconds
        let span = frame.span
        let bytes = unsafe span.bytes
        var packet = Packet(decoding: bytes, wireLength: frame.count)
        if inner { packet.decodeInner(bytes) }
        if tables.advance(to: time) { take() }
        if tables.add(&packet, bytes, time: time, interface: 3) { take() }
        if var quoted = packet.quoted(in: bytes) { tables.addError(quoting: &quoted, interface: 3) }
    }

    mutating func setWeights(_ sampling: Sampling) { tables.setWeights(sampling) }

    mutating func finish() -> [FlowRecord] {
        tables.stop()
        take()
        return records
    }

    private mutating func take() {
        var taken: [FlowRecord] = []
        tables.drain { taken.append(copy $0) }
        records += taken
    }

    /// A request and its answer: client 10.0.0.9 port 40000, server 192.0.2.1 port 443.
    static func exchange(_ settings: FlowSettings = FlowSettings()) -> FlowRecord {
        var records = FlowRecords(settings)
        let (client, server) = ("10.0.0.9", "192.0.2.1")
        func frame(_ flags: PacketBuilder.Flags, back: Bool = false, _ payload: Int = 0) -> [UInt8] {
            PacketBuilder().ethernet().ipv4(from: back ? server : client, to: back ? client : server)
                .tcp(from: back ? 443 : 40_000, to: back ? 40_000 : 443, flags: flags).payload(count: payload).bytes
        }
        records.add(frame(.syn), after: 0)
        records.add(frame([.syn, .ack], back: true), after: 1_000_000)
        records.add(frame(.ack), after: 2_000_000)
        records.add(frame([.ack, .psh], back: false, 100), after: 3_000_000)
        records.add(frame([.ack, .psh], back: true, 1_400), after: 10_000_500)
        records.add(frame([.ack, .psh], back: true, 601), after: 11_000_750)
        return records.finish()[0]
    }
}

func text(_ buffer: borrowing TextBuffer) -> String {
    let bytes = buffer.bytes
    return String(
        decoding: bytes.byteOffsets.map { unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) },
        as: UTF8.self
    )
}
