/// From when on connections that are held open by next to nothing are an attack.
///
/// A service is attacked when one client, or all together, hold as many of its connections as stand here.
public struct SlowSettings: Equatable, Sendable {
    /// Of one kind of holding.
    public struct Level: Equatable, Sendable {
        /// Connections of one client.
        public var ofClient: Double
        /// Connections of a service, and the share of all that are busy there: both must be reached.
        public var ofService: Double
        public var share: Double
        /// Nanoseconds for which a connection must be held before it counts.
        public var age: Int64
    }

    /// Requests whose head never ends (slowloris), after half the time that Apache grants a head (mod_reqtimeout: 20 s). A
    /// browser opens 6 connections to a host at most; what an outage of the network leaves open is far below a twentieth.
    public var headers = Level(ofClient: 10, ofService: 50, share: 0.05, age: 10_000_000_000)
    /// Requests whose body trickles in (R.U.D.Y.), after the time that Apache grants a body before it asks for ``bodyRate``.
    /// Bodies in chunks count for their client alone: programs send logs and events that way for hours.
    public var body = Level(ofClient: 10, ofService: 50, share: 0.1, age: 20_000_000_000)
    /// Answers that are hardly read, from one record of a flow to the next. Players that are paused hold their connections
    /// so, each client one or two, never most of a service's.
    public var read = Level(ofClient: 20, ofService: 50, share: 0.5, age: 9_000_000_000)
    /// Bytes of a body a second below which it trickles (mod_reqtimeout's MinRate).
    public var bodyRate = 500.0
    /// Bytes of an answer a second below which it is hardly read.
    public var readRate = 500.0
    /// Bytes of the first TCP window below which it is too small for anything but reading slowly; hosts offer 14,600 and more
    /// (RFC 6928), the smallest devices about 2,000, and read at once.
    public var firstWindow: UInt16 = 4_096
    /// Where a request cannot be read (TLS, or no bytes at hand), at these ports, and wherever TLS offers HTTP: bytes that a
    /// client sends at most from one record of its flow to the next, without an answer, for its request to count as a head that
    /// does not end, and for how many nanoseconds. Such connections count for their client alone.
    public var ports: Set<UInt16> = [80, 443, 8000, 8080, 8443]
    public var trickle: UInt64 = 1_000
    public var trickleAge: Int64 = 20_000_000_000
    /// Nanoseconds without a record of a flow after which it is silent: two of ``FlowSettings/interim``, and a window.
    public var silence: Int64 = 22_000_000_000
    /// Nanoseconds without a packet after which a connection counts no more, and without a finding after which its incident
    /// closes.
    public var forget: Int64 = 120_000_000_000
    /// Connections that are watched at one time, and services whose busy connections are counted.
    public var connections = 16_384
    public var services = 1_024

    public init() {}
}
