import Packets
import Support
import Testing

@testable import Detection

/// What needs payload, on the shared captures.
@Suite(.enabled(if: SharedCapture.directory != nil, "the shared captures are absent (WEIR_TEST_DATA)"))
struct PayloadCaptureTests {
    private static func named(_ name: String) throws -> SharedCapture {
        try #require(SharedCapture.all.first { $0.name == "pcap/" + name })
    }

    private func isOurs(_ threat: ThreatClass) -> Bool {
        if case .slow = threat { return true }
        return threat == .dnsTunnel
    }

    private func classes(_ name: String) throws -> Set<String> {
        let detected = Detected(captures: [try Self.named(name).path])
        return Set(detected.opened.map(\.threat).filter(isOurs).map(\.name))
    }

    @Test func `slowhttptest's slow heads are found, and become critical`() throws {
        let detected = Detected(captures: [try Self.named("slowdos/joamontesgi__slowhttptest.pcap").path])
        let incident = try #require(detected.opened.first { isOurs($0.threat) })
        #expect(detected.opened.filter { isOurs($0.threat) }.map(\.threat) == [.slow(.headers)])
        #expect(incident.subject.description == "192.168.1.3:80")
        let worst = try #require(detected.events.last { $0.incident.id == incident.id }).incident
        #expect(worst.severity == .critical)
        #expect((worst.worst["connections held"] ?? 0) > 200)
        #expect(worst.topSources.first?.address.text(as: .ipv4) == "192.168.1.5")
    }

    /// Seven connections, of which one is left open: no attack, whatever its name.
    @Test func `One open head is told as a tenth of the level`() throws {
        let detected = Detected(captures: [try Self.named("slowdos/doup123__slowloris.pcap").path])
        #expect(detected.opened.filter { isOurs($0.threat) }.isEmpty)
        #expect(detected.detection.nearness[.slow(.headers)]?.highest == 0.1)
    }

    @Test(arguments: [
        ("dnstunnel/ggyggy666__dns2tcp-key_00002_20230905100101.pcap", "192.168.68.114", "ggy666.tk"),
        ("dnstunnel/ndpi__dns-tunnel-iodine.pcap", "10.0.2.30", "pirate.sea"),
        ("dnstunnel/sbousseaden__cmds_over_dns_txt_queries_and_reponses.pcap", "192.168.100.121", "ostrykebs.pl"),
    ])
    func `Tunnels are found with client and domain`(capture: String, client: String, domain: String) throws {
        let detected = Detected(captures: [try Self.named(capture).path])
        let incident = try #require(detected.opened.first { $0.threat == .dnsTunnel })
        #expect(detected.opened.filter { isOurs($0.threat) }.allSatisfy { $0.threat == .dnsTunnel })
        #expect(incident.subject.description == client)
        #expect(incident.worst.summary.contains("below \(domain) "))
    }

    /// A thousand domains, one after the other; DNS within HTTPS, which nobody can read; a tunnel in ICMP.
    @Test(arguments: [
        "ggyggy666__normal_00067_20230806152800.pcap", "ndpi__dns2tcp_tunnel.pcap", "ndpi__icmp-tunnel.pcap",
    ])
    func `Of these nothing is told`(name: String) throws { #expect(try classes("dnstunnel/" + name).isEmpty) }

    @Test func `Benign captures are silent, and come nowhere near`() throws {
        let captures = SharedCapture.all.filter {
            $0.name.hasPrefix("pcap/benign/") || $0.name.hasPrefix("pcap/protocols/")
        }
        #expect(captures.count > 400)
        for capture in captures {
            let detected = Detected(captures: [capture.path])
            let near = detected.detection.nearness.filter { isOurs($0.key) && $0.value.highest >= 0.5 }
            #expect(near.isEmpty, "\(capture.name)")
        }
    }
}
