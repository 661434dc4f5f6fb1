import Detection
import Flows
import Glibc
import Packets
import Publishing
import Testing

@testable import Sensor

@Suite struct ConfigurationTests {
    /// Writes the text to a file of its own and loads it.
    private func load(
        _ text: String? = nil,
        environment: [String: String] = [:],
        flags: [Configuration.Flag] = []
    ) throws -> Configuration.Loaded {
        let file = try TemporaryFile(text ?? "")
        return try Configuration.load(file: file.path, environment: environment, flags: flags)
    }

    private func problems(
        _ text: String = "",
        environment: [String: String] = [:],
        flags: [Configuration.Flag] = []
    ) throws -> [ConfigurationError.Problem] {
        do {
            _ = try load(text, environment: environment, flags: flags)
            return []
        } catch let error as ConfigurationError {
            return error.problems
        }
    }

    @Test func defaultsStandInAnEmptyFile() throws {
        let loaded = try load("")
        #expect(loaded.configuration == Configuration())
        #expect(loaded.origins.isEmpty)
    }

    @Test func defaultsAreWhatTheDocumentsPromise() {
        let standard = Configuration()
        #expect(standard.redis.address.description == "redis://localhost:6379/0")
        #expect(standard.publish.interval == 2)
        #expect(standard.publish.points == 30)
        #expect(standard.publish.key == "network_analysis:latest")
        #expect(standard.publish.channel == "network_analysis:updates")
        #expect(standard.dataDirectory == "/var/lib/weir")
        #expect(standard.sample.budget == 50_000)
        #expect(standard.capture.memory == 33_554_432)
        #expect(standard.count.clients == 65_536)
        #expect(standard.log.file == "network_monitor.log")
        #expect(standard.publish.threats.stream == "weir:threats" && standard.publish.threats.length == 10_000)
        #expect(standard.detect.isEnabled && standard.detect.settings == DetectionSettings())
    }

    @Test func flagBeatsEnvironmentBeatsFileBeatsDefault() throws {
        let text = "publish:\n  interval: 3\n  points: 40\nsample:\n  n: 7\n"
        let environment = ["WEIR_PUBLISH_INTERVAL": "4", "WEIR_PUBLISH_POINTS": "50", "HOME": "/root"]
        let flags = [Configuration.Flag(name: "--interval", key: "publish.interval", values: ["5"])]
        let file = try TemporaryFile(text)
        let loaded = try Configuration.load(file: file.path, environment: environment, flags: flags)
        #expect(loaded.configuration.publish.interval == 5)
        #expect(loaded.configuration.publish.points == 50)
        #expect(loaded.configuration.sample.oneIn == 7)
        #expect(loaded.configuration.sample.snap == 256)
        #expect(loaded.origins["publish.interval"] == "--interval")
        #expect(loaded.origins["publish.points"] == "environment variable WEIR_PUBLISH_POINTS")
        #expect(loaded.origins["sample.n"] == "\(file.path):5")
        #expect(loaded.origins["sample.snap"] == nil)
    }

    @Test func everyKeyReadsBackItsOwnDefault() throws {
        for setting in Configuration.settings {
            let fromFile = try load("\(setting.key): \(setting.standard)")
            #expect(fromFile.configuration == Configuration(), "\(setting.key)")
            #expect(fromFile.origins.keys.contains(setting.key), "\(setting.key)")
        }
    }

    @Test func everyKeyIsReadFromTheEnvironmentAsFromTheFile() throws {
        // Levels: the largest that each takes.
        let levels = Configuration.levelSettings.map { setting in
            (setting.key, String(setting.allowed.split(separator: " ").dropFirst(2).first ?? ""))
        }
        let samples = Self.samples + levels
        #expect(Set(samples.map(\.key)) == Set(Configuration.settings.map(\.key)))
        for sample in samples {
            let setting = try #require(Configuration.settings.first { $0.key == sample.key })
            let value = setting.isList ? "[\(sample.value)]" : sample.value
            let fromFile = try load("\(sample.key): \(value)").configuration
            let fromEnvironment = try load(environment: [setting.variable: sample.value]).configuration
            #expect(fromFile != Configuration(), "\(sample.key)")
            #expect(fromFile == fromEnvironment, "\(sample.key)")
            #expect(setting.written(fromFile) != setting.standard, "\(sample.key)")
        }
    }

