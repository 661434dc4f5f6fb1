import Glibc
import Packets
import Support
import Testing

@testable import Flows

/// Flows that a stranger can make without end.
struct FlowFloodTests {
    #if DEBUG
        static let spoofed = 150_000
    #else
        static let spoofed = 2_000_000
    #endif

    /// Bytes of memory that this process holds now.
    private static func resident() -> Int {
        guard let file = unsafe fopen("/proc/self/statm", "r") else { return 0 }
        defer { unsafe fclose(file) }
        var text = [CChar](repeating: 0, count: 200)
        guard unsafe fgets(&text, 200, file) != nil else { return 0 }
        let words = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }.split(separator: 32)
        return (Int(String(decoding: words[1], as: UTF8.self)) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    }

    /// One-packet flows from ever new sources, while 2,000 established ones speak every second.
    @Test func spoofedFlowsTakeNoRoomFromOthers() {
        var settings = FlowSettings()
        settings.interim = nil
        settings.memory = 4 << 20
        var tables = FlowTables(settings, map: ShardMap(seed: 3, workers: 1), worker: 0)
        let established = 1000
        var ended: [FlowEnd: Int] = [:]
        var lost = 0
        var time: Int64 = 1_700_000_000_000_000_000
        // The address stands at 26, the port at 34; sums are not looked at.
        var frame = FlowCuttingTests.udp()
        func count(_ record: borrowing FlowRecord) {
            ended[record.end, default: 0] += 1
            if record.features.packets > 1 { lost += 1 }
        }
        func send(_ source: UInt32, back: Bool = false) {
            let place = back ? 30 : 26
            for byte in 0..<4 {
                frame[place + byte] = UInt8(truncatingIfNeeded: source >> UInt32(24 - 8 * byte))
                frame[(back ? 26 : 30) + byte] = [192, 0, 2, 1][byte]
            }
            (frame[35], frame[37]) = back ? (53, 80) : (80, 53)
            (frame[34], frame[36]) = (0, 0)
            time += 2_000
            if tables.advance(to: time) { tables.drain(count) }
            var packet = unsafe Packet(decoding: frame.span.bytes, wireLength: 0)
            if tables.add(&packet, time: time, interface: 0) { tables.drain(count) }
        }
        func speak() {
            for client in 0..<UInt32(established) {
                send(0x0A00_0000 + client)
                send(0x0A00_0000 + client, back: true)
            }
        }
        speak()
        var generator = SeededGenerator(seed: 5)
        var before = 0
        for number in 0..<Self.spoofed {
            send(UInt32(truncatingIfNeeded: generator.next()) | 0x8000_0000)
            if number % 50_000 == 0 { speak() }
            if number == Self.spoofed / 4 { before = Self.resident() }
        }
        let after = Self.resident()
        #expect(tables.count <= settings.flowsPerShard * ShardMap.shards)
        #expect(
            tables.counters.evicted >= UInt64(Self.spoofed - settings.flowsPerShard * ShardMap.shards - established)
        )
        #expect(tables.counters.evictedEstablished == 0)
        #expect(lost <= established / 100, "\(lost) of \(established) established flows ended; \(ended)")
        #expect(ended[.evicted] == Int(tables.counters.evicted))
        // Other tests run beside this one; the table itself was full long before.
        #expect(after - before < 96 << 20, "grew by \((after - before) >> 10) KiB")
        tables.stop()
        tables.drain { _ in }
        #expect(tables.counters.started == tables.counters.ended)
        print("\(Self.spoofed) spoofed flows: \(lost) of \(established) established ones ended, \(ended)")
    }

    /// The memory is that which is configured, at most two places in the index for each flow rounded up.
    @Test(arguments: [0, 1 << 20, 16 << 20]) func memoryIsAsConfigured(memory: Int) {
        var settings = FlowSettings()
        settings.memory = memory
        let flows = settings.flowsPerShard * ShardMap.shards
        #expect(flows * FlowTable.bytesPerFlow <= max(memory, 8 * ShardMap.shards * FlowTable.bytesPerFlow))
        #expect(flows >= 8 * ShardMap.shards)
    }
}
