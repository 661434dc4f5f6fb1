/// What listens on this host, whole: not cut as in the report.
public struct PortList: Equatable, Sendable {
    public var time: WallTime
    /// Sorted by port, one row each.
    public var tcp: [OpenPort]
    public var udp: [OpenPort]

    public init(time: WallTime, tcp: [OpenPort], udp: [OpenPort]) {
        self.time = time
        self.tcp = tcp
        self.udp = udp
    }

    public func json() -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.field("schema", 1)
            json.array("openPorts") { json in
                for port in tcp { port.write(to: &json, isWhole: true) }
            }
            json.array("udpPorts") { json in
                for port in udp { port.write(to: &json, isWhole: true) }
            }
            json.field("timestamp", time, digits: .milliseconds)
        }
        return json.bytes
    }
}
