import Capture
import Flows
import Glibc
import Linux
import Measuring
import Packets
import Reports
import Synchronization

/// The stages, each with all before it, over one capture file.
struct Pipeline: Sendable {
    /// Nanoseconds between the starts of two rounds: by then all flows of one have ended.
    private static let pause: Int64 = 1_000_000_000_000

    private let path: String

    init(_ path: String) { self.path = path }

    static var settings: FlowSettings {
        var settings = FlowSettings()
        // As a replay has it: nothing is turned away at 80,000 flows, and records are of whole flows.
        settings.memory = 96 << 20
        settings.interim = nil
        return settings
    }

    /// What a round leaves behind, so that nothing of it can be optimised away.
    private struct Tally {
        var packets = 0
        var flows = 0
        var sum = 0.0
        var decoded = DecodeCounters()
        var bytes = 0
    }

    /// What is done with a flow's record.
    private enum Use {
        case count
        case values
        case csv
    }

    func run(_ stage: String, rounds: Int) throws {
        if stage == "workers-2" { return try compareWorkers(rounds: rounds) }
        var settings = Self.settings
        if stage == "lookup" {
            (settings.idle, settings.active, settings.close, settings.interim) = (nil, nil, nil, nil)
        }
        if stage == "entropy" { settings.entropy = .first }
        var tables = FlowTables(settings, map: ShardMap(seed: 0, workers: 1), worker: 0)
        var tally = Tally()
        if stage == "lookup" { try features(&tables, 0, &tally, .count) }
        var times: [Double] = []
        times.reserveCapacity(rounds)
        for round in 0..<rounds {
            tally.packets = 0
            let start = now(CLOCK_THREAD_CPUTIME_ID)
            let shift = Int64(round) * Self.pause
            switch stage {
            case "read": try read(&tally)
            case "decode": try decode(&tally)
            case "lookup": try lookup(&tables, &tally)
            case "features": try features(&tables, shift, &tally, .count)
            case "entropy": try entropy(&tables, shift, &tally)
            case "csv": try features(&tables, shift, &tally, .csv)
            default: try features(&tables, shift, &tally, .values)
            }
            times.append((now(CLOCK_THREAD_CPUTIME_ID) - start) / Double(tally.packets))
        }
        precondition(tables.counters.evicted == 0, "the tables are large enough")
        let sorted = times.sorted()
        var measure = Measure("Flows", stage)
        measure.add("ns_per_packet", sorted[sorted.count / 2])
        measure.add("best_ns_per_packet", sorted[0])
        measure.add("best_packets_per_second", (1e9 / sorted[0]).rounded())
        measure.add("packets", tally.packets)
        measure.add("flows", tally.flows / rounds)
        measure.show()
    }

