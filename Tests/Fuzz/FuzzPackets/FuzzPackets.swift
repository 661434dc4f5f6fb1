import CFuzzer
import Flows
import Packets

/// The first bytes of an input say how the rest is to be taken.
private struct Choice {
    static let size = 6

    let link: LinkType
    let missing: Int
    let tag: UInt16?
    let segmentSize: UInt16

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        link = LinkType.allCases[unsafe Int(bytes[0]) % LinkType.allCases.count]
        tag = unsafe bytes[1] & 0x08 != 0 ? UInt16(bytes[2]) : nil
        missing = unsafe bytes[1] & 0x10 != 0 ? Int(bytes[2]) << 8 | Int(bytes[3]) : 0
        segmentSize = unsafe bytes[1] & 0x20 != 0 ? UInt16(bytes[4]) << 8 | UInt16(bytes[5]) : 0
    }
}

private func check(_ input: UnsafeBufferPointer<UInt8>) {
    guard input.count >= Choice.size else { return }
    let choice = unsafe Choice(input)
    let frame = unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(input)[Choice.size...])
    let bytes = unsafe frame.bytes
    let wireLength = frame.count + choice.missing
    let packet = Packet(
        decoding: bytes,
        link: choice.link,
        wireLength: wireLength,
        strippedTag: choice.tag,
        segmentSize: choice.segmentSize
    )

    precondition(packet.tunnel == .none && packet.tunnelDepth == 0)
    precondition(Int(packet.headerLength) + Int(packet.payloadLength) <= wireLength)
    precondition(!packet.outcome.isTruncated || choice.missing > 0)
    check(packet, captured: frame.count, wireLength: wireLength)

    var inner = packet
    inner.decodeInner(bytes)
    precondition(inner.tunnelDepth <= Packet.mostTunnels)
    precondition((inner.tunnel == .none) == (inner.tunnelDepth == 0))
    precondition(inner.tunnel == .none || inner.outcome == .decoded && inner.family != .other)
    precondition(inner.tunnel == .none || inner.headerLength > packet.headerLength)
    precondition(inner.tagCount >= packet.tagCount && inner.segmentSize == packet.segmentSize)
    check(inner, captured: frame.count, wireLength: wireLength)
}

/// What holds of a packet and of one in a tunnel.
private func check(_ packet: Packet, captured: Int, wireLength: Int) {
    precondition(Int(packet.frameLength) == wireLength && Int(packet.capturedLength) == captured)
    precondition(packet.capturedPayload.upperBound <= captured)
    precondition(packet.segments >= 1 && packet.bytes >= UInt64(wireLength))
    precondition(packet.transport == .none || packet.family != .other)
    precondition(packet.flags.isEmpty || packet.hasPorts && packet.transport == .tcp)
    precondition(packet.ipHeaderLength <= packet.ipLength)
    precondition(packet.fragment != .none || packet.fragmentIdentification == 0)

    var decoded = DecodeCounters()
    decoded.count(packet.outcome)
    precondition(decoded.total == 1)
    precondition(decoded.decoded + decoded.truncated + decoded.malformed + decoded.unknown == 1)

    var counters = DirectionCounters()
    counters.count(packet)
    let families = counters.ipv4 + counters.ipv6 + counters.otherFamily
    let protocols = counters.tcp + counters.udp + counters.icmp + counters.otherProtocol
    precondition(counters.frames == 1)
    precondition(counters.total == Volume(packets: UInt64(packet.segments), bytes: packet.bytes))
    precondition(families == counters.total)
    precondition(protocols == (packet.transport == .none ? Volume() : counters.total))
    precondition(counters.sizes.indices.reduce(0) { $0 + counters.sizes[$1] } == counters.total.packets)
    precondition((counters.malformed == counters.total.packets) == packet.outcome.isMalformed)

    let shards = ShardMap(seed: 1, workers: 1)
    precondition((0..<ShardMap.shards).contains(shards.shard(of: packet)))
}

@c(LLVMFuzzerTestOneInput)
func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    unsafe check(UnsafeBufferPointer(start: data, count: size))
    return 0
}

/// Where the package manager looks for the executable's entry.
@c(FuzzPackets_main)
func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
    var (count, arguments) = unsafe (count, arguments)
    return unsafe LLVMFuzzerRunDriver(&count, &arguments, testOneInput)
}
