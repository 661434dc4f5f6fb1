import Packets
import Support
import Testing

@testable import Detection

/// Scans and guessing in captures of others, and none where there is none.
@Suite(.enabled(if: SharedCapture.directory != nil, "no shared captures: set WEIR_TEST_DATA"))
struct ScanCaptureTests {
    /// What is found in a capture, and why nothing is where that is so.
    private static let labelled: [(file: String, classes: Set<String>)] = [
        ("scan/AustinA__connect15", ["scan.vertical.connect"]),
        ("scan/AustinA__half-open2", ["scan.vertical.syn"]),
        ("scan/AustinA__half-scan-attacker", ["scan.vertical.syn"]),
        ("scan/AustinA__halfopen15", ["scan.vertical.syn"]),
        ("scan/AustinA__null15", ["scan.vertical.null"]),
        ("scan/AustinA__udp-scan", ["scan.vertical.udp"]),
        ("scan/AustinA__xmas-scan-attacker", ["scan.vertical.xmas"]),
        ("scan/AustinA__xmas-scan", ["scan.vertical.xmas"]),
        ("scan/AustinA__xmas15", ["scan.vertical.xmas"]),
        ("scan/dvolkov15__tcp_fin", ["scan.vertical.fin"]),
        ("scan/dvolkov15__tcp_syn", ["scan.vertical.syn"]),
        ("scan/dvolkov15__udp", ["scan.vertical.udp"]),
        // 10 hosts in four hours: below every level. So with the next: 10 hosts, and the capture ends at once.
        ("scan/ncsa__multiport_scan", []),
        ("scan/ncsa__scan_with_zero_windows", []),
        // 7 probes by 5 techniques.
        ("scan/ndpi__tcp_scan", []),
        // Host discovery: ICMP echo and timestamp, one SYN and one ACK to one host, eight times.
        ("scan/scottymace__portscan", []),
        ("scan/tahsin5__nmap", ["scan.vertical.syn"]),
        // Its SYN have the options of an operating system, and what is open is connected to.
        ("scan/tahsin5__traffic_capture", ["scan.vertical.connect"]),
        // Probes of a single port each.
        ("scan/zeek__ntp.ntpmode67", []),
        ("scan/zeek__rfb.vnc-scanner", []),
        // 7 sessions with one guess each.
        ("bruteforce/joy__kali-password-attack_hydra", []),
        ("bruteforce/zeek__ftp.bruteforce", ["bruteforce.ftp"]),
        ("bruteforce/zeek__ssh.sshguess", ["bruteforce.ssh"]),
    ]

    private static func isOurs(_ name: String) -> Bool { name.hasPrefix("scan.") || name.hasPrefix("bruteforce.") }

    private static func classes(_ capture: SharedCapture) -> Set<String> {
        Detected(captures: [capture.path]).classes.filter(isOurs)
    }

    private static func captures(_ folder: String) -> [SharedCapture] {
        SharedCapture.all.filter { $0.name.hasPrefix("pcap/\(folder)/") }
    }

    @Test func `Every labelled capture shows what is in it`() {
        let captures = Self.captures("scan") + Self.captures("bruteforce")
        #expect(captures.count == Self.labelled.count)
        for capture in captures {
            let row = Self.labelled.first { capture.name.hasPrefix("pcap/\($0.file).") }
            #expect(row?.classes == Self.classes(capture), "\(capture.name)")
        }
    }

    @Test func `The evidence of a scan can be checked`() throws {
        let capture = try #require(SharedCapture.all.first { $0.name == "pcap/scan/dvolkov15__tcp_syn.pcap" })
        let incident = try #require(Detected(captures: [capture.path]).opened.first)
        #expect(incident.subject.description == "10.173.4.13")
        #expect(incident.topSources.map { $0.address.text(as: $0.family) } == ["10.173.4.11"])
        // nmap's 1,000 ports, counted to a tenth.
        let targets = try #require(incident.worst["targets of that source since it began"])
        #expect((900...1_100).contains(targets))
        #expect(!incident.worst.samples.isEmpty && incident.worst.samples.count <= 20)
        #expect(incident.worst.summary.contains("open: 21, 22, 23, 25, 53, 80, 111, 139, ..."))
    }

    @Test(arguments: [
        "benign", "protocols", "ddos", "slowdos", "dnstunnel", "webattack", "entropy", "fragments", "tcpflow", "tunnel",
    ])
    func `No other capture shows a scan or guessing`(_ folder: String) {
        let captures = Self.captures(folder)
        #expect(!captures.isEmpty)
        for capture in captures { #expect(Self.classes(capture).isEmpty, "\(capture.name)") }
    }
}
