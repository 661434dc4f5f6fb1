import ArgumentParser

@main
struct Weir: ParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "weir",
        abstract: "Measures the traffic of this host without stopping it.",
        version: version,
        subcommands: [
            Run.self, ReplayFiles.self, Ports.self, Packets.self, Threats.self, Status.self, Doctor.self, Check.self,
            Verify.self, Demo.self, DemoTraffic.self,
        ]
    )
}
