/// The class of an open port: that of its number, moved at most one up or down by who can reach it and what runs there.
///
/// Down: only this host can reach it. Up: strangers can reach a database or cache, which are built for private networks;
/// a relay or shell (`nc`, `socat`, `sh`) listens for others; something else than an SSH server has the SSH port.
struct RiskJudgement: Equatable {
    let risk: Risk
    let reason: String

    /// - Parameter program: what holds the socket; nil when that is not known.
    init(port: UInt16, exposure: Exposure, program: String?) {
        let byPort = Risk(port: port)
        let base = "\(byPort.rawValue) by port \(port)"
        let reach = Self.words(exposure)
        let (moved, cause): (Risk, String) =
            if exposure == .loopback {
                (byPort.lowered, reach)
            } else if let program, Self.relays.contains(program) {
                (byPort.raised, "\(program) is a relay or shell, \(reach)")
            } else if port == 22, let program, !Self.sshServers.contains(program) {
                (byPort.raised, "\(program) is no known SSH server, \(reach)")
            } else if exposure.isWorld,
                Risk.databasePorts.contains(port) || program.map(Self.databases.contains) == true
            {
                (byPort.raised, "a database, \(reach)")
            } else {
                (byPort, reach)
            }
        risk = moved
        reason = moved == byPort ? "\(base); \(cause)" : "\(base), \(moved > byPort ? "raised" : "lowered"): \(cause)"
    }

    private static func words(_ exposure: Exposure) -> String {
        switch exposure {
        case .loopback: "only this host can reach it"
        case .private: "private networks can reach it"
        case .public: "bound to a public address"
        case .any: "open on every address"
        }
    }

    private static let relays: Set<String> = [
        "nc", "nc.openbsd", "nc.traditional", "ncat", "netcat", "socat", "sh", "bash", "dash", "zsh",
    ]
    private static let sshServers: Set<String> = ["sshd", "sshd-session", "dropbear", "tinysshd", "systemd"]
    private static let databases: Set<String> = [
        "redis-server", "valkey-server", "mysqld", "mariadbd", "postgres", "mongod", "memcached", "sqlservr",
        "clickhouse-server", "etcd", "couchdb", "influxd",
    ]
}
