import Detection

extension Configuration {
    /// Absolute path of the file that threats are written to; nil: none.
    public var threatFile: String? { path(of: publish.threats.file) }

    /// Keys of the detectors. A detector's own levels stand below its name: `detect.<detector>.<level>` is
    /// `\.detect.settings.<detector>.<level>`.
    static let detectionSettings: [Setting] = [
        .flag("detect.enabled", \.detect.isEnabled, "Whether traffic is judged at all; flows are made in any case."),
        .number(
            "detect.scale",
            \.detect.settings.scale,
            0.01...100,
            "Multiplies the level of every detector: 0.5 finds what is half as strong."
        ),
        .prefixes(
            "detect.home",
            \.detect.home,
            "Prefixes that are ours: what is told victims from attackers. Empty: the addresses of the watched interfaces."
        ),
        .rules(
            "detect.allow",
            \.detect.settings.allow,
            "Whose connections are not judged: known scanners, monitors, backups. With ports, only those to these ports."
        ),
        .number(
            "detect.incidents.off",
            \.detect.settings.incidents.off,
            0.1...1,
            "Below this multiple of its level nothing holds an incident open."
        ),
        .seconds(
            "detect.incidents.off_delay",
            \.detect.settings.incidents.offDelay,
            1...86_400,
            "An incident closes when it was below that for so long; some detectors wait for longer."
        ),
        .seconds(
            "detect.incidents.hold",
            \.detect.settings.incidents.hold,
            0...86_400,
            "An incident stays open for so long at least."
        ),
        .seconds(
            "detect.incidents.repeat",
            \.detect.settings.incidents.repeats,
            1...86_400,
            "Time between two events that only say that an incident goes on."
        ),
        .number(
            "detect.incidents.open",
            \.detect.settings.incidents.open,
            1...4_096,
            "Incidents open at one time; more are folded into one of their class."
        ),
        .number(
            "detect.incidents.closed",
            \.detect.settings.incidents.closed,
            1...4_096,
            "Closed incidents that are kept for those who ask."
        ),
        .size(
            "record.memory",
            \.record.memory,
            0...1 << 30,
            "Memory of the flight recorder: the last packets, and those before each incident. 0: none."
        ),
        .flag(
            "record.payload",
            \.record.payload,
            "Whether it keeps payload as well, up to sample.snap, or headers alone."
        ),
    ]
}

extension Setting {
    static func flag(_ key: String, _ path: any Path<Bool>, _ help: String) -> Setting {
        Setting(
            key: key,
            allowed: "true, false",
            help: help,
            isList: false,
            isSecret: false,
            set: { configuration, values in
                guard let flag = Bool(values.first ?? "") else { return Self.refusal }
                configuration[keyPath: path] = flag
                return nil
            },
            get: { ["\($0[keyPath: path])"] }
        )
    }

    /// A time that is kept in nanoseconds.
    static func seconds(_ key: String, _ path: any Path<Int64>, _ range: ClosedRange<Double>, _ help: String) -> Setting
    {
        Setting(
            key: key,
            allowed: "\(brief(range.lowerBound)) to \(brief(range.upperBound)) seconds",
            help: help,
            isList: false,
            isSecret: false,
            set: { configuration, values in
                guard let seconds = Double(values.first ?? ""), range.contains(seconds) else { return Self.refusal }
                configuration[keyPath: path] = Int64((seconds * 1e9).rounded())
                return nil
            },
            get: { [brief(Double($0[keyPath: path]) / 1e9)] }
        )
    }

    static func prefixes(_ key: String, _ path: any Path<[Prefix]>, _ help: String) -> Setting {
        list(key, path, "prefixes such as 192.0.2.0/24, or addresses", help, Prefix.init(text:), \.text)
    }

    static func rules(_ key: String, _ path: any Path<[AllowRule]>, _ help: String) -> Setting {
        let allowed = "prefixes, each alone or with a port or ports: 192.0.2.0/24, 192.0.2.7 22, 10.0.0.0/8 8000-8010"
        return list(key, path, allowed, help, AllowRule.init(text:), \.text)
    }

    /// Entries that a list may have.
    private static let mostEntries = 1_024

    private static func list<Entry: Sendable>(
        _ key: String,
        _ path: any Path<[Entry]>,
        _ allowed: String,
        _ help: String,
        _ read: @escaping @Sendable (String) throws(PrefixError) -> Entry,
        _ text: any KeyPath<Entry, String> & Sendable
    ) -> Setting {
        Setting(
            key: key,
            allowed: "\(allowed); at most \(mostEntries)",
            help: help,
            isList: true,
            isSecret: false,
            set: { configuration, values in
                guard values.count <= mostEntries else { return Self.refusal }
                do throws(PrefixError) {
                    var entries: [Entry] = []
                    for value in values { entries.append(try read(value)) }
                    configuration[keyPath: path] = entries
                    return nil
                } catch {
                    return "is not allowed: \(error)"
                }
            },
            get: { $0[keyPath: path].map { $0[keyPath: text] } }
        )
    }
}
