/// How much harm an open port invites.
public enum Risk: String, CaseIterable, Comparable, Sendable {
    case low, medium, high

    public static func < (left: Risk, right: Risk) -> Bool { left.order < right.order }

    private var order: Int {
        switch self {
        case .low: 0
        case .medium: 1
        case .high: 2
        }
    }
}

/// What listens, or should listen, on one local port: one row per port and transport, addresses merged.
public struct OpenPort: Equatable, Sendable {
    public enum Transport: String, Sendable {
        case tcp = "TCP"
        case udp = "UDP"
    }

    public enum Status: String, Sendable {
        case open
        /// Expected by the configuration, but nothing listens.
        case closed
    }

    /// Packets and L2 bytes since the counting of this port began.
    public struct Traffic: Equatable, Sendable {
        public var incoming: Volume
        public var outgoing: Volume

        public init(incoming: Volume, outgoing: Volume) {
            self.incoming = incoming
            self.outgoing = outgoing
        }
    }

    /// New TCP connections since the service began to listen.
    public struct Connections: Equatable, Sendable {
        /// SYN received, SYN+ACK sent, handshakes completed.
        public var offered, answered, completed: UInt64

        public init(offered: UInt64, answered: UInt64, completed: UInt64) {
            self.offered = offered
            self.answered = answered
            self.completed = completed
        }
    }

    /// Who uses the service: those that completed a handshake, or that we answered over UDP.
    public struct Clients: Equatable, Sendable {
        public struct Client: Equatable, Sendable {
            public var address: String
            public var traffic: Traffic
            public var connections: UInt64

            public init(address: String, traffic: Traffic, connections: UInt64) {
                self.address = address
                self.traffic = traffic
                self.connections = connections
            }
        }

        /// Clients counted one by one.
        public var count: Int
        /// The busiest of them, at most 5, the busiest first.
        public var top: [Client]
        /// The service's total less that of the clients counted one by one.
        public var others: Traffic

        public init(count: Int, top: [Client], others: Traffic) {
            self.count = count
            self.top = top
            self.others = others
        }
    }

    public var port: UInt16
    public var transport: Transport
    /// The service's name, `Unknown` when the port has none.
    public var service: String
    /// The process's name, `unknown` when it could not be found.
    public var program: String
    public var status: Status
    public var risk: Risk
    /// Why `risk` is what it is, for people.
    public var riskReason: String
    /// The class by port number alone.
    public var riskByPort: Risk
    /// Local addresses it listens on.
    public var addresses: [String]
    public var pid: Int32?
    /// The systemd unit.
    public var unit: String?
    public var traffic: Traffic?
    public var connections: Connections?
    /// Shown in the whole list of ports, not in the report.
    public var clients: Clients?

    public init(
        port: UInt16,
        transport: Transport,
        service: String,
        program: String,
        status: Status,
        risk: Risk,
        riskReason: String,
        riskByPort: Risk,
        addresses: [String],
        pid: Int32? = nil,
        unit: String? = nil,
        traffic: Traffic? = nil,
        connections: Connections? = nil,
        clients: Clients? = nil
    ) {
        self.port = port
        self.transport = transport
        self.service = service
        self.program = program
        self.status = status
        self.risk = risk
        self.riskReason = riskReason
        self.riskByPort = riskByPort
        self.addresses = addresses
        self.pid = pid
        self.unit = unit
        self.traffic = traffic
        self.connections = connections
        self.clients = clients
    }

    /// Addresses of one row beyond this are left out and stand in `addressesTotal`.
    private static let addressLimit = 8

    /// - Parameter isWhole: whether the clients are shown.
    func write(to json: inout JSONWriter, isWhole: Bool = false) {
        json.object { json in
            json.field("port", port)
            json.field("protocol", transport.rawValue)
            json.field("service", service, limit: 64)
            json.field("program", program, limit: 64)
            json.field("status", status.rawValue)
            json.field("risk", risk.rawValue)
            json.field("riskReason", riskReason, limit: 160)
            json.field("riskByPort", riskByPort.rawValue)
            json.array("addresses") { json in
                for address in addresses.prefix(OpenPort.addressLimit) { json.string(address, limit: 64) }
            }
            if addresses.count > OpenPort.addressLimit { json.field("addressesTotal", addresses.count) }
            if let pid { json.field("pid", pid) }
            if let unit { json.field("unit", unit, limit: 96) }
            traffic?.write("traffic", to: &json)
            if let connections {
                json.object("connections") { json in
                    json.field("offered", connections.offered)
                    json.field("answered", connections.answered)
                    json.field("completed", connections.completed)
                }
            }
            if isWhole { clients?.write(to: &json) }
        }
    }
}

extension OpenPort.Traffic {
    func write(_ name: String, to json: inout JSONWriter) {
        json.object(name) { json in
            incoming.write("in", to: &json)
            outgoing.write("out", to: &json)
        }
    }
}

extension OpenPort.Clients {
    func write(to json: inout JSONWriter) {
        json.object("clients") { json in
            json.field("count", count)
            json.array("top") { json in
                for client in top {
                    json.object { json in
                        json.field("address", client.address, limit: 64)
                        client.traffic.write("traffic", to: &json)
                        json.field("connections", client.connections)
                    }
                }
            }
            others.write("others", to: &json)
        }
    }
}