    /// For each key a value that is allowed and not the default.
    private static let samples: [(key: String, value: String)] = [
        ("interfaces", "eth0,wg0"), ("resource_id", "res_001"), ("data_dir", "/tmp/w"),
        ("redis.url", "unix:///run/redis.sock"), ("redis.password_file", "/etc/weir/secret"),
        ("publish.interval", "0.5"), ("publish.points", "3600"), ("publish.key", "a:b"), ("publish.channel", "c"),
        ("disk.path", "/srv"), ("sample.budget", "1000"), ("sample.n", "64"), ("sample.snap", "1600"),
        ("capture.workers", "2"), ("capture.memory", "8 MiB"), ("count.clients", "1024"), ("ports.risk", "seed"),
        ("ports.ranges", "1-1024,8080"), ("ports.expected", "22,443"), ("log.file", "other.log"),
        ("log.level", "debug"), ("log.format", "json"), ("publish.client_id", "c_1"),
        ("publish.flows.stream", "weir:flows"), ("publish.flows.length", "1000"), ("publish.flows.file", "f.jsonl"),
        ("publish.flows.format", "csv"), ("publish.flows.size", "1 MiB"), ("publish.flows.keep", "0"),
        ("publish.flows.http", "http://ml:23333/predict/batch"), ("publish.flows.queue", "1 MiB"),
        ("flows.profile", "cic"), ("flows.idle", "15"), ("flows.active", "never"), ("flows.close", "0"),
        ("flows.interim", "60"), ("flows.memory", "64 MiB"), ("flows.entropy", "all"), ("flows.recent", "1"),
        ("publish.threats.stream", "other"), ("publish.threats.length", "5"), ("publish.threats.file", "t.jsonl"),
        ("publish.threats.size", "1 MiB"), ("publish.threats.keep", "0"),
        ("publish.events.stream", "ml:network_events"),
        ("publish.events.length", "5"), ("detect.enabled", "false"), ("detect.scale", "0.5"),
        ("detect.home", "192.0.2.0/24, 2001:db8::/32"), ("detect.allow", "192.0.2.0/24, 198.51.100.7 22"),
        ("detect.incidents.off", "0.5"), ("detect.incidents.off_delay", "10"), ("detect.incidents.hold", "0"),
        ("detect.incidents.repeat", "1.5"), ("detect.incidents.open", "10"), ("detect.incidents.closed", "10"),
        ("record.memory", "0"), ("record.payload", "true"),
    ]

