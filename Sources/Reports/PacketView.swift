/// One sampled packet as shown to people: headers only, the payload is never kept.
public struct PacketView: Equatable, Sendable {
    public enum Direction: String, Sendable {
        case incoming = "in"
        case outgoing = "out"
    }

    /// Grows by one with each packet kept since start: who polls asks for what came after the last one seen.
    public var sequence: UInt64
    public var time: WallTime
    /// L2 bytes on the wire.
    public var size: UInt32
    /// Addresses as text; nil for what has none, as ARP.
    public var source: String?
    public var destination: String?
    /// `TCP`, `UDP`, `HTTP`, `HTTPS`, `SSH`, `DNS`, `ICMP`, ..., `Unknown`.
    public var `protocol`: String
    public var sourcePort: UInt16?
    public var destinationPort: UInt16?
    /// The TCP flags' byte.
    public var flags: UInt8?
    public var interface: String
    public var direction: Direction
    public var vlan: UInt16?

    public init(
        sequence: UInt64,
        time: WallTime,
        size: UInt32,
        source: String?,
        destination: String?,
        protocol: String,
        sourcePort: UInt16?,
        destinationPort: UInt16?,
        flags: UInt8?,
        interface: String,
        direction: Direction,
        vlan: UInt16? = nil
    ) {
        self.sequence = sequence
        self.time = time
        self.size = size
        self.source = source
        self.destination = destination
        self.protocol = `protocol`
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.flags = flags
        self.interface = interface
        self.direction = direction
        self.vlan = vlan
    }

    /// One JSON object, as in the list of `GET /api/packets`.
    public func json() -> [UInt8] {
        var json = JSONWriter()
        write(to: &json)
        return json.bytes
    }

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("timestamp", time, digits: .microseconds)
            json.field("size", size)
            if let source { json.field("src_ip", source, limit: 64) } else { json.fieldNull("src_ip") }
            if let destination { json.field("dest_ip", destination, limit: 64) } else { json.fieldNull("dest_ip") }
            json.field("protocol", `protocol`, limit: 32)
            if let sourcePort { json.field("src_port", sourcePort) } else { json.fieldNull("src_port") }
            if let destinationPort { json.field("dest_port", destinationPort) } else { json.fieldNull("dest_port") }
            if let flags { json.field("flags", flags) } else { json.fieldNull("flags") }
            json.field("sequence", sequence)
            json.field("interface", interface, limit: 32)
            json.field("direction", direction.rawValue)
            if let vlan { json.field("vlan", vlan) }
        }
    }
}

/// The answer of `GET /api/packets`.
public struct PacketList: Equatable, Sendable {
    public var time: WallTime
    /// Oldest first.
    public var packets: [PacketView]
    /// Packets that the sensor holds at the moment, shown or not.
    public var total: Int

    public init(time: WallTime, packets: [PacketView], total: Int) {
        self.time = time
        self.packets = packets
        self.total = total
    }

    public func json() -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.array("packets") { json in
                for packet in packets { packet.write(to: &json) }
            }
            json.field("total_count", total)
            json.field("timestamp", time, digits: .milliseconds)
        }
        return json.bytes
    }
}
