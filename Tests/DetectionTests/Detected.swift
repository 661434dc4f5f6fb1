import Capture
import Detection
import Flows
import Packets
import Support

/// What detection makes of frames, by the sensor's own way of a packet.
struct Detected {
    var events: [IncidentEvent] = []
    var detection: Detection
    var frames = 0

    /// Of capture files, merged into one timeline.
    init(captures paths: [String], _ settings: DetectionSettings = DetectionSettings(), _ scene: Scene = Scene()) {
        detection = Detection(settings, sensor: "test")
        var flows = FlowSettings()
        flows.memory = 96 << 20
        flows.observes = true
        var tables = FlowTables(flows, map: ShardMap(seed: 0, workers: 1), worker: 0)
        var timeline = CaptureTimeline(paths)
        var packet = Packet()
        while let info = timeline.next() {
            frames += 1
            packet.decode(
                timeline.bytes,
                link: Packets.LinkType(number: UInt32(info.link.rawValue)),
                wireLength: Int(info.wireLength),
                strippedTag: info.tag?.control,
                segmentSize: info.segmentSize
            )
            packet.decodeLink(timeline.bytes)
            if tables.advance(to: info.time) { tables.drain { _ in } }
            take(&tables, scene)
            if tables.add(&packet, timeline.bytes, time: info.time, interface: info.interface) { tables.drain { _ in } }
            guard packet.transport == .icmp, packet.isICMPError, var quoted = packet.quoted(in: timeline.bytes) else {
                continue
            }
            tables.addError(quoting: &quoted, interface: info.interface)
        }
        tables.stop()
        tables.drain { _ in }
        tables.endObservation()
        take(&tables, scene)
        events += detection.finish()
    }

    /// Of windows made by hand.
    init(_ windows: [Observation], _ settings: DetectionSettings = DetectionSettings(), _ scene: Scene = Scene()) {
        detection = Detection(settings, sensor: "test")
        for window in windows {
            events += detection.advance(to: window.start)
            events += detection.take(window, scene)
        }
        events += detection.finish()
    }

    private mutating func take(_ tables: inout FlowTables, _ scene: Scene) {
        while var window = tables.takeObservation() {
            window.settle()
            events += detection.advance(to: window.start)
            events += detection.take(window, scene)
        }
    }

    /// Names of the classes of which incidents opened.
    var classes: Set<String> { Set(opened.map(\.threat.name)) }
    var opened: [Incident] { events.filter { $0.incident.state == .opened }.map(\.incident) }
}
