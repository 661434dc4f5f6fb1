import Capture
import Detection
import Packets

/// The packets about incidents that opened: what the recorders held of them then.
struct IncidentRecordings {
    /// Bytes for all, and for one incident.
    private let capacity: Int
    private var share: Int { capacity / 8 }
    /// Oldest first.
    private var kept: [(id: String, recording: Recording)] = []

    init(capacity: Int) { self.capacity = capacity }

    /// What was kept of an incident.
    subscript(id: String) -> Recording? { kept.first { $0.id == id }?.recording }

    /// Keeps the latest of a recording; the oldest incidents make room for it.
    mutating func add(_ recording: Recording, of incident: Incident) {
        kept.append((incident.id, recording.selecting(atMost: share) { _, _ in true }))
        while kept.reduce(0, { $0 + $1.recording.size }) > capacity { kept.removeFirst() }
    }

    /// Nanoseconds before an incident opened from which on its packets count.
    private static let before: Int64 = 60_000_000_000

    /// The frames about an incident, by time.
    /// - Parameter time: those up to it are left out.
    static func about(_ incident: Incident, in recording: Recording, after time: Int64 = .min) -> Recording {
        let start = max(incident.opened - before, time == .min ? .min : time + 1)
        let end = incident.closed ?? .max
        return recording.selecting { frame, bytes in
            frame.time >= start && frame.time <= end && incident.subject.hasPart(in: frame, bytes)
        }
    }

    /// What was kept, and what came since then.
    /// - Parameter now: what the recorders hold.
    static func join(_ kept: Recording?, about incident: Incident, with now: Recording) -> Recording {
        var last = Int64.min
        kept?.forEach { frame, _ in last = max(last, frame.time) }
        return (kept ?? Recording()) + about(incident, in: now, after: last)
    }
}

extension Subject {
    /// Whether a frame comes from the subject or goes to it.
    fileprivate func hasPart(in frame: RecordedFrame, _ bytes: RawSpan) -> Bool {
        var packet = Packet()
        packet.decode(frame.info, bytes)
        guard packet.family == family else { return false }
        let prefix = Prefix(address, family, bits: prefixLength)
        let (comes, goes) = (prefix.contains(packet.source, family), prefix.contains(packet.destination, family))
        guard port != 0, packet.hasPorts else { return comes || goes }
        return comes && packet.sourcePort == port || goes && packet.destinationPort == port
    }
}
