// What a look at the host costs: a scan of the listening ports at 50 and 5,000 listeners, the walk of /proc that a new
// listener asks for, and one sample of the host. Prints a table and a JSON line per measure.
import Glibc
import Host
import Linux

/// Sockets that listen on ports of 127.0.0.1 which the kernel chooses.
func listeners(_ count: Int) throws(SystemError) -> [Int32] {
    var sockets: [Int32] = []
    for _ in 0..<count {
        let socket = try check("socket") { Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        try check("bind") {
            unsafe withUnsafePointer(to: &address) { address in
                unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    unsafe bind(socket, address, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        try check("listen") { listen(socket, 1) }
        sockets.append(socket)
    }
    return sockets
}

/// The CPU time this process has used, in nanoseconds.
func processorTime() -> Int64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

struct Measure {
    var name: String
    var runs: Int
    /// Milliseconds.
    var median: Double
    var worst: Double
    var processor: Double

    /// Runs `body` and takes wall and CPU time of each run.
    init<Failure: Error>(_ name: String, runs: Int, _ body: () throws(Failure) -> Void) throws(Failure) {
        var times: [Int64] = []
        let processor = processorTime()
        for _ in 0..<runs {
            let start = Clock.monotonic.now()
            try body()
            times.append(Clock.monotonic.now() - start)
        }
        times.sort()
        self.name = name
        self.runs = runs
        self.processor = Double(processorTime() - processor) / Double(runs) / 1e6
        median = Double(times[runs / 2]) / 1e6
        worst = Double(times[runs - 1]) / 1e6
    }

    private func digits(_ value: Double) -> String {
        let thousandths = Int((value * 1000).rounded())
        let fraction = String(thousandths % 1000)
        return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }

    var row: String {
        let cells = [String(runs), digits(median), digits(worst), digits(processor)]
        let padded = cells.map { String(repeating: " ", count: max(0, 10 - $0.count)) + $0 }
        return name + String(repeating: " ", count: max(1, 28 - name.count)) + padded.joined(separator: " ")
    }

    var json: String {
        "{\"bench\":\"Ports\",\"measure\":\"\(name)\",\"runs\":\(runs),\"median_ms\":\(digits(median)),"
            + "\"worst_ms\":\(digits(worst)),\"cpu_ms\":\(digits(processor))}"
    }
}

func measures() throws -> [Measure] {
    var measures: [Measure] = []
    var open = rlimit(rlim_cur: 20_000, rlim_max: 20_000)
    if unsafe setrlimit(Int32(RLIMIT_NOFILE.rawValue), &open) != 0 {
        unsafe getrlimit(Int32(RLIMIT_NOFILE.rawValue), &open)
        open.rlim_cur = open.rlim_max
        _ = unsafe setrlimit(Int32(RLIMIT_NOFILE.rawValue), &open)
    }
    for count in [50, 5000] {
        let sockets = try listeners(count)
        var scanner = try PortScanner()
        var rows = 0
        measures.append(
            try Measure("first scan, \(count)", runs: 1) { rows = try scanner.scan().ports().count }
        )
        guard rows >= count else { fatalError("saw \(rows) of \(count) listeners") }
        measures.append(
            try Measure("scan, \(count)", runs: count == 50 ? 1000 : 50) { rows = try scanner.scan().ports().count }
        )
        measures.append(
            try Measure("walk of /proc, \(count)", runs: 20) {
                var owners = SocketOwners()
                let snapshot = try scanner.scan()
                rows = owners.find(snapshot.sockets).count
            }
        )
        for socket in sockets { close(socket) }
    }
    var sampler = try HostSampler()
    measures.append(try Measure("host sample", runs: 2000) { () throws(HostError) in _ = try sampler.sample() })
    return measures
}

let results = try measures()
print("measure                            runs  median ms   worst ms     CPU ms")
for result in results { print(result.row) }
for result in results { print(result.json) }
