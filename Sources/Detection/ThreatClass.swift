/// Everything that an incident can be: the closed list.
public enum ThreatClass: Hashable, Sendable {
    case scan(ScanShape, ScanTechnique, isOutbound: Bool)
    case flood(Flood)
    /// By the port of the servers that answer what was asked in the victim's name.
    case reflection(UInt16)
    case slow(Slow)
    case edos(EDoS)
    /// Guessing of passwords or the like at a service, by its port.
    case bruteForce(UInt16)
    case dnsTunnel
    case exfiltration
    case beacon
    case change(Change)

    public enum ScanShape: String, CaseIterable, Hashable, Sendable {
        /// Many ports of one host.
        case vertical
        /// One port, or a few, of many hosts.
        case horizontal
        /// Many ports of many hosts.
        case block
        /// So few probes that only hours show them.
        case slow
        /// Many sources that share the work.
        case distributed
    }

    public enum ScanTechnique: String, CaseIterable, Hashable, Sendable {
        /// A SYN that is never followed by a connection.
        case syn
        /// Whole connections, ended at once.
        case connect
        case fin
        case null
        case xmas
        /// FIN with ACK.
        case maimon
        case ack
        case window
        case udp
        case icmp
        case sctp
        /// IP protocols.
        case ip
    }

    public enum Flood: String, CaseIterable, Hashable, Sendable {
        case syn
        case ack
        case rst
        case fin
        case udp
        case icmp
        case fragment
        /// TCP flags that no honest stack sends.
        case irregular
        /// Other IP protocols.
        case protocols
        /// More connections than the service can hold.
        case connections
        /// Requests over whole connections.
        case requests
        /// Over the addresses of a prefix, each below any level.
        case carpet
        /// Everything of an interface together.
        case interface
    }

    public enum Slow: String, CaseIterable, Hashable, Sendable {
        /// Connections whose request's head never ends (slowloris).
        case headers
        /// Connections whose request's body never ends (R.U.D.Y.).
        case body
        /// Connections whose answer is hardly read.
        case read
    }

    public enum EDoS: String, CaseIterable, Hashable, Sendable {
        /// Cost that stays above the learnt baseline, below any flood.
        case sustained
        /// Cost that comes and goes with a period (YoYo).
        case pulsing
        /// One client, or one group of clients, that causes most of it.
        case leech
        /// Capacity held by connections that ask nearly nothing.
        case holding
    }

    public enum Change: String, CaseIterable, Hashable, Sendable {
        /// Volume of a service unlike the same hour before.
        case volume
        /// The spread of addresses, ports or sizes.
        case distribution
        /// Payload that looks encrypted where it was not.
        case payload
    }

    /// For example `scan.vertical.syn`, `flood.reflection.dns`: the name that programs read.
    public var name: String {
        switch self {
        case .scan(let shape, let technique, let isOutbound):
            "scan.\(isOutbound ? "outbound." : "")\(shape.rawValue).\(technique.rawValue)"
        case .flood(let flood): "flood.\(flood.rawValue)"
        case .reflection(let port): "flood.reflection.\(Reflector.name(of: port))"
        case .slow(let slow): "slow.\(slow.rawValue)"
        case .edos(let edos): "edos.\(edos.rawValue)"
        case .bruteForce(let port): "bruteforce.\(Self.serviceNames[port] ?? "port\(port)")"
        case .dnsTunnel: "tunnel.dns"
        case .exfiltration: "exfiltration"
        case .beacon: "beacon"
        case .change(let change): "change.\(change.rawValue)"
        }
    }

    /// In the original system's words: its clients show them.
    public var type: String {
        switch self {
        case .scan: "Port Scan"
        case .flood, .reflection: "DDoS Attack"
        case .slow: "Slow DoS Attack"
        case .edos: "EDoS Attack"
        case .bruteForce: "Brute Force"
        case .dnsTunnel: "DNS Tunnel"
        case .exfiltration: "Data Exfiltration"
        case .beacon: "Malware"
        case .change: "Anomalous Behavior"
        }
    }

    /// Of services where passwords are guessed.
    static let serviceNames: [UInt16: String] = [
        21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 110: "pop3", 143: "imap", 389: "ldap", 445: "smb",
        587: "submission",
        1433: "mssql", 3306: "mysql", 3389: "rdp", 5432: "postgresql", 5900: "vnc", 6379: "redis",
    ]
}

/// Services on UDP that answer with more than they are asked.
public enum Reflector {
    /// Name of the service, and bytes answered for each byte asked, as far as published (US-CERT TA14-017A).
    static let known: [UInt16: (name: String, factor: Double)] = [
        17: ("qotd", 140), 19: ("chargen", 359), 53: ("dns", 54), 69: ("tftp", 60), 111: ("portmap", 28),
        123: ("ntp", 557),
        137: ("netbios", 4), 161: ("snmp", 6.3), 389: ("cldap", 70), 427: ("slp", 2_200), 520: ("rip", 131),
        1900: ("ssdp", 31), 3283: ("ard", 35), 3702: ("wsd", 300), 5353: ("mdns", 10), 5683: ("coap", 34),
        10_001: ("ubiquiti", 30), 11_211: ("memcached", 51_000), 27_015: ("steam", 5.5), 37_810: ("dvr", 30),
        47_808: ("bacnet", 120),
    ]

    static func name(of port: UInt16) -> String { known[port]?.name ?? "port\(port)" }
}
