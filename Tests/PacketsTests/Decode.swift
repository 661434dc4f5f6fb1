import Packets
import Support

/// Decodes bytes as a frame that was captured whole, unless told otherwise.
func decode(
    _ bytes: [UInt8],
    link: LinkType = .ethernet,
    wireLength: Int? = nil,
    strippedTag: UInt16? = nil,
    segmentSize: UInt16 = 0
) -> Packet {
    Packet(
        decoding: unsafe bytes.span.bytes,
        link: link,
        wireLength: wireLength ?? bytes.count,
        strippedTag: strippedTag,
        segmentSize: segmentSize
    )
}

func decode(_ packet: PacketBuilder, segmentSize: UInt16 = 0) -> Packet {
    decode(packet.bytes, segmentSize: segmentSize)
}

let frame = PacketBuilder().ethernet()

/// What must hold of every packet, whatever its bytes were.
func violations(of packet: Packet, bytes: Int, wireLength: Int) -> [String] {
    var found: [String] = []
    func require(_ condition: Bool, _ rule: String) {
        if !condition { found.append("\(rule): \(packet)") }
    }
    require(packet.capturedLength == bytes, "captured length is the bytes' count")
    require(packet.frameLength == max(bytes, wireLength), "frame length is the wire's")
    require(packet.headerLength <= packet.frameLength, "headers end inside the frame")
    require(packet.headerLength <= 4096 + 16 + 14 + 4 * 4 + 40 + 8 * 2048 + 60, "headers are bounded")
    require(
        packet.tunnelDepth > 0
            || UInt64(packet.headerLength) + UInt64(packet.payloadLength) <= UInt64(packet.frameLength),
        "payload ends inside the frame, unless a fragment or a mirror cut it"
    )
    require(packet.tunnelDepth <= Packet.mostTunnels, "tunnels are bounded")
    require((packet.tunnel == .none) == (packet.tunnelDepth == 0), "a depth has a tunnel")
    require(packet.tunnel == .none || packet.outcome == .decoded && packet.family != .other, "an inside is decoded IP")
    require(packet.fragment != .none || packet.fragmentIdentification == 0, "an identification is a fragment's")
    require(packet.ipHeaderLength <= packet.ipLength, "an IP header is part of the packet")
    require(packet.capturedPayload.upperBound <= bytes, "captured payload ends inside the bytes")
    require(packet.segments >= 1 && packet.bytes >= UInt64(packet.frameLength), "a frame is at least one packet")
    require(!packet.hasPorts || packet.transport != .none && packet.transport != .icmp, "ports have a transport")
    require(packet.transport == .none || packet.family != .other, "a transport has a family")
    require(packet.flags.isEmpty || packet.transport == .tcp, "flags are TCP's")
    require(packet.fragment != .later || !packet.hasPorts, "a later fragment has no ports")
    require(!packet.outcome.isTruncated || bytes < wireLength, "only a cut frame is truncated")
    return found
}

/// Both directions of a flow.
struct FiveTuple: Hashable {
    let family: Family
    let transport: Transport
    let low: Address
    let high: Address
    let lowPort: UInt16
    let highPort: UInt16

    init(_ packet: Packet) {
        let ends = [(packet.source, packet.sourcePort), (packet.destination, packet.destinationPort)].sorted(by: <)
        family = packet.family
        transport = packet.transport
        (low, lowPort) = ends[0]
        (high, highPort) = ends[1]
    }
}
