/// From which rates on traffic is a flood. All in packets, SYNs, requests or connections a second of packet time, unless
/// said otherwise.
///
/// A rate of ``burst`` times its level opens an incident at once; one at its level when it has lasted for 8 s.
public struct FloodSettings: Equatable, Sendable {
    /// New connections to one service that do not come about. 200 is where Junos screens begin to proxy SYNs to one address
    /// and port (`syn-flood attack-threshold`).
    public var synchronize = 200.0
    /// The same to all services of one address, and to one that refuses them, which costs it less. FortiGate's `tcp_syn_flood`.
    public var hostSynchronize = 2_000.0
    /// Packets of one kind to one address that answer nothing, and that nothing answers: ACK, RST, FIN, UDP, later fragments,
    /// impossible flags, other protocols, each for itself. FortiGate's `udp_flood`.
    public var unsolicited = 2_000.0
    /// Echo requests and other ICMP that nobody asked for, to one address. FortiGate's `icmp_flood`.
    public var icmp = 250.0
    /// Packets to one address from a port of reflectors that nobody asked for. ebpfsentinel allows 100 (123, 389, 1900) to
    /// 1,000 (53), asked for or not.
    public var reflection = 200.0
    /// What is unsolicited, also if it is answered, of few flows, of tunnels or ICMP errors. FastNetMon's `threshold_pps` of a
    /// host.
    public var volume = 20_000.0
    /// The same in bits a second. FastNetMon's `threshold_mbps` of a host.
    public var bits = 1e9
    /// Small packets of few sources to many ports of one address. All 65,535 ports with half of the probes sent again within a
    /// second are still a scan.
    public var sweep = 100_000.0
    /// Unsolicited packets to a prefix (/24, /64) of which no address has half. FastNetMon's level of one host.
    public var prefix = 20_000.0
    /// Unsolicited packets in all, without those to addresses and prefixes that have a flood of their own. Weir's own budget
    /// for packets of one class (`sample.budget`).
    public var interface = 50_000.0
    /// Requests to one web service from clients that ask faster than ``client``: twenty such.
    public var requests = 1_000.0
    /// Requests of one client to one service that a person with a browser does not reach. mod_evasive's `DOSSiteCount`.
    public var client = 50.0
    /// Connections to one service that are open for 10 s and have said at most ``silence``. Most programs may open 1,024 files
    /// (`RLIMIT_NOFILE`).
    public var connections = 1_000.0
    /// Bytes of payload from the initiator up to which a connection counts as saying nothing.
    public var silence: UInt64 = 16
    /// Ports of services where requests are counted.
    public var webPorts: Set<UInt16> = [80, 443, 3000, 5000, 8000, 8008, 8080, 8081, 8443, 8888]
    /// Addresses of a prefix that must be hit before it is carpet bombing.
    public var prefixHosts = 16
    /// Different sources up to which they are called few: a scanner with its decoys, the nodes of a load balancer.
    public var fewSources = 64.0
    /// How many times the level opens an incident at once.
    public var burst = 2.5
    /// Subjects and classes that are looked at closely in one window; the largest come first.
    public var lanes = 128
    /// Of these, how many get sources and ports.
    public var closeLanes = 16
    /// Subjects and classes near or above their level that are remembered.
    public var remembered = 4_096
    /// Silent connections that are remembered.
    public var connectionsRemembered = 16_384

    public init() {}

    func scaled(by scale: Double) -> FloodSettings {
        var scaled = self
        for level in Self.levels { scaled[keyPath: level] *= scale }
        return scaled
    }

    private static var levels: [WritableKeyPath<FloodSettings, Double>] {
        [
            \.synchronize, \.hostSynchronize, \.unsolicited, \.icmp, \.reflection, \.volume, \.bits, \.sweep, \.prefix,
            \.interface, \.requests, \.client, \.connections,
        ]
    }
}
