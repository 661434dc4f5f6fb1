import Packets

@testable import Flows

/// Flows as lists of all their packets, cut and measured by the definitions, slowly: what flow tables are held against.
struct ReferencePacket {
    /// Nanoseconds. In the profile `corrected` on the flow's own clock, which never goes back.
    var time: Int64
    let source: End
    let destination: End
    /// After the transport header.
    let payload: Int
    let header: Int
    let ipLength: Int
    let flags: TCPFlags
    let window: Int
    let wireBytes: Int
    let isLaterFragment: Bool
    /// The number of the frame it came in.
    let frame: Int
    var isForward = true
    var isLate = false

    struct End: Hashable {
        let address: Address
        let port: UInt16

        func isBelow(_ other: End) -> Bool {
            if address != other.address { return address < other.address }
            return port <= other.port
        }
    }

    /// The packets that a frame was on the wire. Of what segmentation offload joined, each has the headers, only the last
    /// has FIN and PSH, and only the first has CWR.
    static func all(of packet: Packet, time: Int64, frame: Int) -> [ReferencePacket] {
        let count = Int(packet.segments)
        let full = Int(packet.bytesOfFullSegment)
        return (0..<count).map { place in
            var flags = packet.flags
            if place < count - 1 { flags.subtract([.fin, .psh]) }
            if place > 0 { flags.subtract(.cwr) }
            let payload = payload(packet, place)
            return ReferencePacket(
                time: time,
                source: End(address: packet.source, port: packet.sourcePort),
                destination: End(address: packet.destination, port: packet.destinationPort),
                payload: payload,
                header: packet.fragment == .later ? 0 : Int(packet.transportHeaderLength),
                ipLength: count == 1
                    ? Int(packet.ipLength) : Int(packet.ipLength) - Int(packet.payloadLength) + payload,
                flags: flags,
                window: Int(packet.window),
                wireBytes: place < count - 1 ? full : Int(packet.bytes) - (count - 1) * full,
                isLaterFragment: packet.fragment == .later,
                frame: frame
            )
        }
    }

    private static func payload(_ packet: Packet, _ place: Int) -> Int {
        let before = place * Int(packet.segmentSize)
        if place < Int(packet.segments) - 1 { return Int(packet.segmentSize) }
        return max(0, Int(packet.payloadLength) - before)
    }
}

/// One flow with all its packets.
struct ReferenceFlow {
    let tuple: Tuple
    let initiator: ReferencePacket.End
    let responder: ReferencePacket.End
    var packets: [ReferencePacket] = []
    var end = FlowEnd.stopped
    /// The capture's clock at the last packet.
    var clock: Int64
    var forwardFINs = 0
    var backwardFINs = 0
    var wasReset = false

    struct Tuple: Hashable {
        let interface: UInt32
        let vlan: UInt16?
        let family: Family
        let protocolNumber: UInt8
        let low: ReferencePacket.End
        let high: ReferencePacket.End
    }

    var first: Int64 { packets[0].time }
    var last: Int64 { packets[packets.count - 1].time }
    var forward: [ReferencePacket] { packets.filter(\.isForward) }
    var backward: [ReferencePacket] { packets.filter { !$0.isForward } }
}

/// Cuts a capture into flows.
struct ReferenceCutter {
    let settings: FlowSettings
    private(set) var flows: [ReferenceFlow] = []
    private(set) var strays = 0
    private var open: [ReferenceFlow.Tuple: ReferenceFlow] = [:]
    private var clock = Int64.min
    private var ports: [Datagram: (source: UInt16, destination: UInt16, time: Int64)] = [:]

    private struct Datagram: Hashable {
        let source: Address
        let destination: Address
        let family: Family
        let protocolNumber: UInt8
        let identification: UInt32
        let interface: UInt32
    }

    init(_ frames: [CapturedFrame], _ settings: FlowSettings) {
        self.settings = settings
        for (number, var frame) in frames.enumerated() {
            // Beyond the years 1823 to 2116 no difference of times would fit.
            frame.time = min(max(frame.time, -1 << 62), 1 << 62 - 1)
            if frame.time > clock {
                let isNextSecond = frame.time >> 30 != clock >> 30
                clock = frame.time
                if isNextSecond { forget() }
            }
            var packet = frame.packet
            guard packet.family != .other, !packet.outcome.isMalformed, packet.transport != .none else { continue }
            guard findPorts(of: &packet, frame) else {
                strays += 1
                continue
            }
            add(packet, frame, number)
        }
        flows += open.values
    }

    /// Ends what was silent for too long. Looked at about once a second: when the clock's bits above the 30th move on.
    private mutating func forget() {
        for (tuple, flow) in open {
            guard let limit = limit(flow), limit >> 30 < clock >> 30 else { continue }
            finish(tuple, isClosed(flow) ? .closed : .idle)
        }
    }

    private func limit(_ flow: ReferenceFlow) -> Int64? {
        let patience = [settings.idle, isClosed(flow) ? settings.close : nil].compactMap { $0 }.min()
        return patience.map { flow.clock + $0 }
    }

    private func isClosed(_ flow: ReferenceFlow) -> Bool {
        guard settings.profile == .corrected, settings.close != nil else { return false }
        return flow.wasReset || flow.forwardFINs > 0 && flow.backwardFINs > 0
    }

