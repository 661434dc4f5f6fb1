import Capture
import Packets
import Support

@testable import Flows

/// A frame in memory, with what a capture says of it.
struct CapturedFrame {
    var bytes: [UInt8]
    /// Nanoseconds.
    var time: Int64
    var wireLength = 0
    var interface: UInt32 = 0
    var link = Packets.LinkType.ethernet
    var segmentSize: UInt16 = 0

    var packet: Packet { packet(inner: false) }

    /// - Parameter inner: whether tunnels are entered; what stands between link and IP always is.
    func packet(inner: Bool) -> Packet {
        let bytes = unsafe self.bytes.span.bytes
        var packet = Packet(decoding: bytes, link: link, wireLength: wireLength, segmentSize: segmentSize)
        if inner { packet.decodeInner(bytes) } else { packet.decodeLink(bytes) }
        return packet
    }
}

extension SharedCapture {
    /// The frames up to the end or to what makes no sense; nil when the file is no capture.
    func frames(limit: Int = .max) -> [CapturedFrame]? { CapturedFrame.all(of: path, limit: limit) }

    static func named(_ name: String) -> SharedCapture? { all.first { $0.name == name } }
}

extension CapturedFrame {
    static func all(of path: String, limit: Int = .max) -> [CapturedFrame]? {
        guard var reader = try? CaptureReader(path: path) else { return nil }
        var frames: [CapturedFrame] = []
        while frames.count < limit, let info = try? reader.next() {
            let bytes = reader.bytes
            frames.append(
                CapturedFrame(
                    bytes: unsafe bytes.withUnsafeBytes { unsafe Array($0) },
                    time: info.time,
                    wireLength: Int(info.wireLength),
                    interface: info.interface,
                    link: Packets.LinkType(number: UInt32(info.link.rawValue))
                )
            )
        }
        return frames
    }
}

/// What flow tables made of frames.
struct FlowRun {
    var records: [FlowRecord] = []
    /// At which frame each record was handed out: twice its number, and one more after the frame was counted.
    var places: [Int] = []
    var counters = FlowTable.Counters()
    var strays = Volume()
    var unread = Volume()

    /// The final records.
    var flows: [FlowRecord] { records.filter { $0.end != .interim } }

    init(
        _ frames: [CapturedFrame],
        _ settings: FlowSettings,
        worker: Int = 0,
        of workers: Int = 1,
        inner: Bool = false
    ) {
        var tables = FlowTables(settings, map: ShardMap(seed: 0, workers: workers), worker: worker)
        for (place, frame) in frames.enumerated() {
            if tables.advance(to: frame.time) { take(&tables, 2 * place) }
            var packet = frame.packet(inner: inner)
            if tables.add(&packet, time: frame.time, interface: frame.interface) { take(&tables, 2 * place + 1) }
            guard packet.isICMPError, var quoted = unsafe packet.quoted(in: frame.bytes.span.bytes) else { continue }
            tables.addError(quoting: &quoted, interface: frame.interface)
        }
        tables.stop()
        take(&tables, 2 * frames.count)
        counters = tables.counters
        strays = tables.strayFragments
        unread = tables.unread
    }

    /// The same through rows of packets.
    init(batching frames: [CapturedFrame], _ settings: FlowSettings) {
        var tables = FlowTables(settings, map: ShardMap(seed: 0, workers: 1), worker: 0)
        var batch = PacketBatch()
        var records: [FlowRecord] = []
        for frame in frames {
            let bytes = unsafe frame.bytes.span.bytes
            batch.append(time: frame.time, interface: frame.interface) {
                $0.decode(bytes, link: frame.link, wireLength: frame.wireLength, segmentSize: frame.segmentSize)
            }
            if batch.isFull { tables.add(&batch) { records.append(copy $0) } }
        }
        tables.add(&batch) { records.append(copy $0) }
        tables.stop()
        tables.drain { records.append(copy $0) }
        self.records = records
        counters = tables.counters
        strays = tables.strayFragments
        unread = tables.unread
    }

    private mutating func take(_ tables: inout FlowTables, _ place: Int) {
        var taken: [FlowRecord] = []
        tables.drain { taken.append(copy $0) }
        records += taken
        places += Array(repeating: place, count: taken.count)
    }
}

extension FlowRecord {
    /// All that a record says, for comparison.
    var text: String {
        let values = features.values(.corrected)
        return
            "\(key.interface) \(key.vlan ?? 9999) \(key.protocolNumber) \(initiator)/\(initiatorPort) "
            + "\(responder)/\(responderPort) \(features.first) \(features.last) \(end) \(interims) \(laterFragments) "
            + "\(late) \(errors) \(forward) \(backward) \(forwardDelta) \(backwardDelta) "
            + (0..<76).map { "\(values[$0])" }.joined(separator: " ")
            + (0..<16).map { " \(opening.sizes[$0])/\(opening.gaps[$0])" }.joined()
    }
}
