import ArgumentParser
import Glibc
import Linux
import Reports
import Sensor

struct Ports: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List what listens on this host, and how risky it is.",
        discussion: "Looks for itself: no sensor needs to run. Without root, other users' programs cannot be named."
    )

    @OptionGroup var options: ConfigurationOptions

    @Option(name: .long, help: ArgumentHelp("Ports to list, such as 1-1024,8000-9000 or 53/udp.", valueName: "ports"))
    var range: String?

    @Flag(name: .long, help: "Print one JSON object.")
    var json = false

    func run() throws {
        let flag = range.map { Configuration.Flag(name: "--range", key: "ports.ranges", values: [$0]) }
        let configuration = try options.load([flag].compactMap(\.self)).configuration
        let list: PortList
        do throws(NetlinkError) {
            list = try configuration.ports.scan()
        } catch {
            throw failure(.inputOutput, "the kernel does not list its listening ports: \(error)")
        }
        if json { return try Terminal.print(list.json() + Array("\n".utf8)) }
        if geteuid() != 0 { say("weir: without root, programs of other users are shown by what usually runs there") }
        try Terminal.print(Self.table(list.tcp + list.udp))
    }

    static func table(_ ports: [OpenPort]) -> String {
        if ports.isEmpty { return "Nothing listens." }
        var table = Table(["PORT", "PROTO", "SERVICE", "PROGRAM", "RISK", "STATUS", "LISTENS ON", "WHY"], numbers: [0])
        for port in ports.sorted(by: { ($0.port, $0.transport.rawValue) < ($1.port, $1.transport.rawValue) }) {
            let more = port.addresses.count > 3 ? " +\(port.addresses.count - 3)" : ""
            table.add([
                .init("\(port.port)"),
                .init(port.transport.rawValue),
                .init(port.service),
                .init(port.program),
                .init(port.risk.rawValue, port.risk == .high ? .red : port.risk == .medium ? .yellow : .green),
                .init(port.status.rawValue, port.status == .closed ? .yellow : .plain),
                .init(port.addresses.isEmpty ? "-" : port.addresses.prefix(3).joined(separator: ", ") + more),
                .init(port.riskReason, .dim),
            ])
        }
        return table.description
    }
}
