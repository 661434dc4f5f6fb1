import Glibc
import Host
import Linux
import Support
import Testing

@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root")) struct PortScannerTests {
    /// Scans until `expected` holds, for five seconds at most; answers the rows of the last scan.
    private func scan(
        _ scanner: inout PortScanner,
        _ policy: PortPolicy = PortPolicy(),
        until expected: ([ListeningPort]) -> Bool
    ) throws -> [ListeningPort] {
        let deadline = Clock.monotonic.now() + 5_000_000_000
        while true {
            let rows = try scanner.scan().ports(policy)
            if expected(rows) || Clock.monotonic.now() > deadline { return rows }
            usleep(50_000)
        }
    }

    @Test func everyKindOfListenerComesAndGoes() throws {
        let namespace = try NamedNamespace("ports")
        try namespace.ip(["link", "add", "a0", "type", "veth", "peer", "name", "b0"])
        try namespace.ip(["addr", "add", "10.77.0.1/24", "dev", "a0"])
        try namespace.ip(["-6", "addr", "add", "2001:db8:77::1/64", "dev", "a0", "nodad"])
        try namespace.ip(["link", "set", "a0", "up"])
        try namespace.ip(["link", "set", "b0", "up"])
        var scanner = try namespace.enter { try PortScanner() }
        #expect(try scanner.scan().sockets.isEmpty)

        let python =
            #"import socket,sys,time; s=socket.socket(getattr(socket,sys.argv[1]),getattr(socket,sys.argv[2]))"#
            + #"; s.bind((sys.argv[3],int(sys.argv[4]))); sys.argv[2]=="SOCK_STREAM" and s.listen(); time.sleep(60)"#
        let commands: [[String]] = [
            ["/bin/nc", "-l", "-4", "22"],
            ["/bin/nc", "-l", "-6", "2001:db8:77::1", "2222"],
            ["/bin/nc", "-u", "-l", "-4", "10.77.0.1", "5300"],
            ["/usr/bin/python3", "-c", python, "AF_INET", "SOCK_STREAM", "127.0.0.1", "8000"],
            ["/usr/bin/python3", "-c", python, "AF_INET6", "SOCK_DGRAM", "::", "5353"],
            ["/usr/bin/redis-server", "--port", "6379", "--bind", "0.0.0.0", "--save", "", "--protected-mode", "no"],
            ["/usr/bin/redis-server", "--port", "6380", "--bind", "127.0.0.1", "::1", "--save", ""],
        ]
        var processes: [BackgroundProcess] = []
        for command in commands {
            processes.append(try #require(BackgroundProcess(namespace.command(command))))
        }
        let policy = try PortPolicy(expected: PortRanges("443"))
        // A server that binds several addresses has them one after another.
        let rows = try scan(&scanner, policy) { rows in
            rows.count == 8 && rows.allSatisfy { $0.status == .closed || !$0.pids.isEmpty }
                && rows.contains { $0.port == 6380 && $0.addresses.count == 2 }
        }
        let shown = rows.map { row in
            "\(row.transport) \(row.port) \(row.program.prefix { !$0.isNumber }) \(row.service) \(row.status) "
                + "\(row.exposure?.rawValue ?? "-") \(row.risk) \(row.addresses)"
        }
        #expect(
            shown == [
                "tcp 22 nc SSH open any high [0.0.0.0]",
                "tcp 443 httpd HTTPS closed - low []",
                "tcp 2222 nc \(ServiceNames.name(port: 2222, .tcp)) open public medium [2001:db8:77::1]",
                "tcp 6379 redis-server Redis open any high [0.0.0.0]",
                "tcp 6380 redis-server Unknown open loopback low [127.0.0.1, ::1]",
                "tcp 8000 python \(ServiceNames.name(port: 8000, .tcp)) open loopback low [127.0.0.1]",
                "udp 5300 nc Unknown open private medium [10.77.0.1]",
                "udp 5353 python \(ServiceNames.name(port: 5353, .udp)) open any low [::]",
            ]
        )
        for (command, process) in zip(commands, processes) {
            let port = command.compactMap { UInt16($0) }.last { $0 >= 22 }
            #expect(rows.first { $0.port == port }?.pids.contains(process.pid) == true, "\(command) \(process.pid)")
        }
        processes.removeAll()
        let closed = try scan(&scanner, policy) { $0.count == 1 }
        #expect(closed.map(\.port) == [443])
    }

    /// A name is shown harmlessly whatever its bytes are; a process that takes another name is noticed.
    @Test func hostileProcessNames() throws {
        let namespace = try NamedNamespace("names")
        var scanner = try namespace.enter { try PortScanner() }
        let python =
            #"import socket,time; s=socket.socket(); s.bind(("127.0.0.1",4444)); s.listen(); time.sleep(float(0.8))"#
            + #"; open("/proc/self/comm","wb").write(b"\x1b[31m\n\xff</a>"); time.sleep(60)"#
        let process = try #require(BackgroundProcess(namespace.command(["/usr/bin/python3", "-c", python])))
        let before = try scan(&scanner) { $0.first?.program.hasPrefix("python") == true }
        #expect(before.first?.program.hasPrefix("python") == true)
        let after = try scan(&scanner) { $0.first?.program.hasPrefix("\\") == true }
        #expect(after.map(\.program) == [#"\x1b[31m\x0a\xff</a>"#])
        #expect(after.first?.pids == [process.pid])
    }

    /// A child that inherited a listener keeps it after its parent's end.
    @Test func inheritedListenersKeepAnOwner() throws {
        let namespace = try NamedNamespace("inherit")
        var scanner = try namespace.enter { try PortScanner() }
        let python =
            #"import os,socket,time; s=socket.socket(); s.bind(("127.0.0.1",4445)); s.listen(); c=os.fork()"#
            + #"; c or time.sleep(60)"# + #"; print("child",c,flush=True); time.sleep(1)"#
        let process = try #require(BackgroundProcess(namespace.command(["/usr/bin/python3", "-c", python])))
        let both = try scan(&scanner) { $0.first?.pids.count == 2 }
        let pids = try #require(both.first?.pids)
        #expect(pids.count == 2 && pids.contains(process.pid))
        let child = try #require(pids.first { $0 != process.pid })
        defer { kill(child, SIGKILL) }
        let one = try scan(&scanner) { $0.first?.pids == [child] }
        #expect(one.first?.pids == [child])
    }

    @Test func fiveThousandListeners() throws {
        let namespace = try NamedNamespace("many")
        var scanner = try namespace.enter { try PortScanner() }
        var limit = rlimit()
        _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        try #require(limit.rlim_cur >= 6000, "needs 6,000 descriptors: raise the hard limit (ulimit -Hn)")
        let sockets = try namespace.enter {
            try (1...5000).map { port in
                let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
                let socket = try check("socket") { Glibc.socket(AF_INET, type, 0) }
                var address = sockaddr_in()
                address.sin_family = sa_family_t(AF_INET)
                address.sin_port = UInt16(10_000 + port).bigEndian
                try check("bind") {
                    unsafe withUnsafePointer(to: &address) { address in
                        unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                            unsafe bind(socket, address, socklen_t(MemoryLayout<sockaddr_in>.size))
                        }
                    }
                }
                try check("listen") { listen(socket, 1) }
                return socket
            }
        }
        defer { for socket in sockets { close(socket) } }
        var times: [Double] = []
        for _ in 0..<10 {
            let start = Clock.monotonic.now()
            let rows = try scanner.scan().ports()
            times.append(Double(Clock.monotonic.now() - start) / 1e6)
            #expect(rows.count == 5000)
            #expect(rows.allSatisfy { $0.pids == [getpid()] })
        }
        print("5,000 listeners: first scan \(times[0]) ms, then \(times.sorted()[5]) ms")
        #if !DEBUG
            #expect(times[1...].min() ?? .infinity < 100)
        #endif
    }
}
