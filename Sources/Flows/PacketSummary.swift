public import Packets

/// What the packet view shows of one frame. Headers only: payload is never kept.
public struct PacketSummary: BitwiseCopyable, Sendable {
    /// Nanoseconds on the clock of the frame's source (the ring or the file).
    public let time: UInt64
    public let packet: Packet
    /// The interface's index on this host, or its number in the file.
    public let interface: UInt32
    public let direction: Direction

    @inline(__always)
    public init(_ packet: Packet, time: UInt64, interface: UInt32, direction: Direction) {
        self.time = time
        self.packet = packet
        self.interface = interface
        self.direction = direction
    }
}