    @Test(arguments: [
        ("publish.interval", ["0.5", "60", "2.25"], ["0.4", "60.1", "-1", "nan", "inf", "x", "\"\""]),
        ("publish.points", ["1", "3600"], ["0", "3601", "1.5", "x"]),
        ("sample.budget", ["1000", "10000000"], ["999", "10000001"]),
        ("sample.n", ["1", "65536"], ["0", "65537"]),
        ("sample.snap", ["128", "1600"], ["127", "1601"]),
        ("capture.workers", ["0", "64"], ["-1", "65"]),
        (
            "capture.memory", ["1 MiB", "1GiB", "1048577", "2048 KiB"],
            ["1048575", "2 GiB", "9999999999999 GiB", "x MiB"]
        ),
        ("count.clients", ["1024", "4194304"], ["1023", "4194305"]),
        ("ports.risk", ["adjusted", "seed"], ["Seed", "none"]),
        ("ports.ranges", ["[1-65535]", "[22, 80-90]", "443", "[]"], ["[0]", "[9-2]", "[65536]", "[1-2-3]", "[a]"]),
        ("ports.expected", ["[22, 53/udp]"], ["[0]", "[22/sctp]"]),
        ("log.level", ["trace", "critical"], ["verbose"]),
        ("log.format", ["auto", "text", "json"], ["xml"]),
        ("log.file", ["\"\"", "/var/log/weir.log"], ["dir/"]),
        ("data_dir", ["/x"], ["relative", "\"\""]),
        ("redis.password_file", ["\"\"", "/x"], ["x"]),
        ("resource_id", ["a.b-c_9", "\"\""], ["a b", "a:b", "\"é\""]),
        ("interfaces", ["[eth0]", "all", "[eth0.10, br-1]"], ["[a/b]", "[abcdefghijklmnop]", "[\"a b\"]"]),
        (
            "redis.url",
            ["redis://h", "redis://u:p@h:1/3", "redis://[::1]:6379", "redis://:p@h/", "unix:///a"],
            ["http://h", "redis://h:0", "redis://h:99999", "redis://h/x", "unix://rel", "h:6379", "redis://h:x"]
        ),
        ("publish.key", ["a"], ["\"\"", "\"a b\""]),
        ("publish.client_id", ["c.1-a_b", "\"\""], ["a b", "\"a\\r\\nX: 1\""]),
        ("publish.flows.stream", ["weir:flows", "\"\""], ["\"a b\""]),
        ("publish.flows.length", ["1", "100000000"], ["0", "100000001"]),
        ("publish.flows.file", ["\"\"", "/var/log/flows.csv", "flows.jsonl"], ["dir/"]),
        ("publish.flows.format", ["json", "csv"], ["xml"]),
        ("publish.flows.size", ["64 KiB", "1024 GiB"], ["65535", "1025 GiB"]),
        ("publish.flows.keep", ["0", "1000"], ["-1", "1001"]),
        (
            "publish.flows.http",
            ["\"\"", "http://ml:23333/predict/batch", "http://[::1]/x/predict/buffered"],
            [
                "ml:23333", "https://ml/predict/batch", "http://ml", "http://ml/predict", "http://u:p@ml/predict/batch",
                "\"http://ml/\\r\\nX: 1/predict/batch\"", "http://ml/predict/batch?x=1", "http://ml:0/predict/batch",
            ]
        ),
        ("publish.flows.queue", ["64 KiB", "1 GiB"], ["65535", "2 GiB"]),
        ("flows.profile", ["corrected", "cic"], ["java"]),
        ("flows.idle", ["auto", "never", "0.1", "86400"], ["0", "86401", "\"\"", "nan", "Never"]),
        ("flows.active", ["auto", "never", "0.1", "86400"], ["0", "-1"]),
        ("flows.close", ["auto", "never", "0", "3600"], ["-0.1", "3601"]),
        ("flows.interim", ["auto", "never", "1", "86400"], ["0.9", "inf"]),
        ("flows.memory", ["1 MiB", "16 GiB"], ["1048575", "17 GiB"]),
        ("flows.entropy", ["none", "first", "all"], ["some"]),
        ("flows.recent", ["1", "262144"], ["0", "262145"]),
        ("disk.path", ["/"], ["x"]),
        ("publish.threats.stream", ["weir:threats", "\"\""], ["\"a b\""]),
        ("publish.threats.length", ["1", "100000000"], ["0", "100000001"]),
        ("publish.threats.file", ["\"\"", "/var/log/t.jsonl", "t.jsonl"], ["dir/"]),
        ("publish.threats.size", ["64 KiB", "1024 GiB"], ["65535", "1025 GiB"]),
        ("publish.threats.keep", ["0", "1000"], ["-1", "1001"]),
        ("publish.events.stream", ["ml:network_events", "\"\""], ["\"a b\""]),
        ("publish.events.length", ["1", "100000000"], ["0", "100000001"]),
        ("detect.enabled", ["true", "false"], ["yes", "1", "\"\""]),
        ("detect.scale", ["0.01", "100"], ["0", "101", "nan"]),
        ("detect.incidents.off", ["0.1", "1"], ["0", "1.1"]),
        ("detect.incidents.off_delay", ["1", "86400"], ["0.5", "inf"]),
        ("detect.incidents.hold", ["0", "86400"], ["-1", "86401"]),
        ("detect.incidents.repeat", ["1", "86400"], ["0", "nan"]),
        ("detect.incidents.open", ["1", "4096"], ["0", "4097"]),
        ("detect.incidents.closed", ["1", "4096"], ["0", "4097"]),
        ("record.memory", ["0", "1 GiB"], ["-1", "2 GiB"]), ("record.payload", ["true", "false"], ["no"]),
        (
            "detect.home", ["[]", "[192.0.2.0/24]", "[\"::/0\", 192.0.2.1, 10.0.0.0/8]"],
            ["[192.0.2.0/33]", "[192.0.2.1/24]", "[192.0.2]", "[localhost]", "[192.0.2.0/+8]", "[192.0.2.0/24 22]"]
        ),
        (
            "detect.allow", ["[]", "[192.0.2.0/24]", "[192.0.2.1 22, 10.0.0.0/8 8000-8010, \"2001:db8::/32 443\"]"],
            [
                "[192.0.2.1 0]", "[192.0.2.1 22-21]", "[192.0.2.1 65536]", "[192.0.2.1 ssh]", "[192.0.2.1 22 23]",
                "[192.0.2.1:22]", "[192.0.2.1 1-2-3]", "[\" \"]", "[192.0.2.1/24 22]",
            ]
        ),
    ])
    func rangesHold(key: String, allowed: [String], refused: [String]) throws {
        let setting = try #require(Configuration.settings.first { $0.key == key })
        for value in allowed {
            #expect(try problems("\(key): \(value)") == [], "\(key): \(value)")
        }
        for value in refused {
            let found = try problems("\n\(key): \(value)")
            try #require(found.count == 1, "\(key): \(value)")
            #expect(found[0].key == key)
            #expect(found[0].message.contains(setting.allowed))
            #expect(found[0].origin.hasSuffix(":2"))
        }
    }

