import Linux
import Testing

@testable import Host

@Suite struct PortJudgingTests {
    private func address(_ text: String) -> InternetAddress {
        guard let address = InternetAddress(text) else { preconditionFailure("no address: \(text)") }
        return address
    }

    private func socket(
        _ text: String,
        _ port: UInt16,
        _ transport: SocketTransport = .tcp,
        inode: UInt32 = 0,
        link: UInt32 = 0,
        isV6Only: Bool = false
    ) -> ListeningSocket {
        ListeningSocket(
            transport: transport,
            address: address(text),
            port: port,
            linkIndex: link,
            inode: inode,
            isV6Only: isV6Only
        )
    }

    private func host(_ addresses: [(Int32, String)]) -> [LinkAddress] {
        addresses.map { LinkAddress(linkIndex: $0, address: address($1), prefixLength: 24) }
    }

    private var cloudHost: [LinkAddress] { host([(1, "127.0.0.1"), (1, "::1"), (2, "10.0.0.5"), (3, "203.0.113.5")]) }

    @Test func classesByPort() {
        let high: Set<UInt16> = [21, 23, 135, 137, 138, 139, 445, 3389]
        let medium: Set<UInt16> = [22, 25, 110, 143, 465, 587, 993, 995, 1433, 3306, 5432, 6379, 9200, 11211, 27017]
        for port in UInt16.min...UInt16.max {
            #expect(Risk(port: port) == (high.contains(port) ? .high : medium.contains(port) ? .medium : .low))
        }
    }

    @Test func exposures() {
        let judge = { (socket: ListeningSocket, host: [LinkAddress]) in Exposure(of: socket, on: host) }
        #expect(judge(socket("127.0.0.53", 53), cloudHost) == .loopback)
        #expect(judge(socket("::1", 53), cloudHost) == .loopback)
        #expect(judge(socket("::ffff:127.0.0.1", 53), cloudHost) == .loopback)
        #expect(judge(socket("10.0.0.5", 53), cloudHost) == .private)
        #expect(judge(socket("fe80::1", 53), cloudHost) == .private)
        #expect(judge(socket("224.0.0.251", 5353), cloudHost) == .private)
        #expect(judge(socket("203.0.113.5", 53), cloudHost) == .public)
        #expect(judge(socket("0.0.0.0", 53), cloudHost) == .any)
        // The host has no IPv6 address but ::1; a socket that takes IPv4 too is still open.
        #expect(judge(socket("::", 53), cloudHost) == .any)
        #expect(judge(socket("::", 53, isV6Only: true), cloudHost) == .loopback)
        #expect(judge(socket("0.0.0.0", 53), host([(1, "127.0.0.1")])) == .loopback)
        // Translation in front of a private address is not visible.
        #expect(judge(socket("0.0.0.0", 53), host([(1, "127.0.0.1"), (2, "10.0.0.5")])) == .any)
        // Bound to one link.
        #expect(judge(socket("0.0.0.0", 53, link: 1), cloudHost) == .loopback)
        #expect(judge(socket("0.0.0.0", 53, link: 2), cloudHost) == .private)
        #expect(judge(socket("0.0.0.0", 53, link: 3), cloudHost) == .any)
    }

    @Test(arguments: [
        (UInt16(6379), Exposure.any, String?("redis-server"), Risk.high),
        (6379, .public, nil, .high),
        (6379, .private, "redis-server", .medium),
        (6379, .loopback, "redis-server", .low),
        (27017, .any, nil, .high),
        (22, .any, "sshd", .medium),
        (22, .any, nil, .medium),
        (22, .loopback, "sshd", .low),
        (22, .any, "nc", .high),
        (22, .private, "python3", .high),
        (25, .any, "master", .medium),
        (23, .any, "telnetd", .high),
        (23, .loopback, "nc", .medium),
        (443, .any, "nginx", .low),
        (443, .loopback, "nginx", .low),
        (12345, .any, "nc", .medium),
        (12345, .loopback, "nc", .low),
        (12345, .any, "redis-server", .medium),
        (12345, .private, "redis-server", .low),
        (12345, .any, "python3", .low),
    ])
    func risks(port: UInt16, exposure: Exposure, program: String?, risk: Risk) {
        let judgement = RiskJudgement(port: port, exposure: exposure, program: program)
        #expect(judgement.risk == risk, "\(judgement.reason)")
    }