    private func now(_ clock: Int32) -> Double {
        var time = timespec()
        _ = unsafe clock_gettime(clock, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
}

// MARK: - One round

extension Pipeline {
    @inline(never)
    private func read(_ tally: inout Tally) throws {
        var reader = try CaptureReader(path: path)
        while let info = try reader.next() {
            tally.packets += 1
            tally.sum += unsafe Double(reader.bytes.unsafeLoad(as: UInt8.self)) + Double(info.wireLength)
        }
    }

    @inline(never)
    private func decode(_ tally: inout Tally) throws {
        var reader = try CaptureReader(path: path)
        var packet = Packet()
        while let info = try reader.next() {
            packet.decode(info, reader.bytes)
            tally.decoded.count(packet.outcome)
            tally.packets += 1
            tally.flows &+= Int(packet.sourcePort) ^ Int(packet.payloadLength)
        }
        tally.flows = 0
    }

    /// Counting an ICMP error to the flow that it quotes is a look-up and one addition.
    @inline(never)
    private func lookup(_ tables: inout FlowTables, _ tally: inout Tally) throws {
        var reader = try CaptureReader(path: path)
        var packet = Packet()
        while let info = try reader.next() {
            packet.decode(info, reader.bytes)
            tally.packets += 1
            if packet.family != .other { tables.addError(quoting: &packet, interface: info.interface) }
        }
    }

    @inline(never)
    private func features(_ tables: inout FlowTables, _ shift: Int64, _ tally: inout Tally, _ use: Use) throws {
        var reader = try CaptureReader(path: path)
        var batch = PacketBatch()
        let csv = FlowCSV(.corrected)
        var text = TextBuffer(capacity: 1 << 16)
        func take(_ record: borrowing FlowRecord) {
            guard record.end != .interim else { return }
            tally.flows += 1
            switch use {
            case .count: break
            case .values: tally.sum += record.features.values(.corrected)[13]
            case .csv:
                csv.write(record, to: &text)
                guard text.count > 1 << 15 else { return }
                tally.bytes += text.count
                text.clear()
            }
        }
        while let info = try reader.next() {
            tally.packets += 1
            batch.append(time: info.time &+ shift, interface: info.interface) { $0.decode(info, reader.bytes) }
            if batch.isFull { tables.add(&batch, take) }
        }
        tables.add(&batch, take)
        tables.stop()
        tables.drain(take)
    }

    @inline(never)
    private func entropy(_ tables: inout FlowTables, _ shift: Int64, _ tally: inout Tally) throws {
        var reader = try CaptureReader(path: path)
        var packet = Packet()
        func take(_ record: borrowing FlowRecord) { tally.flows += record.end == .interim ? 0 : 1 }
        while let info = try reader.next() {
            tally.packets += 1
            packet.decode(info, reader.bytes)
            let time = info.time &+ shift
            if tables.advance(to: time) { tables.drain(take) }
            if tables.add(&packet, reader.bytes, time: time, interface: info.interface) { tables.drain(take) }
        }
        tables.stop()
        tables.drain(take)
    }
}

extension Packet {
    @inline(__always)
    fileprivate mutating func decode(_ info: FrameInfo, _ bytes: RawSpan) {
        decode(bytes, link: Packets.LinkType(number: UInt32(info.link.rawValue)), wireLength: Int(info.wireLength))
    }
}

// MARK: - Workers

extension Pipeline {
    private func compareWorkers(rounds: Int) throws {
        var one: [Times] = []
        var two: [Times] = []
        // By turns, so that what else the machine does falls on both.
        for _ in 0..<rounds {
            one.append(try time(workers: 1))
            two.append(try time(workers: 2))
        }
        func best(_ times: [Times], _ part: (Times) -> Double) -> Double { times.map(part).min() ?? 0 }
        var measure = Measure("Flows", "workers-2")
        measure.add("one_wall_ns_per_packet", best(one, \.wall))
        measure.add("two_wall_ns_per_packet", best(two, \.wall))
        measure.add("speedup_by_wall", best(one, \.wall) / best(two, \.wall))
        measure.add("one_processor_ns_per_packet", best(one, \.busiest))
        measure.add("busier_of_two_processor_ns_per_packet", best(two, \.busiest))
        measure.add("speedup_by_processor_time", best(one, \.busiest) / best(two, \.busiest))
        measure.show()
    }

    /// Nanoseconds per packet, until the last worker was done; and on a processor, of the worker that was longest on one, which
    /// is what the wall would show where nothing else runs.
    private struct Times {
        var wall: Double
        var busiest: Double
    }

    private func time(workers: Int) throws -> Times {
        let start = now(CLOCK_MONOTONIC)
        let other = Mutex(0.0)
        var worker: Worker?
        if workers == 2 {
            worker = try Worker(name: "second") {
                let spent = work(1, of: 2).time
                other.withLock { $0 = spent }
            }
        }
        let (packets, own) = work(0, of: workers)
        worker.take()?.join()
        let wall = now(CLOCK_MONOTONIC) - start
        return Times(wall: wall / Double(packets), busiest: max(own, other.withLock { $0 }) / Double(packets))
    }

    /// - Returns: packets, and nanoseconds on a processor.
    private func work(_ worker: Int, of workers: Int) -> (packets: Int, time: Double) {
        let start = now(CLOCK_THREAD_CPUTIME_ID)
        var tables = FlowTables(Self.settings, map: ShardMap(seed: 0, workers: workers), worker: worker)
        var tally = Tally()
        do { try features(&tables, 0, &tally, .values) } catch { fatalError("\(error)") }
        return (tally.packets, now(CLOCK_THREAD_CPUTIME_ID) - start)
    }
}
