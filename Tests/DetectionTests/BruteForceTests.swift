import Flows
import Packets
import Testing

@testable import Detection

/// Guessing of passwords, told from ordinary sessions.
@Suite struct BruteForceTests {
    private let host: UInt32 = 0xC000_0201
    private let source: UInt32 = 0xC633_6407

    /// A kind of session, as a client program makes it.
    private struct Kind {
        var port: UInt16
        var requests: UInt32
        var forward: UInt64
        var backward: UInt64
        var length: Double
    }

    // As captured of libssh (hydra), OpenSSH 9.2 and ftp.
    private let failedSSH = Kind(port: 22, requests: 5, forward: 845, backward: 2_123, length: 2.2)
    private let sixGuesses = Kind(port: 22, requests: 11, forward: 1_551, backward: 2_109, length: 8)
    private let remoteCommand = Kind(port: 22, requests: 11, forward: 3_673, backward: 4_017, length: 0.9)
    private let oldRemoteCommand = Kind(port: 22, requests: 10, forward: 1_793, backward: 2_977, length: 0.6)
    private let failedFTP = Kind(port: 21, requests: 3, forward: 25, backward: 137, length: 2)
    private let download = Kind(port: 21, requests: 9, forward: 90, backward: 700, length: 1)

    private func sessions(_ kind: Kind, _ count: Int, every gap: Double, sources: UInt32 = 1) -> ScanTraffic {
        var traffic = ScanTraffic()
        add(kind, count, every: gap, sources: sources, to: &traffic)
        return traffic
    }

    private func add(
        _ kind: Kind,
        _ count: Int,
        every gap: Double,
        sources: UInt32 = 1,
        from start: Double = 0,
        to traffic: inout ScanTraffic
    ) {
        for place in 0..<count {
            traffic.session(
                source + (UInt32(place) % sources) << 8,
                host,
                kind.port,
                at: start + Double(place) * gap,
                sourcePort: UInt16(40_000 + place % 20_000),
                requests: kind.requests,
                forward: kind.forward,
                backward: kind.backward,
                length: kind.length
            )
        }
    }

    @Test func `Twenty failed logins are guessing, at the service, by its name`() throws {
        let detected = sessions(failedSSH, 25, every: 2).detected()
        #expect(detected.classes == ["bruteforce.ssh"])
        let incident = try #require(detected.opened.first)
        #expect(incident.subject == Subject(Address(ipv4: host), .ipv4, port: 22))
        // The twentieth ends at 40.2 s and is told two seconds later.
        #expect(try #require(ScanTraffic.delay(detected)) < 44)
        #expect(incident.worst["guesses of one source"] == 20)
        #expect(incident.topSources.map(\.address) == [Address(ipv4: source)])
        #expect(incident.confidence > 0.9)
    }

    @Test func `Sessions with many guesses count each of them, and those of FTP too`() throws {
        #expect(sessions(sixGuesses, 4, every: 10).detected().classes == ["bruteforce.ssh"])
        #expect(sessions(sixGuesses, 3, every: 10).detected().opened.isEmpty)
        #expect(sessions(failedFTP, 20, every: 2).detected().classes == ["bruteforce.ftp"])
    }

    @Test func `Ordinary sessions, however many, are none`() {
        for kind in [remoteCommand, oldRemoteCommand, download] {
            #expect(sessions(kind, 600, every: 0.5).detected().detection.nearness.isEmpty)
        }
        // A monitor that reads the banner, a mail client that looks every minute for each of ten accounts.
        let banner = Kind(port: 22, requests: 0, forward: 0, backward: 41, length: 0.1)
        let mail = Kind(port: 110, requests: 5, forward: 60, backward: 200, length: 0.3)
        #expect(sessions(banner, 600, every: 1).detected().opened.isEmpty)
        #expect(sessions(mail, 600, every: 6).detected().opened.isEmpty)
        // Requests to a web server.
        let page = Kind(port: 80, requests: 1, forward: 120, backward: 900, length: 0.01)
        #expect(sessions(page, 5_000, every: 0.01).detected().opened.isEmpty)
    }

    @Test func `Who mistypes now and then is none`() {
        #expect(sessions(failedSSH, 200, every: 40).detected().opened.isEmpty)
    }

    @Test func `Sources that take turns are found together`() throws {
        let detected = sessions(failedSSH, 160, every: 2, sources: 40).detected()
        #expect(detected.opened.map(\.threat.name) == ["bruteforce.ssh"])
        let incident = try #require(detected.detection.incidents.closed.first)
        #expect(incident.distinctSources > 20)
        #expect(incident.worst.summary.contains("sources made about"))
    }

    @Test func `A login after the guesses is critical`() throws {
        var traffic = sessions(failedSSH, 25, every: 2)
        let long = Kind(port: 22, requests: 80, forward: 9_000, backward: 60_000, length: 40)
        add(long, 1, every: 1, from: 60, to: &traffic)
        let incident = try #require(traffic.detected().detection.incidents.closed.first)
        #expect(incident.severity == .critical)
        #expect(incident.latest.summary.contains("got in"))
        // One that began before them, and ends after.
        var before = sessions(failedSSH, 25, every: 1)
        add(long, 1, every: 1, from: -1, to: &before)
        #expect(try #require(before.detected().detection.incidents.closed.first).severity == .medium)
    }

    @Test func `One of our own that guesses is the subject`() throws {
        var scene = Scene()
        scene.home = [Prefix(Address(ipv4: source), .ipv4, bits: 32)]
        let detected = sessions(failedSSH, 25, every: 2).detected(DetectionSettings(), scene)
        let incident = try #require(detected.opened.first)
        #expect(incident.subject == Subject(Address(ipv4: source), .ipv4))
        #expect(incident.severity == .high)
    }

    @Test func `Memory is bounded, and what made room is counted`() {
        var settings = BruteForceSettings()
        settings.pairs = 100
        settings.services = 10
        var detector = BruteForceDetector(settings)
        var findings: [Finding] = []
        for window in sessions(failedSSH, 2_000, every: 0.1, sources: 1_000).windows {
            detector.judge(window, Scene(), &findings)
        }
        #expect(detector.turnedAway >= 1_900)
        // Each source made two guesses, but all together far too many.
        #expect(findings.contains { $0.ratio >= 1 })
    }
}