    private mutating func finish(_ tuple: ReferenceFlow.Tuple, _ end: FlowEnd) {
        guard var flow = open.removeValue(forKey: tuple) else { return }
        flow.end = end
        flows.append(flow)
    }

    /// A later fragment has the ports of its datagram's first, if that came within 30 s before it. Without ports to find
    /// there is nothing to look for.
    private mutating func findPorts(of packet: inout Packet, _ frame: CapturedFrame) -> Bool {
        guard packet.fragment != .none, [6, 17, 132].contains(packet.protocolNumber) else { return true }
        let datagram = Datagram(
            source: packet.source,
            destination: packet.destination,
            family: packet.family,
            protocolNumber: packet.protocolNumber,
            identification: packet.fragmentIdentification,
            interface: frame.interface
        )
        if packet.fragment == .first {
            if packet.hasPorts { ports[datagram] = (packet.sourcePort, packet.destinationPort, frame.time) }
            return true
        }
        guard let known = ports[datagram], abs(frame.time - known.time) <= 30_000_000_000 else { return false }
        packet.inheritPorts(source: known.source, destination: known.destination)
        return true
    }

    private mutating func add(_ packet: Packet, _ frame: CapturedFrame, _ number: Int) {
        // CICFlowMeter reads whole microseconds.
        let time = settings.profile == .cic ? frame.time / 1000 * 1000 : frame.time
        for part in ReferencePacket.all(of: packet, time: time, frame: number) {
            let fromLow = part.source.isBelow(part.destination)
            let tuple = ReferenceFlow.Tuple(
                interface: frame.interface,
                vlan: packet.vlan,
                family: packet.family,
                protocolNumber: packet.protocolNumber,
                low: fromLow ? part.source : part.destination,
                high: fromLow ? part.destination : part.source
            )
            switch settings.profile {
            case .corrected: addCorrected(part, tuple)
            case .cic: addCIC(part, tuple)
            }
        }
    }

    private func newFlow(_ packet: ReferencePacket, _ tuple: ReferenceFlow.Tuple, like old: ReferenceFlow? = nil)
        -> ReferenceFlow
    {
        ReferenceFlow(
            tuple: tuple,
            initiator: old?.initiator ?? packet.source,
            responder: old?.responder ?? packet.destination,
            clock: clock
        )
    }

    // MARK: The profile `corrected`

    private mutating func addCorrected(_ packet: ReferencePacket, _ tuple: ReferenceFlow.Tuple) {
        var packet = packet
        var old: ReferenceFlow?
        if let flow = open[tuple] {
            let silence = packet.time - flow.last
            let reopens = packet.flags.contains(.syn) && !packet.flags.contains(.ack)
            if let idle = settings.idle, silence > idle {
                finish(tuple, .idle)
            } else if let active = settings.active, packet.time - flow.first > active {
                // The flow goes on, so its initiator stays.
                old = flow
                finish(tuple, .active)
            } else if isClosed(flow), let close = settings.close, reopens || silence > close {
                finish(tuple, .closed)
            }
        }
        var flow = open[tuple] ?? newFlow(packet, tuple, like: old)
        packet.isForward = packet.source == flow.initiator
        if let last = flow.packets.last?.time, packet.time < last {
            packet.isLate = true
            packet.time = last
        }
        flow.packets.append(packet)
        flow.clock = clock
        if packet.flags.contains(.fin) {
            if packet.isForward { flow.forwardFINs += 1 } else { flow.backwardFINs += 1 }
        }
        if packet.flags.contains(.rst) { flow.wasReset = true }
        open[tuple] = flow
        if settings.close == 0, isClosed(flow) { finish(tuple, .closed) }
    }

    // MARK: The profile `cic`

    /// As CICFlowMeter 4.0, FlowGenerator.addPacket.
    private mutating func addCIC(_ packet: ReferencePacket, _ tuple: ReferenceFlow.Tuple) {
        var packet = packet
        guard var flow = open[tuple] else { return startCIC(packet, newFlow(packet, tuple)) }
        if let active = settings.active, packet.time - flow.first > active {
            finish(tuple, .active)
            return startCIC(packet, newFlow(packet, tuple, like: flow))
        }
        // Only addresses are compared: between two ports of one host all packets are forward.
        packet.isForward = packet.source.address == flow.initiator.address
        // Of a continuation the first is forward whoever sent it; and with it what came in its frame.
        if packet.frame == flow.packets[0].frame { packet.isForward = true }
        let isFIN = packet.flags.contains(.fin)
        if isFIN, packet.isForward {
            flow.forwardFINs += 1
            if flow.forwardFINs > 1 {
                open[tuple] = flow
                return
            }
        }
        let before = flow.packets[flow.packets.count - 1]
        packet.isLate = packet.time < before.time || packet.frame == before.frame && before.isLate
        flow.packets.append(packet)
        open[tuple] = flow
        if isFIN ? !packet.isForward : packet.flags.contains(.rst) { finish(tuple, .closed) }
    }

    private mutating func startCIC(_ packet: ReferencePacket, _ flow: ReferenceFlow) {
        var flow = flow
        var packet = packet
        packet.isForward = true
        flow.packets = [packet]
        open[flow.tuple] = flow
    }
}
