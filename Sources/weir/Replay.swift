public import ArgumentParser
import Detection
public import Flows
import Glibc
import Linux
import Reports
import Sensor
import Synchronization

struct ReplayFiles: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Make flows of capture files, as the sensor makes them of live traffic.",
        discussion: """
            Reads pcap and pcapng, plain or packed with gzip, and packets as the original system exported them (JSON). \
            Several files become one timeline. The same files give the same flows, byte for byte, at any speed and on any \
            number of workers. A file that cannot be read to its end counts as far as it goes, and the exit status is 65.
            """
    )

    @Argument(
        help: ArgumentHelp("Files; folders, of which each capture is read; - for standard input.", valueName: "file")
    )
    var files: [String]

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Write a record of each flow: .csv for CICFlowMeter's 84 columns, .jsonl or .json for one object a line, "
                + "- for CSV on standard output.",
            valueName: "file"
        )
    )
    var flows: String?

    @Option(name: .long, help: ArgumentHelp("Write each event of an incident as a line of JSON.", valueName: "file"))
    var events: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Addresses that are those of the host or net it was taken at: 192.0.2.0/24. May be given again.",
            valueName: "prefix"
        )
    )
    var home: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp("Multiply every level of the detectors; 0 judges nothing. 0-100.", valueName: "factor")
    )
    var scale = 1.0

    @Option(
        name: .long,
        help: "Features by their definitions (corrected), or with the numbers and endings of CICFlowMeter 4 (cic)."
    )
    var profile = FlowProfile.corrected

    @Option(
        name: .long,
        help: ArgumentHelp("Silence that ends a flow; 0 for never. Default 60, none with cic.", valueName: "seconds")
    )
    var idleTimeout: Double?

    @Option(
        name: .long,
        help: ArgumentHelp("Age that ends a flow; 0 for never. Default 300, 120 with cic.", valueName: "seconds")
    )
    var activeTimeout: Double?

    @Option(
        name: .long,
        help: ArgumentHelp("Also write a record of a flow that goes on, so often. Not in CSV.", valueName: "seconds")
    )
    var interim: Double?

    @Flag(name: .long, help: "Read on inside tunnels: flows are those of the innermost packets.")
    var inner = false

    @Option(
        name: .long,
        help: "Measure the entropy of payloads: none, the first bytes each way, or all. In JSON lines."
    )
    var entropy = EntropyScope.none

    @Option(name: .long, help: "Threads; each reads all packets and keeps a part of the flows. 1-64.")
    var workers = 1

    @Option(
        name: .long,
        help: ArgumentHelp("As many times as fast as it was captured. Default: as fast as it can.", valueName: "factor")
    )
    var speed: Double?

    @Option(name: .long, help: ArgumentHelp("Memory of the flow table. 1-65536.", valueName: "MiB"))
    var memory = Replay.Settings.memory >> 20

    @Flag(name: .long, help: "Print the summary as one JSON object.")
    var json = false

    func validate() throws {
        guard (1...64).contains(workers) else { throw ValidationError("--workers takes 1 to 64") }
        guard (1...65_536).contains(memory) else { throw ValidationError("--memory takes 1 to 65536 MiB") }
        if let speed, !(speed > 0 && speed.isFinite) { throw ValidationError("--speed takes a number above 0") }
        for (name, value) in [
            ("--idle-timeout", idleTimeout), ("--active-timeout", activeTimeout), ("--interim", interim),
        ] {
            // Above that, nanoseconds do not fit.
            if let value, !(0...1e9).contains(value) { throw ValidationError("\(name) takes 0 to 1000000000 seconds") }
        }
        if let flows, Self.format(of: flows) == nil {
            throw ValidationError("--flows takes a name that ends in .csv, .jsonl or .json, or -, not \(flows)")
        }
        guard (0...100).contains(scale) else { throw ValidationError("--scale takes 0 to 100") }
        do {
            var settings = Replay.Settings()
            try settings.setHome(home)
        } catch {
            throw ValidationError("--home: \(error)")
        }
        if let events, events == "-" || events.isEmpty { throw ValidationError("--events takes a file's name") }
        if json, flows == "-" { throw ValidationError("--json and --flows - cannot both have standard output") }
        if files.count(where: { $0 == "-" }) > 1 { throw ValidationError("standard input can be read once") }
    }

    static func format(of name: String) -> FlowFormat? {
        let name = name.lowercased()
        if name == "-" || name.hasSuffix(".csv") { return .csv }
        return name.hasSuffix(".jsonl") || name.hasSuffix(".json") ? .jsonLines : nil
    }

    var settings: Replay.Settings {
        var settings = Replay.Settings()
        if profile == .cic { settings.flows = .cic }
        settings.flows.memory = memory << 20
        settings.flows.interim = interim.flatMap(Self.nanoseconds)
        settings.tellsInterims = settings.flows.interim != nil
        settings.flows.entropy = entropy
        if let idleTimeout { settings.flows.idle = Self.nanoseconds(idleTimeout) }
        if let activeTimeout { settings.flows.active = Self.nanoseconds(activeTimeout) }
        settings.readsTunnels = inner
        try? settings.setHome(home)
        if scale == 0 { settings.detection = nil } else { settings.detection?.scale = scale }
        settings.workers = workers
        settings.speed = speed
        settings.format = flows.flatMap(Self.format)
        return settings
    }

    private static func nanoseconds(_ seconds: Double) -> Int64? {
        seconds == 0 ? nil : Int64((seconds * 1e9).rounded())
    }

    func run() throws {
        let progress = ReplayProgress()
        let replay = Replay(settings)
        let summary: ReplaySummary
        do throws(SystemError) {
            if let flows {
                let output = try open(flows)
                summary = try replay.run(files, to: output) { progress.show($0) }
            } else {
                summary = try replay.run(files) { progress.show($0) }
            }
        } catch {
            progress.clear()
            throw failure(.cannotCreate, "\(flows == "-" ? "standard output" : flows ?? ""): \(error)")
        }
        progress.clear()
        if let events { try write(summary.findings, to: events) }
        for file in summary.files {
            if let failure = file.failure { say("weir: \(failure)") }
        }
        if summary.workers < workers {
            say("weir: one worker instead of \(workers): standard input and pipes can be read only once")
        }
        if json {
            try Terminal.print(summary.json() + [0x0A])
        } else if flows == "-" {
            say(Self.table(summary))
        } else {
            try Terminal.print(Self.table(summary))
        }
        if summary.files.isEmpty { throw failure(.noInput, "no captures in \(files.joined(separator: ", "))") }
        let failed = summary.files.filter { $0.failure != nil }
        if failed.isEmpty { return }
        throw ExitCode((failed.allSatisfy(\.isUnreadable) ? ExitStatus.noInput : .badData).rawValue)
    }

    private func write(_ findings: ReplayFindings, to name: String) throws {
        do throws(SystemError) {
            try findings.write(to: try open(name))
        } catch {
            throw failure(.cannotCreate, "\(name): \(error)")
        }
    }

    private func open(_ name: String) throws(SystemError) -> Descriptor {
        if name == "-" {
            return Descriptor(owning: try check("dup(standard output)") { dup(STDOUT_FILENO) })
        }
        return Descriptor(
            owning: try check("open") { unsafe Glibc.open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644) }
        )
    }

    /// Incidents that the summary lists.
    private static let incidents = 20

    static func table(_ summary: ReplaySummary) -> String {
        let ledger = summary.ledger
        var table = Table(["", ""])
        func add(_ name: String, _ text: String) { table.add([.init(name, .bold), .init(text)]) }
        func told(_ volume: Flows.Volume) -> String {
            "\(formattedCount(volume.packets)) packets, \(formattedBytes(volume.bytes))"
        }
        let read = summary.files.filter { $0.failure == nil }.count
        add(
            "Files",
            "\(formattedCount(UInt64(summary.files.count)))"
                + (read < summary.files.count ? ", \(summary.files.count - read) of them not read to their end" : "")
                + (summary.skipped > 0 ? "; \(summary.skipped) others in folders are no captures" : "")
        )
        if let span = summary.span {
            let (first, last) = (WallTime(nanoseconds: span.lowerBound), WallTime(nanoseconds: span.upperBound))
            add("Time", "\(first.formatted(.microseconds)) to \(last.formatted(.microseconds))")
        }
        add("Frames", formattedCount(summary.frames))
        add("Traffic", told(Flows.Volume(packets: summary.packets, bytes: summary.bytes)))
        for (name, volume) in summary.protocols where volume.packets > 0 {
            add("  " + (name == "other" ? "other IP" : name.uppercased()), told(volume))
        }
        add(
            "Flows",
            formattedCount(summary.flows)
                + (summary.omitted > 0 ? ", \(formattedCount(summary.omitted)) of one packet not written" : "")
                + (summary.interims > 0 ? ", \(formattedCount(summary.interims)) interim records" : "")
                + (summary.table.evicted > 0
                    ? ", \(formattedCount(summary.table.evicted)) cut short since the table was full (--memory)" : "")
        )
        if summary.strayFragments.packets > 0 { add("Stray fragments", told(summary.strayFragments)) }
        if summary.unread.packets > 0 { add("In no flow", told(summary.unread)) }
        add(
            "Ledger",
            "read \(formattedCount(ledger.read)) = decoded \(formattedCount(ledger.decoded)) + malformed "
                + "\(formattedCount(ledger.malformed)); residue \(formattedCount(ledger.residue))"
        )
        for incident in summary.findings.incidents.prefix(Self.incidents) {
            let time = WallTime(nanoseconds: incident.opened).formatted(.milliseconds)
            add(
                "\(incident.severity.name)",
                "\(time) \(incident.threat.name) at \(incident.subject): \(incident.worst.summary)"
            )
        }
        let rest = summary.findings.incidents.count - Self.incidents
        if rest > 0 { add("Incidents", "\(formattedCount(UInt64(rest))) more; --events writes them all") }
        for (threat, nearness) in summary.findings.levels where nearness.highest >= 0.25 {
            add(
                threat.name,
                "at most \(hundredths(nearness.highest)) of its level; \(formattedCount(nearness.half)) times half of it, "
                    + "\(formattedCount(nearness.level)) times all, \(formattedCount(nearness.twice)) times twice"
            )
        }
        let rate = summary.elapsed > 0 ? UInt64(Double(summary.frames) / summary.elapsed) : 0
        let tenths = Int((summary.elapsed * 100).rounded())
        add("Took", "\(tenths / 100).\(tenths / 10 % 10)\(tenths % 10) s, \(formattedCount(rate)) frames/s")
        return table.description
    }
}

/// A number with two decimals.
private func hundredths(_ value: Double) -> String {
    let number = Int((min(value, 1e15) * 100).rounded())
    return "\(number / 100).\(number / 10 % 10)\(number % 10)"
}

extension FlowProfile: ExpressibleByArgument {}
extension EntropyScope: ExpressibleByArgument {}

/// A line on standard error that counts frames, for what takes more than a second; only on a terminal.
private final class ReplayProgress: Sendable {
    private struct State {
        var next = Clock.monotonic.now() + 1_000_000_000
        var isShown = false
    }

    private let state = Mutex(State())
    private let start = Clock.monotonic.now()
    private let isWanted = isatty(STDERR_FILENO) == 1

    func show(_ frames: UInt64) {
        guard isWanted else { return }
        let now = Clock.monotonic.now()
        let isDue = state.withLock { state in
            guard now >= state.next else { return false }
            state.next = now + 250_000_000
            state.isShown = true
            return true
        }
        if isDue { write("\r\u{1B}[K\(formattedCount(frames)) frames, \((now - start) / 1_000_000_000) s") }
    }

    func clear() {
        if state.withLock({ $0.isShown }) { write("\r\u{1B}[K") }
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = unsafe Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}
