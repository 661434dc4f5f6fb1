import Flows
import Glibc
import Linux
import Reports
import Sensor
import Support

/// Captures made for replays, and a folder to keep them in, which goes with this value.
struct ReplayFolder: ~Copyable {
    let path: String

    init() throws(SystemError) {
        var template = Array("/tmp/weir-replay-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw SystemError("mkdtemp", .current) }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        _ = ChildProcess.run(["/bin/rm", "-r", path])
    }

    /// - Returns: the path.
    func file(_ name: String, _ bytes: [UInt8]) throws(SystemError) -> String {
        let path = path + "/" + name
        let file = Descriptor(owning: try check("open") { unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600) })
        let span = bytes.span
        try write(all: unsafe span.bytes, to: file.rawValue)
        return path
    }
}

/// What a replay wrote and told.
struct Replayed {
    let text: String
    let summary: ReplaySummary

    init(_ paths: [String], _ change: (inout Replay.Settings) -> Void = { _ in }) throws(SystemError) {
        var settings = Replay.Settings()
        settings.format = .csv
        change(&settings)
        let memory = try Descriptor.inMemory("rows")
        summary = try Replay(settings).run(paths, to: memory)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let number = memory.rawValue
        while true {
            let (size, place) = (chunk.count, bytes.count)
            let count = try check("pread") { unsafe pread(number, &chunk, size, place) }
            if count == 0 { break }
            bytes += chunk.prefix(count)
        }
        text = String(decoding: bytes, as: UTF8.self)
    }

    /// Without the header.
    var rows: [Substring] { text.split(separator: "\n").filter { !$0.hasPrefix("Flow ID") } }
}

/// A mix of what makes flows begin and end, seeded: opened and closed connections, datagrams both ways, fragments, ICMP
/// errors, tunnels, malformed headers, time that steps back and time that jumps.
struct ReplayTraffic {
    private var random: SeededGenerator
    private var time: Int64 = 1_765_189_800_000_000_000
    private(set) var frames: [(time: Int64, bytes: [UInt8])] = []

    init(seed: UInt64, frames count: Int) {
        random = SeededGenerator(seed: seed)
        while frames.count < count { addSome() }
    }

    /// As a capture of nanoseconds.
    var capture: [UInt8] { Self.capture(frames) }

    static func capture(_ frames: some Sequence<(time: Int64, bytes: [UInt8])>) -> [UInt8] {
        var writer = PcapWriter(.nano)
        for frame in frames { writer.record(frame.bytes, time: frame.time) }
        return writer.bytes
    }

    private mutating func pick(_ bound: UInt64) -> Int { Int(random.next() % bound) }

    private mutating func add(_ bytes: [UInt8]) {
        switch pick(200) {
        case 0: time += Int64(pick(400)) * 1_000_000_000
        case 1: time -= Int64(pick(3)) * 500_000_000
        default: time += Int64(pick(20_000_000))
        }
        frames.append((time, bytes))
    }

    private mutating func addSome() {
        let client = "10.0.\(pick(3)).\(pick(40) + 1)"
        let server = "192.0.2.\(pick(4) + 1)"
        let port = UInt16(pick(50) + 40_000)
        switch pick(10) {
        case 0...4: addConnection(client, server, port)
        case 5, 6:
            for _ in 0...pick(4) {
                let back = pick(2) == 0
                let builder = PacketBuilder().ethernet().vlan(UInt16(pick(2) + 5))
                    .ipv4(from: back ? server : client, to: back ? client : server)
                add(builder.udp(from: back ? 53 : port, to: back ? port : 53).payload(count: pick(900)).bytes)
            }
        case 7:
            let builder = PacketBuilder().ethernet().ipv6(from: "2001:db8::\(pick(9) + 1)", to: "2001:db8:1::1")
            add(builder.tcp(from: port, to: 22, flags: pick(2) == 0 ? .syn : .ack).payload(count: pick(1_400)).bytes)
        case 8:
            let inside = PacketBuilder().ipv4(from: client, to: server).udp(from: port, to: 53).payload(count: 8).bytes
            let error = PacketBuilder().ethernet().ipv4(from: "10.0.0.254", to: client).icmp(type: 3, code: 1)
            add(error.payload(inside).bytes)
            add(
                PacketBuilder().ethernet().ipv4(from: "198.51.100.1", to: "198.51.100.2", protocol: 4).payload(inside)
                    .bytes
            )
        default:
            let whole = PacketBuilder().ethernet().ipv4(from: client, to: server).tcp(from: port, to: 80, flags: .ack)
                .bytes
            // An IP header that claims more than there is; a frame of nothing; ARP.
            switch pick(3) {
            case 0: add(Array(whole.prefix(14)) + [0x45, 0, 0xFF, 0xFF] + whole.dropFirst(18).prefix(20))
            case 1: add(Array(whole.prefix(pick(34))))
            default: add([UInt8](repeating: 0xFF, count: 12) + [0x08, 0x06] + [UInt8](repeating: 0, count: 28))
            }
        }
    }

    private mutating func addConnection(_ client: String, _ server: String, _ port: UInt16) {
        func frame(_ flags: PacketBuilder.Flags, back: Bool, _ payload: Int) -> [UInt8] {
            PacketBuilder().ethernet().ipv4(from: back ? server : client, to: back ? client : server)
                .tcp(from: back ? 443 : port, to: back ? port : 443, flags: flags).payload(count: payload).bytes
        }
        add(frame(.syn, back: false, 0))
        add(frame([.syn, .ack], back: true, 0))
        for _ in 0..<pick(12) { add(frame([.ack, .psh], back: pick(3) > 0, pick(1_400))) }
        switch pick(4) {
        case 0: add(frame([.rst], back: pick(2) == 0, 0))
        case 1: break
        default:
            add(frame([.fin, .ack], back: false, 0))
            add(frame([.fin, .ack], back: true, 0))
            add(frame(.ack, back: false, 0))
        }
    }
}
