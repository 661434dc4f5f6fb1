public import Linux

/// One port the host listens on, or should: all its sockets and addresses in one row.
public struct ListeningPort: Equatable, Sendable {
    public enum Status: String, Sendable {
        case open
        /// Expected to listen, and nothing does.
        case closed
    }

    /// 1 to 65,535.
    public var port: UInt16
    public var transport: SocketTransport
    /// What usually runs there: `SSH`, `HTTP-Alt`, `Unknown`.
    public var service: String
    /// What does run there; where that cannot be found what usually does, else `unknown`.
    public var program: String
    public var status: Status
    public var risk: Risk
    /// The class by port number alone.
    public var riskByPort: Risk
    /// How `risk` came about, for people.
    public var riskReason: String
    /// Nil for a closed port.
    public var exposure: Exposure?
    /// The addresses it is bound to, sorted, each once.
    public var addresses: [InternetAddress]
    /// The processes that hold its sockets, ascending.
    public var pids: [Int32]
    /// The systemd unit of the first of them.
    public var unit: String?
    /// The user who opened the first socket.
    public var userID: UInt32?
}

/// What to list, and how to judge it.
public struct PortPolicy: Equatable, Sendable {
    public enum RiskRule: String, Sendable, CaseIterable {
        /// By port, moved at most one class by exposure and program.
        case moved
        /// By port alone.
        case seed
    }

    /// The ports to list; empty lists all.
    public var ranges: PortRanges
    /// What should listen; without a transport TCP is meant. Those that do not are listed as closed.
    public var expected: PortRanges
    public var risk: RiskRule

    public init(ranges: PortRanges = PortRanges(), expected: PortRanges = PortRanges(), risk: RiskRule = .moved) {
        self.ranges = ranges
        self.expected = expected
        self.risk = risk
    }
}
