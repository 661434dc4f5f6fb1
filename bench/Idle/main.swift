import Glibc
import Linux
import Measuring
import Support

// What a sensor costs on a host where nothing happens: `weir run` with its defaults on the interface of the default
// route and a Redis of its own, beside peers that look at the same host in the same seconds. Needs root for the sensor.
//
//     Idle [SECONDS]      default: 60, after 10 in which everything settles
//
// A peer that is not installed is left out, and said so. Shares are of one processor.

/// One program under observation.
final class Subject {
    let name: String
    let version: String
    let command: String
    let pid: Int32
    private let process: BackgroundProcess?
    private var before: Usage?
    private(set) var samples: [(x: Double, y: Double)] = []

    init(_ name: String, version: String, command: String, pid: Int32, process: BackgroundProcess? = nil) {
        self.name = name
        self.version = version
        self.command = command
        self.pid = pid
        self.process = process
    }

    /// Starts a peer; nil when it is not there.
    convenience init?(_ name: String, version words: [String], _ command: [String]) {
        guard let program = command.first, ChildProcess.exists(program) else { return nil }
        let outcome = ChildProcess.run(words)
        guard outcome.status == 0, let process = BackgroundProcess(command) else { return nil }
        let version = String(outcome.text.split(separator: "\n").first ?? "?")
        let shown = command.joined(separator: " ")
        self.init(name, version: version, command: shown, pid: process.pid, process: process)
    }

    func begin() { before = Usage(of: pid) }

    func sample(at second: Double) {
        if let usage = Usage(of: pid) { samples.append((second, usage.resident)) }
    }

    /// - Returns: whether it lived to the end.
    func show(seconds: Double) -> Bool {
        guard let before, let after = Usage(of: pid) else {
            print("Idle: \(name) ended by itself")
            return false
        }
        var measure = Measure("Idle", name)
        measure.note("version", version)
        measure.note("command", command)
        measure.add("seconds", seconds)
        measure.add("cpu_percent", (after.processor - before.processor) / (seconds * 1e9) * 100)
        measure.add("resident_mib", after.resident / 1_048_576)
        measure.add("anonymous_mib", after.anonymous / 1_048_576)
        measure.add("growth_kib_per_minute", slope(samples) * 60 / 1_024)
        measure.show()
        return true
    }
}

/// A scrape of node_exporter as Prometheus makes it.
func scrape(port: UInt16) {
    _ = ChildProcess.run(["/usr/bin/curl", "-s", "-o", "/dev/null", "http://127.0.0.1:\(port)/metrics"])
}

func interface() throws -> String {
    var tables = try LinkTables()
    guard let route = try tables.defaultRoute() else { return "lo" }
    return try tables.links().first { $0.index == route.linkIndex }?.name ?? "lo"
}

/// A function, so that sensor, Redis and peers have ended when it has.
/// - Returns: whether all lived to the end.
func run(seconds: Int) throws -> Bool {
    let name = try interface()
    let sensor = try SensorProcess(interface: name)
    let version = ChildProcess.run([SensorProcess.binary, "--version"]).text.replacing("\n", with: "")
    var subjects = [
        Subject("weir", version: version, command: "weir run --interface \(name), every 2 s to Redis", pid: sensor.pid)
    ]
    let peers = "bench/Idle/psutil_loop.py"
    let port = RedisServer.freePort()
    let offered: [(name: String, subject: Subject?)] = [
        ("psutil", Subject("psutil", version: ["/usr/bin/python3", peers, "--version"], ["/usr/bin/python3", peers])),
        (
            "node_exporter",
            Subject(
                "node_exporter",
                version: ["/usr/bin/prometheus-node-exporter", "--version"],
                ["/usr/bin/prometheus-node-exporter", "--web.listen-address=127.0.0.1:\(port)", "--log.level=error"]
            )
        ),
        (
            "netdata",
            Subject(
                "netdata",
                version: ["/usr/sbin/netdata", "-v"],
                ["/usr/sbin/netdata", "-D", "-p", "\(RedisServer.freePort())", "-i", "127.0.0.1"]
            )
        ),
    ]
    for (name, subject) in offered {
        if let subject {
            subjects.append(subject)
        } else {
            print("Idle: \(name) is not installed, so it is not measured")
        }
    }
    let settling = 10
    for second in 0..<(settling + seconds) {
        if second == settling { for subject in subjects { subject.begin() } }
        let end = Clock.monotonic.now() + 1_000_000_000
        if second % 2 == 0 { scrape(port: port) }
        if second >= settling { for subject in subjects { subject.sample(at: Double(second)) } }
        usleep(UInt32(max(0, end - Clock.monotonic.now()) / 1_000))
    }
    return subjects.map { $0.show(seconds: Double(seconds)) }.allSatisfy(\.self)
}

let seconds = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 0 : 60
guard seconds > 0 else {
    print("usage: Idle [SECONDS]")
    exit(64)
}
guard geteuid() == 0 else {
    print("Idle needs root: the sensor counts in the kernel")
    exit(77)
}
exit(try run(seconds: seconds) ? 0 : 1)
