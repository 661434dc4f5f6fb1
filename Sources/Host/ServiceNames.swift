public import Linux

/// What services are called by their port.
public enum ServiceNames {
    /// The name consumers know for a port: one of fifteen spelled by long custom, else IANA's in upper case, else
    /// `Unknown`. It says what usually runs there, not what does.
    public static func name(port: UInt16, _ transport: SocketTransport) -> String {
        customary[port]?.service ?? registered[Key(port: port, transport: transport)] ?? "Unknown"
    }

    /// The program that usually serves a port, told where the real one cannot be found; nil for most ports.
    public static func usualProgram(port: UInt16) -> String? { customary[port]?.program }

    private static let customary: [UInt16: (service: String, program: String)] = [
        22: ("SSH", "sshd"), 23: ("Telnet", "telnetd"), 25: ("SMTP", "smtpd"), 53: ("DNS", "named"),
        80: ("HTTP", "httpd"), 110: ("POP3", "pop3d"), 143: ("IMAP", "imapd"), 443: ("HTTPS", "httpd"),
        993: ("IMAPS", "imapd"), 995: ("POP3S", "pop3d"), 3306: ("MySQL", "mysqld"), 5432: ("PostgreSQL", "postgres"),
        6379: ("Redis", "redis-server"), 8080: ("HTTP-Alt", "httpd"), 9200: ("Elasticsearch", "elasticsearch"),
    ]

    private struct Key: Hashable {
        var port: UInt16
        var transport: SocketTransport
    }

    private static let registered: [Key: String] = {
        var names: [Key: String] = [:]
        for entry in registry.split(separator: ",") {
            let words = entry.split(separator: " ")
            let place = words.first?.split(separator: "/") ?? []
            guard words.count == 2, let port = place.first.flatMap({ UInt16($0) }) else {
                preconditionFailure("service registry: \(entry)")
            }
            for (transport, suffix) in [(SocketTransport.tcp, "tcp"), (.udp, "udp")]
            where place.count == 1 || place[1] == suffix {
                names[Key(port: port, transport: transport)] = words[1].uppercased()
            }
        }
        return names
    }()
}