    @Test func messagesNameKeyValueRangeAndPlace() throws {
        let text = try problems("publish:\n  interval: 90\n").first?.description ?? ""
        #expect(text.hasSuffix(":2: publish.interval: \"90\" is not allowed; allowed: 0.5 to 60 seconds"))
        let variable = try problems(environment: ["WEIR_SAMPLE_N": "no"]).first?.description
        #expect(variable == "environment variable WEIR_SAMPLE_N: sample.n: \"no\" is not allowed; allowed: 1 to 65536")
        let flag = Configuration.Flag(name: "--redis", key: "redis.url", values: ["redis://me:secret@h:x"])
        let secret = try problems(flags: [flag]).first?.description ?? ""
        #expect(!secret.contains("secret"))
        #expect(secret.hasPrefix("--redis: redis.url is not allowed: the Redis address has no valid port"))
    }

    @Test func whatAStrongerLayerHidesIsCheckedToo() throws {
        let found = try problems("sample:\n  n: 0\n", environment: ["WEIR_SAMPLE_N": "2"])
        #expect(found.map(\.key) == ["sample.n"])
    }

    @Test(arguments: [
        ("publish.intervall", "publish.interval"), ("redis.ulr", "redis.url"), ("dataDir", "data_dir"),
        ("interface", "interfaces"), ("log.levle", "log.level"),
    ])
    func unknownKeysAreErrorsWithASuggestion(key: String, meant: String) throws {
        let found = try problems("\(key): 1\n")
        try #require(found.count == 1)
        #expect(found[0].message == "is not a key; did you mean \(meant)?")
    }

    @Test func unknownVariablesAreErrorsWithASuggestion() throws {
        let found = try problems(environment: ["WEIR_REDIS_URI": "x", "WEIRD": "1", "WEIR_TEST_DATA": "/x"])
        try #require(found.count == 1)
        #expect(found[0].message == "is not a key; did you mean WEIR_REDIS_URL?")
        #expect(try problems("qqqqqqqq: 1").first?.message.contains("did you mean") == false)
    }

    @Test func flowsAreCutAsTheProfileHasItSaveWhereALimitIsSet() throws {
        let standard = Configuration().flows.settings
        var expected = FlowSettings()
        expected.entropy = .first
        #expect(standard == expected && standard.memory == 16 << 20)
        var cic = FlowSettings.cic
        cic.entropy = .first
        #expect(try load("flows: {profile: cic}").configuration.flows.settings == cic)
        let text =
            "flows: {profile: cic, idle: 0.5, active: never, close: 1, interim: 30, memory: 1 MiB, entropy: none}"
        let mixed = try load(text).configuration.flows.settings
        #expect(mixed.profile == .cic && mixed.idle == 500_000_000 && mixed.active == nil)
        #expect(mixed.close == 1_000_000_000 && mixed.interim == 30_000_000_000)
        #expect(mixed.memory == 1 << 20 && mixed.entropy == .none)
    }

