import Capture
import Detection
public import Flows
public import Packets
import Reports

/// What a replay has read and made.
public struct ReplaySummary: Sendable {
    public struct File: Equatable, Sendable {
        /// As it was named, or found in a folder; "-" for standard input.
        public var path: String
        public var frames: UInt64
        /// Why it was not read to its end.
        public var failure: String?
        /// Whether there is no such file, or it may not be read.
        public var isUnreadable: Bool
    }

    public internal(set) var files: [File] = []
    /// Files in folders that are no captures.
    public internal(set) var skipped = 0
    /// The account of all frames; without a residue, always.
    public internal(set) var ledger = Ledger()
    /// Frames by what became of them.
    public internal(set) var outcomes = DecodeCounters()
    /// All interfaces together. Frames of which the capture does not say their direction count as received.
    public internal(set) var traffic = InterfaceCounters()
    /// Nanoseconds since 1970 of the oldest and the youngest packet; nil when there is none.
    public internal(set) var span: ClosedRange<Int64>?
    /// Records of flows that have ended, written or not; of flows that went on.
    public internal(set) var flows: UInt64 = 0
    public internal(set) var interims: UInt64 = 0
    /// Flows of which the profile writes no record.
    public internal(set) var omitted: UInt64 = 0
    public internal(set) var table = FlowTable.Counters()
    /// Later fragments whose first was not seen.
    public internal(set) var strayFragments = Flows.Volume()
    /// IP packets that belong to no flow since their headers are malformed.
    public internal(set) var unread = Flows.Volume()
    /// What the detectors made of it.
    public internal(set) var findings = ReplayFindings()
    /// Threads that kept flows.
    public internal(set) var workers = 1
    /// Seconds.
    public internal(set) var elapsed = 0.0
    var read: UInt64 = 0

    public var frames: UInt64 { ledger.read }
    /// L2 bytes on the wire.
    public var bytes: UInt64 { traffic.rx.total.bytes &+ traffic.tx.total.bytes }
    /// Packets on the wire.
    public var packets: UInt64 { traffic.rx.total.packets &+ traffic.tx.total.packets }

    @inline(__always)
    mutating func count(_ packet: inout Packet, _ info: FrameInfo) {
        outcomes.count(packet.outcome)
        traffic.count(packet, info.direction == .outgoing ? .tx : .rx)
        if info.time < earliest { earliest = info.time }
        if info.time > latest { latest = info.time }
    }

    private var earliest = Int64.max
    private var latest = Int64.min

    /// Takes what is known at the end.
    mutating func finish(
        _ timeline: borrowing CaptureTimeline,
        _ tables: borrowing FlowTables,
        _ rows: borrowing FlowRows,
        _ inputs: ReplayInputs
    ) {
        files = timeline.files.map { file in
            File(
                path: inputs.name(of: file.path),
                frames: file.frames,
                failure: file.error.map { inputs.told($0) },
                isUnreadable: file.error.map { if case .system = $0.reason { true } else { false } } ?? false
            )
        }
        files += inputs.failures
        skipped = timeline.skipped
        ledger.offered = files.reduce(0) { $0 + $1.frames }
        ledger.kept = ledger.offered
        ledger.read = read
        ledger.add(outcomes)
        if earliest <= latest { span = earliest...latest }
        strayFragments = tables.strayFragments
        unread = tables.unread
        table = tables.counters
        flows = rows.ended
        interims = rows.interims
        omitted = rows.omitted
    }

    /// Adds what another worker has made of the same frames.
    mutating func add(flowsOf other: ReplaySummary) {
        table += other.table
        flows &+= other.flows
        interims &+= other.interims
        omitted &+= other.omitted
    }
}

// MARK: - JSON

extension ReplaySummary {
    /// One object.
    public func json() -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.field("schema", 1)
            json.field("files", files.count)
            json.field("frames", frames)
            json.field("packets", packets)
            json.field("bytes", bytes)
            json.object("ledger") { LedgerCounts(ledger).write(to: &$0) }
            json.field("flows", flows)
            json.field("flows_omitted", omitted)
            json.field("interim_records", interims)
            json.field("flows_evicted", table.evicted)
            json.field("established_flows_evicted", table.evictedEstablished)
            json.array("incidents") { json in
                for incident in findings.incidents {
                    Threat(incident, ThreatContext(), .numbers).write(to: &json)
                }
            }
            json.array("levels") { json in
                for (threat, nearness) in findings.levels {
                    json.object { json in
                        json.field("class", threat.name)
                        json.field("highest", nearness.highest, places: 3)
                        json.field("half", nearness.half)
                        json.field("level", nearness.level)
                        json.field("twice", nearness.twice)
                    }
                }
            }
            if let span {
                json.field("first", WallTime(nanoseconds: span.lowerBound), digits: .microseconds)
                json.field("last", WallTime(nanoseconds: span.upperBound), digits: .microseconds)
            }
            json.object("protocols") { json in
                for (name, volume) in protocols { json.field(name, volume) }
            }
            json.object("outcomes") { json in
                for outcome in Outcome.allCases where outcomes[outcome] > 0 {
                    json.field("\(outcome)", outcomes[outcome])
                }
            }
            json.field("stray_fragments", strayFragments)
            json.field("outside_flows", unread)
            json.array("failures") { json in
                for file in files {
                    guard let failure = file.failure else { continue }
                    json.object { json in
                        json.field("file", file.path, limit: 4096)
                        json.field("frames", file.frames)
                        json.field("message", failure, limit: 8192)
                    }
                }
            }
            json.field("files_skipped", skipped)
            json.field("workers", workers)
            json.field("elapsed_seconds", elapsed)
        }
        return json.bytes
    }

    /// Packets of both directions by what their IP header names.
    public var protocols: [(name: String, volume: Flows.Volume)] {
        let (rx, tx) = (traffic.rx, traffic.tx)
        var sums: [(name: String, volume: Flows.Volume)] = [
            ("tcp", rx.tcp), ("udp", rx.udp), ("icmp", rx.icmp), ("other", rx.otherProtocol),
        ]
        for (place, volume) in [tx.tcp, tx.udp, tx.icmp, tx.otherProtocol].enumerated() {
            sums[place].volume += volume
        }
        return sums
    }
}

extension JSONWriter {
    fileprivate mutating func field(_ name: String, _ volume: Flows.Volume) {
        object(name) { json in
            json.field("packets", volume.packets)
            json.field("bytes", volume.bytes)
        }
    }
}