    /// Whatever runs wherever, the class moves by one at most, and the reason says from where.
    @Test func movesAreSmall() {
        for port: UInt16 in [21, 22, 25, 80, 6379, 12345] {
            for exposure in Exposure.allCases {
                for program in [nil, "sshd", "nc", "redis-server", "nginx"] {
                    let judgement = RiskJudgement(port: port, exposure: exposure, program: program)
                    let plain = Risk(port: port)
                    #expect([plain, plain.raised, plain.lowered].contains(judgement.risk))
                    #expect(judgement.reason.hasPrefix("\(plain.rawValue) by port \(port)"))
                    #expect(judgement.reason.contains("raised") == (judgement.risk > plain))
                    #expect(judgement.reason.contains("lowered") == (judgement.risk < plain))
                }
            }
        }
    }

    @Test func oneRowPerPort() throws {
        let snapshot = PortSnapshot(
            sockets: [
                socket("::", 80, inode: 2), socket("0.0.0.0", 80, inode: 1), socket("0.0.0.0", 80, inode: 3),
                socket("127.0.0.1", 6379, inode: 4), socket("0.0.0.0", 53, .udp, inode: 5), socket("127.0.0.1", 53),
                socket("127.0.0.1", 9999),
            ],
            owners: [
                1: [SocketOwner(pid: 11, program: "nginx", unit: "nginx.service", startTime: 5)],
                2: [SocketOwner(pid: 10, program: "nginx-old", startTime: 4), SocketOwner(pid: 1, program: "systemd")],
                4: [SocketOwner(pid: 20, program: "redis-server")],
            ],
            addresses: cloudHost
        )
        let rows = snapshot.ports()
        #expect(rows.map(\.port) == [53, 80, 6379, 9999, 53])
        #expect(rows.map(\.transport) == [.tcp, .tcp, .tcp, .tcp, .udp])
        let web = rows[1]
        #expect(web.addresses.map(\.description) == ["0.0.0.0", "::"])
        #expect(web.pids == [1, 10, 11])
        #expect(web.program == "nginx-old")
        #expect(web.service == "HTTP")
        #expect(web.status == .open)
        #expect(rows[0].program == "named")
        #expect(rows[2].risk == .low && rows[2].riskByPort == .medium)
        #expect(rows[3].program == "unknown" && rows[3].service == ServiceNames.name(port: 9999, .tcp))

        let seed = snapshot.ports(PortPolicy(risk: .seed))
        #expect(seed.allSatisfy { $0.risk == $0.riskByPort })

        let some = try snapshot.ports(PortPolicy(ranges: PortRanges("50-60,6379/tcp")))
        #expect(some.map(\.port) == [53, 6379, 53])
    }

    @Test func expectedPortsAreListedAsClosed() throws {
        let snapshot = PortSnapshot(sockets: [socket("0.0.0.0", 80)], owners: [:], addresses: cloudHost)
        let rows = try snapshot.ports(PortPolicy(expected: PortRanges("22,80,53/udp")))
        #expect(rows.map(\.port) == [22, 80, 53])
        #expect(rows.map(\.status) == [.closed, .open, .closed])
        #expect(rows[0].service == "SSH" && rows[0].program == "sshd" && rows[0].exposure == nil)
        // What is not listed is not missed either.
        let few = try snapshot.ports(PortPolicy(ranges: PortRanges("80"), expected: PortRanges("22")))
        #expect(few.map(\.port) == [80])
    }

    @Test func serviceNames() {
        let customary: [UInt16: String] = [
            22: "SSH", 23: "Telnet", 25: "SMTP", 53: "DNS", 80: "HTTP", 110: "POP3", 143: "IMAP", 443: "HTTPS",
            993: "IMAPS", 995: "POP3S", 3306: "MySQL", 5432: "PostgreSQL", 6379: "Redis", 8080: "HTTP-Alt",
            9200: "Elasticsearch",
        ]
        for (port, name) in customary { #expect(ServiceNames.name(port: port, .tcp) == name) }
        #expect(ServiceNames.name(port: 21, .tcp) == "FTP")
        #expect(ServiceNames.name(port: 514, .tcp) == "SHELL")
        #expect(ServiceNames.name(port: 514, .udp) == "SYSLOG")
        #expect(ServiceNames.name(port: 123, .udp) == "NTP")
        #expect(ServiceNames.name(port: 54_321, .tcp) == "Unknown")
    }
}