    @Test func theFlowFileIsTakenFromTheDataDirectory() throws {
        #expect(Configuration().flowFile == nil)
        let text = "data_dir: /d\npublish: {flows: {file: f}}"
        #expect(try load(text).configuration.flowFile == "/d/f")
        #expect(Configuration().threatFile == nil)
        #expect(try load("data_dir: /d\npublish: {threats: {file: t}}").configuration.threatFile == "/d/t")
        #expect(try load("publish.flows.file: /var/log/f").configuration.flowFile == "/var/log/f")
    }

    @Test func incidentsAndLevelsAreTakenFromTheirKeys() throws {
        let text = """
            detect:
              scale: 0.5
              home: [192.0.2.0/24]
              allow:
                - 198.51.100.7 22-25
                - 2001:db8::/32
              incidents: {off_delay: 0x1p1, hold: 1.5, repeat: 2, open: 3, closed: 4, off: 0.6}
            """
        let detect = try load(text).configuration.detect
        #expect(detect.home == [Prefix(Address(ipv4: 0xC000_0200), .ipv4, bits: 24)])
        #expect(detect.settings.scale == 0.5)
        let v6 = Prefix(Address(high: 0x2001_0DB8 << 32, low: 0), .ipv6, bits: 32)
        let v4 = Prefix(Address(ipv4: 0xC633_6407), .ipv4, bits: 32)
        #expect(detect.settings.allow == [AllowRule(v4, ports: 22...25), AllowRule(v6)])
        let incidents = detect.settings.incidents
        #expect(incidents.offDelay == 2_000_000_000 && incidents.hold == 1_500_000_000)
        #expect(incidents.repeats == 2_000_000_000 && incidents.off == 0.6)
        #expect(incidents.open == 3 && incidents.closed == 4)
    }

    @Test(arguments: [
        ("192.0.2.1/24", "\"192.0.2.1/24\" has bits set behind its length; write 192.0.2.0/24"),
        ("2001:db8::1/32", "\"2001:db8::1/32\" has bits set behind its length; write 2001:db8::/32"),
        ("10.0.0.0/40", "\"10.0.0.0/40\" has no length from 0 to 32 behind its /"),
        ("host.example", "\"host.example\" begins with no address; write 192.0.2.0/24 or 2001:db8::1"),
        (
            "192.0.2.1 http",
            "\"192.0.2.1 http\" has no ports behind its prefix; write one as 22, or a range as 8000-8010"
        ),
    ])
    func aRuleThatCannotBeReadSaysWhy(rule: String, reason: String) throws {
        let found = try problems("detect.allow: [\"\(rule)\"]")
        #expect(found.map(\.key) == ["detect.allow"])
        #expect(found.first?.message.hasPrefix("is not allowed: \(reason); allowed: ") == true, "\(found)")
    }

    @Test func rulesAreWrittenAsTheyAreRead() throws {
        for text in ["192.0.2.0/24", "192.0.2.7 22", "10.0.0.0/8 8000-8010", "::/0", "2001:db8::1 53", "0.0.0.0/0"] {
            #expect(try AllowRule(text: text).text == text)
        }
        #expect(try AllowRule(text: " 192.0.2.7/32   22-22 ").text == "192.0.2.7 22")
    }

    @Test func aPasswordInAServiceURLIsNotQuoted() throws {
        let found = try problems("publish.flows.http: http://u:hunter2@ml/predict/batch")
        #expect(found.count == 1 && !"\(found)".contains("hunter2"))
        #expect(found[0].message.contains("holds a user or a password"))
    }

    @Test func everyProblemIsReported() throws {
        let found = try problems("a: 1\nb: 2\nsample:\n  n: 0\n  snap: 1\n")
        #expect(found.map(\.key) == ["a", "b", "sample.n", "sample.snap"])
    }

