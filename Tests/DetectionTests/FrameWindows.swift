import Flows
import Packets

/// Windows that the flow tables make of frames.
enum FrameWindows {
    static func of(_ frames: [(time: Double, bytes: [UInt8])]) -> [Observation] {
        var settings = FlowSettings()
        settings.observes = true
        settings.memory = 32 << 20
        var tables = FlowTables(settings, map: ShardMap(seed: 0, workers: 1), worker: 0)
        var windows: [Observation] = []
        var packet = Packet()
        func take(_ tables: inout FlowTables) {
            while var window = tables.takeObservation() {
                window.settle()
                windows.append(window)
            }
        }
        for (time, bytes) in frames.sorted(by: { $0.time < $1.time }) {
            let frame = bytes.span
            let bytes = unsafe frame.bytes
            packet.decode(bytes, link: .ethernet, wireLength: bytes.byteCount, strippedTag: nil, segmentSize: 0)
            packet.decodeLink(bytes)
            let time = FloodWindows.time(time)
            if tables.advance(to: time) { tables.drain { _ in } }
            take(&tables)
            if tables.add(&packet, bytes, time: time, interface: 1) { tables.drain { _ in } }
        }
        tables.endObservation()
        take(&tables)
        return windows
    }
}
