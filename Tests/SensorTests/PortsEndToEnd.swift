import Glibc
import Support
import Testing

extension EndToEnd {
    /// What listens, in the published document.
    @Suite("Ports", .enabled(if: RedisServer.isInstalled, "needs redis-server")) struct Ports {
        private struct Expected {
            let command: [String]
            let port: UInt16
            let program: String
            let service: String
            let risk: String
            var isUDP = false
        }

        private static let all = [
            Expected(
                command: ["/usr/bin/nc", "-l", "-k", "0.0.0.0", "23"],
                port: 23,
                program: "nc",
                service: "Telnet",
                risk: "high"
            ),
            Expected(
                command: ["/usr/bin/nc", "-u", "-l", "127.0.0.1", "5353"],
                port: 5353,
                program: "nc",
                service: "MDNS",
                risk: "low",
                isUDP: true
            ),
            Expected(
                command: [ClientRules.python, "-m", "http.server", "8080", "--bind", "::"],
                port: 8080,
                program: "python3",
                service: "HTTP-Alt",
                risk: "low"
            ),
            Expected(
                command: ["/usr/bin/redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", ""],
                port: 6379,
                program: "redis-server",
                service: "Redis",
                risk: "low"
            ),
        ]

        @Test("listeners appear within a period with program and risk, and go when they close; connections are counted")
        func listeners() throws {
            let pair = try Neighbours.make("ports")
            let redis = try #require(RedisServer())
            let sensor = try RunningSensor(
                in: pair.near,
                ["--interface", VethPair.near, "--redis", "unix://\(redis.socket)"]
            )
            try sensor.waitUntilWatching(VethPair.near)
            func document() -> SensorDocument? { try? SensorDocument(redis.value(of: Redis.key)) }
            try #require(eventually(within: 10) { document() != nil })
            #expect(document()?.openPorts.isEmpty == true && document()?.udpPorts.isEmpty == true)

            var listening: [BackgroundProcess] = []
            for expected in Self.all {
                listening.append(try #require(BackgroundProcess(pair.near.command(expected.command))))
            }
            func row(_ expected: Expected, _ document: SensorDocument?) -> SensorDocument.Port? {
                (expected.isUDP ? document?.udpPorts : document?.openPorts)?.first { $0.port == expected.port }
            }
            // All of them listen once the slowest, an interpreter, does; then one period is left.
            let list = pair.near.command(["/usr/bin/ss", "-lntuH"])
            try #require(
                eventually(within: 20) {
                    let text = ChildProcess.run(list).text
                    return Self.all.allSatisfy { text.contains(":\($0.port) ") }
                }
            )
            let all = eventually(within: 3) {
                let now = document()
                return Self.all.allSatisfy { row($0, now) != nil }
            }
            #expect(all, "one period, and the time to ask")
            let found = document()
            for expected in Self.all {
                let row = try #require(row(expected, found))
                #expect(row.program == expected.program && row.risk == expected.risk && row.status == "open", "\(row)")
                #expect(row.service == expected.service, "\(row)")
            }

            for _ in 0..<3 {
                try pair.run(
                    onNear: false,
                    ["/usr/bin/curl", "-sf", "-o", "/dev/null", "http://\(Neighbours.nearAddress):8080/"]
                )
            }
            #expect(
                eventually(within: 5) {
                    document()?.openPorts.first { $0.port == 8080 }?.connections
                        == .init(offered: 3, answered: 3, completed: 3)
                },
                "\(String(describing: document()?.openPorts))"
            )

            listening.removeAll()
            #expect(
                eventually(within: 3) { document().map { $0.openPorts.isEmpty && $0.udpPorts.isEmpty } ?? false },
                "gone within a period"
            )
        }
    }
}
