import ArgumentParser
import Glibc
import Linux

/// The whole product on its own traffic.
struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Show what the sensor sees, for a minute and a half at most, on traffic of its own.",
        discussion: """
            Makes two network namespaces that nothing else is joined to, runs a sensor, a Redis and a web server in one, \
            and in the other ordinary users, a port scan, a SYN flood, a slow attack and a client that drains the \
            server's bandwidth. Nothing leaves this machine; everything is removed at the end. Needs root.
            """
    )

    @Flag(name: .long, help: "Leave out Redis.")
    var withoutRedis = false

    private static let victim = "weir-demo-host"
    private static let world = "weir-demo-world"

    /// What happens when, and which incident should come of it.
    private static let acts: [(second: Int64, role: String, lasts: Int, says: String, expects: String)] = [
        (0, "users", 100, "twelve people visit the web server", ""),
        (1, "leech", 99, "one client downloads without end", "edos.leech"),
        (6, "scan", 10, "a port scan begins", "scan."),
        (16, "flood", 10, "a flood of SYNs in the name of others begins", "flood.syn"),
        (28, "slow", 70, "80 connections ask for a page and never end asking", "slow."),
    ]

    func run() throws {
        guard geteuid() == 0 else {
            throw failure(.noPermission, "the demo makes network namespaces and needs root. Run: sudo weir demo")
        }
        var template = Array("/tmp/weir-demo-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw failure(.cannotCreate, "mkdtemp /tmp: \(Errno.current)") }
        let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer { _ = try? Subprocess.run("rm", ["rm", "-rf", folder]) }
        defer { Self.removeNamespaces() }
        let signals = try SignalSource([SIGINT, SIGTERM])
        do throws(SystemError) {
            try Self.makeNamespaces(log: folder + "/ip.log")
            try play(folder, signals)
        } catch {
            throw failure(.unavailable, "the demo cannot go on: \(error)")
        }
    }

    private func play(_ folder: String, _ signals: borrowing SignalSource) throws(SystemError) {
        var redis: Subprocess?
        let socket = folder + "/redis.sock"
        if !withoutRedis {
            let words = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder]
            redis = try? Self.start(in: Self.victim, "redis-server", words, log: folder + "/redis.log")
        }
        try Self.write(Self.settings, to: folder + "/weir.yaml")
        var words = ["run", "--config", folder + "/weir.yaml", "--interface", "demo0", "--data-dir", folder]
        words += ["--redis", "unix://" + socket]
        var sensor = try Self.start(in: Self.victim, "/proc/self/exe", words, log: folder + "/weir.log")
        let client = SensorClient(path: folder + "/weir.sock")
        try awaitAnswer(of: client, &sensor, log: folder + "/weir.log")
        let server = try Self.traffic("server", 130, in: Self.victim, folder)
        say("A sensor watches a web server in a namespace of its own. What it tells:")
        let told = try watch(client, &sensor, signals, folder)
        sensor.send(SIGTERM)
        sensor.wait()
        redis?.send(SIGTERM)
        _ = consume server
        _ = consume redis
        say(told)
    }

    /// Waits until the sensor answers.
    private func awaitAnswer(of client: SensorClient, _ sensor: inout Subprocess, log: String) throws(SystemError) {
        for _ in 0..<100 {
            usleep(100_000)
            if (try? client.get("/api/status")) != nil { return }
            guard sensor.isRunning else { break }
        }
        say(String(harmless: (try? Self.read(log)) ?? [], limit: 2_000))
        throw SystemError("start the sensor", Errno(rawValue: ESRCH))
    }

    /// Plays the acts, and shows threats as they come.
    /// - Returns: what was found of what was played.
    private func watch(
        _ client: SensorClient,
        _ sensor: inout Subprocess,
        _ signals: borrowing SignalSource,
        _ folder: String
    ) throws(SystemError) -> String {
        var poller = Poller()
        let stop = poller.add(signals.descriptor)
        let start = Clock.monotonic.now()
        var actors: [DemoActor] = []
        var next = 0
        var seen: Set<String> = []
        var found: Set<String> = []
        while Clock.monotonic.now() - start < 100_000_000_000, sensor.isRunning {
            let second = (Clock.monotonic.now() - start) / 1_000_000_000
            while next < Self.acts.count, second >= Self.acts[next].second {
                let act = Self.acts[next]
                Self.tell(second, "-- \(act.says)")
                actors.append(DemoActor(try Self.traffic(act.role, act.lasts, in: Self.world, folder)))
                next += 1
            }
            if let body = try? client.get("/api/threats"), let rows = try? ThreatRows(body) {
                for threat in rows.threats.reversed() where seen.insert(threat.id).inserted {
                    Self.tell(second, "   \(threat.severity) \(threat.class) at \(threat.destIp): \(threat.summary)")
                    found.formUnion(Self.acts.map(\.expects).filter { !$0.isEmpty && threat.class.hasPrefix($0) })
                }
            }
            if found.count == Self.acts.count(where: { !$0.expects.isEmpty }), second > 45 { break }
            _ = try? poller.wait(milliseconds: 250)
            if poller[stop].isReadable { break }
        }
        let expected = Self.acts.map(\.expects).filter { !$0.isEmpty }
        let missed = expected.filter { !found.contains($0) }
        return missed.isEmpty
            ? "All \(expected.count) attacks were found. On real traffic: sudo weir run"
            : "\(found.count) of \(expected.count) attacks were found; not \(missed.joined(separator: ", "))"
    }

    private static func tell(_ second: Int64, _ text: String) {
        say("\(second < 10 ? " " : "")\(second) s  \(text)")
    }

    /// Who drains a server is told from one who downloads something by hours; in a demonstration a minute must do.
    private static let settings = """
        log:
          level: warning
        detect:
          edos:
            floor: 300000000
            stay_time: 1
            leech_time: 0.4
            download_time: 0.4
        """

    // MARK: - Namespaces

    private static func makeNamespaces(log: String) throws(SystemError) {
        removeNamespaces()
        let host = "10.88.0.2/16"
        for words in [
            ["netns", "add", victim], ["netns", "add", world],
            ["link", "add", "demo0", "netns", victim, "type", "veth", "peer", "name", "demo1", "netns", world],
            ["-n", victim, "address", "add", host, "dev", "demo0"], ["-n", victim, "link", "set", "demo0", "up"],
            ["-n", victim, "link", "set", "lo", "up"], ["-n", world, "link", "set", "demo1", "up"],
            ["-n", world, "link", "set", "lo", "up"], ["-n", world, "address", "add", "10.88.0.1/16", "dev", "demo1"],
            // The answers to those in whose name the flood comes go nowhere, and do not come back.
            ["-n", victim, "route", "add", "198.18.0.0/15", "via", "10.88.0.1"],
            ["-n", world, "route", "add", "blackhole", "198.18.0.0/15"],
        ] + (1...12).map({ ["-n", world, "address", "add", "10.88.1.\($0)/16", "dev", "demo1"] })
            + ["10.88.2.1/16", "10.88.3.1/16"].map({ ["-n", world, "address", "add", $0, "dev", "demo1"] })
        {
            guard try Subprocess.run("ip", ["ip"] + words, output: log) == 0 else {
                say(String(harmless: (try? read(log)) ?? [], limit: 500))
                throw SystemError("ip \(words.joined(separator: " "))", Errno(rawValue: EINVAL))
            }
        }
    }

    private static func removeNamespaces() {
        for name in [victim, world] {
            _ = try? Subprocess.run("ip", ["ip", "netns", "del", name], output: "/dev/null")
        }
    }

    private static func start(
        in space: String,
        _ program: String,
        _ words: [String],
        log: String
    ) throws(SystemError) -> Subprocess {
        // Through a name of its own: /proc/self would be that of `ip`.
        let own = program == "/proc/self/exe" ? "/proc/\(getpid())/exe" : program
        return try Subprocess("ip", ["ip", "netns", "exec", space, own] + words, output: log)
    }

    private static func traffic(_ role: String, _ seconds: Int, in space: String, _ folder: String) throws(SystemError)
        -> Subprocess
    {
        let log = "\(folder)/\(role).log"
        return try start(in: space, "/proc/self/exe", ["demo-traffic", role, "\(seconds)"], log: log)
    }

    private static func write(_ text: String, to path: String) throws(SystemError) {
        let file = Descriptor(
            owning: try check("open \(path)") { unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
        )
        try Linux.write(all: unsafe Array(text.utf8).span.bytes, to: file.rawValue)
    }

    private static func read(_ path: String) throws(SystemError) -> [UInt8] {
        let file = Descriptor(owning: try check("open \(path)") { unsafe open(path, O_RDONLY | O_CLOEXEC) })
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let (number, limit) = (file.rawValue, bytes.count)
        let count = try check("read \(path)") { unsafe Glibc.read(number, &bytes, limit) }
        return Array(bytes[..<count])
    }
}

/// A program of the play, in a list.
private final class DemoActor {
    private var program: Subprocess?
    init(_ program: consuming Subprocess) { self.program = consume program }
}
