import Packets

/// Packets and their bytes on the wire (L2, without FCS).
public struct Volume: Equatable, BitwiseCopyable, Sendable {
    public var packets: UInt64
    public var bytes: UInt64

    public init(packets: UInt64, bytes: UInt64) {
        self.packets = packets
        self.bytes = bytes
    }

    @inline(__always)
    mutating func count(_ packet: Packet) {
        packets &+= UInt64(packet.segments)
        bytes &+= packet.bytes
    }
}

extension Volume: Counters {
    public init() {
        self.init(packets: 0, bytes: 0)
    }

    public static func += (left: inout Volume, right: Volume) {
        left.packets &+= right.packets
        left.bytes &+= right.bytes
    }

    public func since(_ earlier: Volume) -> Volume {
        Volume(
            packets: packets.since(earlier.packets),
            bytes: bytes.since(earlier.bytes)
        )
    }
}