    @Test(arguments: [
        "publish: [", "publish: {interval: 2", "a: b: c", "\ta: 1", "- 1\n- 2", "hello", "publish: 2", "publish: [1]",
        "publish:\n  interval: [2]", "publish:\n  interval: {a: 1}", "interfaces: [[eth0]]", "interfaces: [{a: 1}]",
        "data_dir: &a /x", "a: &a 1\nb: *a", "redis: &r {url: redis://h}\nq: *r", "data_dir: !!str /x",
        "sample:\n  n: 1\n  n: 2", "sample: {n: 1}\nsample.n: 2", "sample:\n  n: 1\n---\nsample:\n  n: 2",
        "%YAML 9.9\n---\n", "sample:\n  n: 0x10000000000000000", "? [a]\n: 1", "? {a: 1}\n: 1",
        "{a: {b: {c: {d: {e: 1}}}}}", "sample:\n  n: 'unterminated", "sample:\n  n: \"\\q\"", "x: \u{1}", "x: @y",
        "sample:\nn: 1\n  snap: 2", "\u{0}",
    ])
    func badFilesAreRefusedWithAPlace(text: String) throws {
        let found = try problems(text)
        #expect(!found.isEmpty)
        for problem in found { #expect(problem.origin.hasPrefix("/"), "\(problem)") }
    }

    @Test func aliasBombsAreRefusedAtTheFirstAlias() throws {
        var bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        for level in 1...30 {
            bomb +=
                "a\(level): &a\(level) [" + [String](repeating: "*a\(level - 1)", count: 9).joined(separator: ",")
                + "]\n"
        }
        let found = try problems(bomb)
        #expect(found.map(\.message).contains { $0.contains("anchor") })
    }

    @Test func hugeFilesAreRefusedBeforeParsing() throws {
        let found = try problems(String(repeating: "# comment\n", count: 110_000))
        #expect(found.map(\.message) == ["is larger than 1 MiB, which no configuration is"])
    }

    @Test func whatIsNoFileIsRefusedWithoutWaiting() throws {
        let directory = ConfigurationFile(path: "/tmp")
        #expect(directory.problems.map(\.message) == ["cannot be read: Is a directory"])
        let missing = ConfigurationFile(path: "/nonexistent/weir.yaml")
        #expect(missing.problems.map(\.message) == ["cannot be read: No such file or directory"])
        let pipe = "/tmp/weir-test-\(getpid()).fifo"
        try #require(unsafe mkfifo(pipe, 0o600) == 0)
        defer { unsafe unlink(pipe) }
        #expect(ConfigurationFile(path: pipe).problems.isEmpty)  // no writer: empty, and not hanging
    }

    @Test func emptySectionsLeaveDefaults() throws {
        let loaded = try load("publish:\n  # interval: 3\nlog:\n  file: ~\n  level:\n")
        #expect(loaded.configuration == Configuration())
    }

    @Test func theDocumentationHoldsTheTableOfKeys() throws {
        let path = #filePath.replacing("Tests/SensorTests/ConfigurationTests.swift", with: "docs/configuration.md")
        #expect(try contents(path).contains(Configuration.documentedTable))
    }

    private func contents(_ path: String) throws -> String {
        let descriptor = unsafe open(path, O_RDONLY)
        try #require(descriptor >= 0, "\(path) is missing")
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes[..<max(count, 0)], as: UTF8.self)
    }

    @Test func theDefaultFileNamesEveryKeyWithItsDefault() throws {
        let path = #filePath.replacing("Tests/SensorTests/ConfigurationTests.swift", with: "packaging/weir.yaml")
        #expect(try contents(path) == Configuration.documentedFile)
        let file = ConfigurationFile(path: "x", text: Configuration.documentedFile)
        #expect(file.problems.isEmpty && file.entries.isEmpty, "all of it is comment or empty section")
        let active = Configuration.documentedFile.replacing(#/(?m)^( *)#(?=[a-z])/#) { $0.output.1 }
        let uncommented = ConfigurationFile(path: "x", text: active)
        #expect(uncommented.problems.isEmpty)
        #expect(Set(uncommented.entries.keys) == Set(Configuration.settings.map(\.key)))
    }
}

/// A file that is gone when the value is.
final class TemporaryFile {
    let path: String

    init(_ text: String) throws {
        var template = Array("/tmp/weir-test-XXXXXX".utf8CString)
        let descriptor = unsafe mkstemp(&template)
        try #require(descriptor >= 0)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        let bytes = Array(text.utf8)
        try #require(unsafe write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
    }

    deinit { unsafe unlink(path) }
}
