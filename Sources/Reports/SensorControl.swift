/// What the outside (REST, the command line) may ask of a running sensor. The sensor implements it.
public protocol SensorControl: Sendable {
    func status() async -> SensorStatus

    /// The newest `count` packets held, oldest first; with `after`, only those with a higher sequence.
    /// A count below 0 is 0; one above what is held is what is held.
    func packets(count: Int, after sequence: UInt64?) async -> PacketList

    func ports() async -> PortList

    /// Incidents that are held, newest first.
    func threats(_ query: ThreatQuery) async -> ThreatList

    /// One incident with its evidence; nil when none of that id is held.
    func threat(id: String) async -> Threat?

    /// Packets about one incident as a capture file (pcapng); nil when none of that id is held.
    func capture(ofThreat id: String) async -> [UInt8]?

    /// Begins to watch again after `stop`.
    func start() async throws(ControlError)

    /// Stops capture and counting; host metrics and ports go on being published. Stopping twice is no error.
    func stop() async throws(ControlError)
}

/// Why the sensor did not do what it was asked.
public enum ControlError: Error, Equatable, Sendable, CustomStringConvertible {
    /// `start` while monitoring runs (HTTP 409).
    case alreadyMonitoring
    /// It was tried and went wrong (HTTP 500): what happened, to what, what to do.
    case failed(String)

    public var description: String {
        switch self {
        case .alreadyMonitoring: "monitoring is already running"
        case .failed(let reason): reason
        }
    }
}
