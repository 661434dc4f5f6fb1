public import Flows
import Packets

extension PacketView {
    /// What the packet view shows of a sampled packet; nothing of its payload.
    public init(_ summary: PacketSummary, sequence: UInt64, interface: String) {
        let packet = summary.packet
        // ARP speaks of IPv4 addresses.
        let family = packet.arpOperation != 0 ? Family.ipv4 : packet.family
        let hasAddresses = packet.family != .other || packet.arpOperation != 0
        self.init(
            sequence: sequence,
            time: WallTime(nanoseconds: Int64(bitPattern: summary.time)),
            size: UInt32(clamping: packet.bytes),
            source: hasAddresses ? packet.source.text(as: family) : nil,
            destination: hasAddresses ? packet.destination.text(as: family) : nil,
            protocol: Self.name(of: packet),
            sourcePort: packet.hasPorts ? packet.sourcePort : nil,
            destinationPort: packet.hasPorts ? packet.destinationPort : nil,
            flags: packet.transport == .tcp && packet.hasPorts ? packet.flags.rawValue : nil,
            interface: interface,
            direction: summary.direction == .rx ? .incoming : .outgoing,
            vlan: packet.vlan
        )
    }

    /// The names that clients of this API know: an application's by its well-known port, else the transport's.
    private static func name(of packet: Packet) -> String {
        switch packet.transport {
        case .tcp:
            let ports = [packet.sourcePort, packet.destinationPort]
            if ports.contains(80) { return "HTTP" }
            if ports.contains(443) { return "HTTPS" }
            return ports.contains(22) ? "SSH" : "TCP"
        case .udp: return [packet.sourcePort, packet.destinationPort].contains(53) ? "DNS" : "UDP"
        case .icmp: return "ICMP"
        case .other: return packet.protocolNumber == 132 ? "SCTP" : "Unknown"
        case .none: return packet.arpOperation != 0 ? "ARP" : "Unknown"
        }
    }
}
