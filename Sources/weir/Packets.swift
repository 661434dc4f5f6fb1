import ArgumentParser
import FoundationEssentials
import Glibc
import Linux
import Sensor

struct Packets: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show packets that the running sensor sampled, headers only."
    )

    @OptionGroup var options: ConfigurationOptions

    @Option(name: .shortAndLong, help: "How many; the sensor holds the last 1000.")
    var count = 50

    @Flag(name: .shortAndLong, help: "Go on with what comes, until interrupted.")
    var follow = false

    @Flag(name: .long, help: "Print one JSON object; with --follow one packet a line.")
    var json = false

    func validate() throws {
        if !(0...1_000).contains(count) { throw ValidationError("--count takes 0 to 1000, not \(count)") }
    }

    func run() throws {
        let client = SensorClient(path: try options.load().configuration.socketPath)
        do {
            try show(client)
        } catch let error as SensorClient.ClientError {
            throw failure(error.status, "\(error)")
        }
    }

    private func show(_ client: SensorClient) throws {
        let body = try client.get("/api/packets?count=\(count)")
        if json && !follow { return try Terminal.print(body + Array("\n".utf8)) }
        var list = try PacketRows(body)
        var printer = PacketPrinter(json: json)
        try printer.print(list.packets)
        guard follow else {
            if list.packets.isEmpty { say("weir: the sensor holds no packet yet") }
            return
        }
        var last = list.packets.last?.sequence ?? 0
        while true {
            usleep(500_000)
            list = try PacketRows(try client.get("/api/packets?count=1000&after=\(last)"))
            // A gap means that more came in half a second than the sensor holds.
            if let first = list.packets.first, last > 0, first.sequence > last + 1 {
                say("weir: \(first.sequence - last - 1) packets passed unseen")
            }
            try printer.print(list.packets)
            last = list.packets.last?.sequence ?? last
        }
    }
}

/// The answer to `GET /api/packets`.
struct PacketRows: Decodable {
    struct Packet: Codable {
        var timestamp: String
        var size: UInt32
        var srcIp: String?
        var destIp: String?
        var `protocol`: String
        var srcPort: UInt16?
        var destPort: UInt16?
        var flags: UInt8?
        var sequence: UInt64
        var interface: String
        var direction: String
        var vlan: UInt16?
    }

    var packets: [Packet]

    init(_ body: [UInt8]) throws(SensorClient.ClientError) {
        do {
            self = try JSONDecoder.snakeCase.decode(PacketRows.self, from: Data(body))
        } catch {
            throw .unreadable("\(error)")
        }
    }
}

/// Prints packets under one heading, in columns that stay where they are.
struct PacketPrinter {
    let json: Bool
    private var isFirst = true

    init(json: Bool) {
        self.json = json
    }

    mutating func print(_ packets: [PacketRows.Packet]) throws {
        guard !packets.isEmpty else { return }
        if json {
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            for packet in packets { try Terminal.print(Array(try encoder.encode(packet)) + Array("\n".utf8)) }
            return
        }
        if isFirst { try Terminal.print(Terminal.styled(Self.heading, .dim)) }
        isFirst = false
        try Terminal.print(packets.map(Self.line).joined(separator: "\n"))
    }

    static let heading = "TIME             IFACE       DIR  PROTO     SIZE  SOURCE -> DESTINATION"

    static func line(_ packet: PacketRows.Packet) -> String {
        let time = packet.timestamp.dropFirst(11).prefix(15)
        let tag = packet.vlan.map { " vlan \($0)" } ?? ""
        let text =
            "\(padded(time, 15))  \(padded(packet.interface, 10))  \(padded(packet.direction, 3))  "
            + "\(padded(packet.protocol, 7))  \(padded("\(packet.size)", 5, right: true))  "
            + "\(end(packet.srcIp, packet.srcPort)) -> \(end(packet.destIp, packet.destPort))"
            + (packet.flags.map { " " + names(of: $0) } ?? "") + tag
        return String(harmless: text.utf8, limit: 512)
    }

    private static func end(_ address: String?, _ port: UInt16?) -> String {
        guard let address else { return "-" }
        guard let port else { return address }
        return address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }

    /// TCP's flags as tcpdump writes them (RFC 9293 section 3.1, RFC 3168).
    private static func names(of flags: UInt8) -> String {
        let letters = [(1, "F"), (2, "S"), (4, "R"), (8, "P"), (16, "."), (32, "U"), (64, "E"), (128, "W")]
        return "[" + letters.filter { Int(flags) & $0.0 != 0 }.map(\.1).joined() + "]"
    }
}

extension JSONDecoder {
    /// For the sensor's own documents.
    static var snakeCase: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }
}
