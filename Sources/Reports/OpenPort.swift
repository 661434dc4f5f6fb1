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
        traffic: Traffic? = nil
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
    }

    /// Addresses of one row beyond this are left out and stand in `addressesTotal`.
    private static let addressLimit = 8

    func write(to json: inout JSONWriter) {
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
            if let traffic {
                json.object("traffic") { json in
                    traffic.incoming.write("in", to: &json)
                    traffic.outgoing.write("out", to: &json)
                }
            }
        }
    }
}
