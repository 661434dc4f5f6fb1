import Detection
import Reports
import Support
import Testing

struct ReportTests {
    @Test("Every field, its order, unit and digits")
    func document() {
        var report = report()
        report.cgroup = CgroupLimits(path: "/system.slice/weir.service", memoryLimit: 134_217_728, cpuLimit: 1.5)
        let expected = #"""
            {"networkSpeeds":[{"timestamp":"2025-12-08T10:30:00.000Z","download":85.5,"upload":23.2}],
            "systemMetrics":{"cpu":{"usage":45.2,"cores":8,"processes":203},
            "memory":{"used":8.5,"total":16,"available":7.5},
            "disk":{"used":450,"total":1000,"readSpeed":120.5,"writeSpeed":85.3}},
            "openPorts":[{"port":22,"protocol":"TCP","service":"SSH","program":"sshd","status":"open","risk":"medium",
            "riskReason":"port 22 is medium; open to every address","riskByPort":"medium",
            "addresses":["0.0.0.0","::"],"pid":812,"unit":"ssh.service",
            "traffic":{"in":{"packets":4,"bytes":320},"out":{"packets":3,"bytes":240}}}],
            "isConnected":true,"lastUpdate":"2025-12-08T10:30:00.000Z","schema":1,"interfaces":[],
            "ledger":{"offered":10,"skipped":4,"kept":6,"dropped":1,"read":5,"decoded":3,"malformed":1,"shed":1,
            "residue":0},"threats":[],"sampling":{"n":1,"state":"normal"},"udpPorts":[],
            "cgroup":{"path":"/system.slice/weir.service","memoryLimit":134217728,"cpuLimit":1.5}}
            """#
        #expect(text(report.json()) == expected.split(separator: "\n").joined())
    }

    @Test("The clients' rules hold", .enabled(if: ClientRules.isAvailable, "needs python3"))
    func clientRules() {
        let full = report(
            points: points(30),
            ports: [port(443), port(22), port(3389, risk: .high)],
            udpPorts: [port(53, .udp), port(5353, .udp)],
            interfaces: [interface(2), interface(3)],
            threats: openThreats(3)
        )
        #expect(ClientRules.violations(of: full.json()) == [])
        #expect(ClientRules.violations(of: report(points: [], ports: []).json()) == [])
        var stopped = report()
        stopped.isConnected = false
        #expect(ClientRules.violations(of: stopped.json(), isConnected: false) == [])
    }

    @Test("The rules are able to fail", .enabled(if: ClientRules.isAvailable, "needs python3"))
    func rulesCanFail() {
        let good = text(report(points: points(2), ports: [port(22)]).json())
        for (part, other) in [
            ("\"usage\":45.2", "\"usage\":null"), ("\"used\":8.5", "\"used\":\"8.5\""),
            ("\"total\":16", "\"total\":16.0"),
            ("\"usage\":45.2", "\"usage\":NaN"), ("00.000Z", "00.0Z"), ("00.000Z", "00.000+00:00"),
            ("\"openPorts\":[", "\"openPorts\":null,\"x\":["), ("\"upload\":23.2", "\"upload\":23.201"),
            ("\"risk\":\"low\"", "\"risk\":null"), ("\"schema\":1", "\"schema\":2"),
        ] {
            let bad = Array(good.replacing(part, with: other).utf8)
            #expect(!ClientRules.violations(of: bad).isEmpty, "\(part) -> \(other)")
        }
    }

    @Test("What is not a number never gets out", .enabled(if: ClientRules.isAvailable, "needs python3"))
    func extremes() {
        var report = report(points: [
            SpeedPoint(time: noon, download: .nan, upload: .infinity),
            SpeedPoint(time: WallTime(nanoseconds: .max), download: -1, upload: 1e300),
        ])
        report.metrics.cpuUsage = .nan
        report.metrics.diskReadRate = -.infinity
        report.metrics.memoryAvailable = .max
        report.metrics.diskTotal = .max
        report.time = WallTime(nanoseconds: .min)
        #expect(ClientRules.violations(of: report.json()) == [])
    }

    @Test("Names that strangers choose stay harmless", .enabled(if: ClientRules.isAvailable, "needs python3"))
    func nastyNames() {
        let broken = String(decoding: [0x66, 0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0x00, 0x1b, 0x5b], as: UTF8.self)
        let names = [
            "</script><b>", "a\"b\\c\n\r\t", "\u{1B}[31m\u{9B}", "\u{2028}\u{2029}", broken, "&amp;", "日本 🦫", "",
        ]
        let ports = names.enumerated().map { port(UInt16($0 + 1), program: $1) }
        let document = report(ports: ports).json()
        #expect(ClientRules.violations(of: document) == [])
        #expect(!document.contains { $0 < 0x20 || $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: "&") })
        #expect(!text(document).contains("\u{2028}"))
    }
}

struct ReportSizeTests {
    @Test("Too much of everything is cut in the order told", .enabled(if: ClientRules.isAvailable, "needs python3"))
    func everything() {
        let nasty = String(repeating: "\u{1}", count: 500)
        var ports = (1...10_000).map { port(UInt16($0), risk: .low, program: nasty) }
        for index in stride(from: 9, to: 10_000, by: 500) { ports[index].risk = .high }
        let udp = (1...10_000).map { port(UInt16($0), .udp, risk: .medium, program: nasty) }
        let large = report(
            points: points(3_600),
            ports: ports,
            udpPorts: udp,
            interfaces: (1...2_000).map { interface($0) }
        )
        let document = large.json()
        #expect(document.count <= 65_536)
        #expect(document.count > 63_000, "room is left unused: \(document.count)")
        #expect(ClientRules.violations(of: document) == [])
        let text = text(document)
        for total in [
            #""networkSpeedsTotal":3600"#, #""interfacesTotal":2000"#, #""openPortsTotal":10000"#,
            #""udpPortsTotal":10000"#,
        ] { #expect(text.contains(total)) }
        #expect(text.ranges(of: #""download""#).count == 30, "30 points stay, whatever else is cut")
        #expect(text.contains(#""interfaces":[]"#), "interfaces go before ports")
        #expect(text.ranges(of: #""risk":"high""#).count == 20, "the highest risks stay")
        #expect(text.ranges(of: #""risk":"low""#).isEmpty)
    }

    @Test("Nothing is cut that fits, and then no total is shown")
    func fits() {
        let text = text(report(points: points(60), ports: (1...40).map { port($0) }, interfaces: [interface(1)]).json())
        #expect(text.ranges(of: #""download""#).count == 60)
        #expect(!text.contains("Total"))
    }

    @Test("Only points are cut while that is enough, the oldest first")
    func pointsFirst() {
        let text = text(report(points: points(900), interfaces: [interface(1)]).json())
        let shown = text.ranges(of: #""download""#).count
        #expect(shown > 30 && shown < 900)
        #expect(text.contains(#""networkSpeedsTotal":900"#) && !text.contains("interfacesTotal"))
        #expect(text.contains(#""download":899.12"#) && !text.contains(#""download":0.12,"#))
    }

    @Test("Twenty threats are shown, the newest, and go last when room is short")
    func threats() {
        let few = report(threats: openThreats(20))
        #expect(text(few.json()).ranges(of: #""evidence_url""#).count == 20)
        #expect(!text(few.json()).contains("threatsTotal"))
        let many = text(report(threats: openThreats(21)).json())
        #expect(many.ranges(of: #""evidence_url""#).count == 20 && many.contains(#""threatsTotal":21"#))
        #expect(many.contains(#""dest_ip":"192.0.2.20""#) && !many.contains(#""dest_ip":"192.0.2.0""#))

        // Six bytes each.
        let nasty = String(repeating: "\u{1}", count: 200)
        let wordy = openThreats(20) { $0.summary = nasty }
        let ports = (1...1_000).map { port(UInt16($0), risk: .high) }
        let full = report(ports: ports, interfaces: (1...9).map { interface($0) }, threats: wordy).json()
        #expect(full.count <= Report.sizeLimit && full.count > 63_000)
        #expect(text(full).ranges(of: #""evidence_url""#).count == 20, "ports go before threats")
        #expect(text(full).contains(#""interfaces":[]"#) && text(full).contains(#""openPortsTotal":1000"#))
        let nastier = String(repeating: "\u{1}", count: 500)
        let wordier = openThreats(20) { ($0.summary, $0.advice) = (nastier, nastier) }
        let cut = text(report(ports: ports, threats: wordier).json())
        let shown = cut.ranges(of: #""evidence_url""#).count
        #expect(cut.utf8.count <= Report.sizeLimit && shown < 20 && shown > 5, "\(shown)")
        #expect(cut.contains(#""openPorts":[]"#) && cut.contains(#""threatsTotal":20"#))
        #expect(cut.contains(#""dest_ip":"192.0.2.19""#), "the newest stay")
    }

    @Test("Many rows that cannot fit cost no more than some milliseconds")
    func everyPort() {
        let ports = (1...65_535).map { port(UInt16($0)) }
        let large = report(ports: ports, udpPorts: ports)
        let clock = ContinuousClock()
        var size = 0
        let time = clock.measure { size = large.json().count }
        print("65,535 ports: \(size) bytes in \(time)")
        #expect(size <= 65_536)
    }
}
