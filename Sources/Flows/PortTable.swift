public import Packets

/// Counters of every local port of TCP and UDP: 4 MiB, made once.
///
/// The local port is the destination of a received packet and the source of a sent one. Packets without ports (later
/// fragments, malformed ones, other protocols) are in the interface's counters only.
public struct PortTable: Sendable {
    private var ports = [PortCounters](repeating: PortCounters(), count: 2 * 65_536)

    public init() {}

    @inline(__always)
    public mutating func count(_ packet: Packet, _ direction: Direction) {
        guard packet.hasPorts, packet.transport == .tcp || packet.transport == .udp else { return }
        switch direction {
        case .rx: ports[Self.index(packet.transport, packet.destinationPort)].received.count(packet)
        case .tx: ports[Self.index(packet.transport, packet.sourcePort)].sent.count(packet)
        }
    }

    /// - Parameter transport: TCP or UDP.
    public subscript(transport: Transport, port: UInt16) -> PortCounters {
        precondition(transport == .tcp || transport == .udp, "only TCP and UDP ports are counted")
        return ports[Self.index(transport, port)]
    }

    @inline(__always)
    private static func index(_ transport: Transport, _ port: UInt16) -> Int {
        Int(transport.rawValue) << 16 | Int(port)
    }
}
