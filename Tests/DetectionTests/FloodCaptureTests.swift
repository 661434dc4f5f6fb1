import Support
import Testing

@testable import Detection

/// What shared captures are told to be, and why not where they are told to be nothing.
@Suite(.enabled(if: !SharedCapture.all.isEmpty, "no shared captures: set WEIR_TEST_DATA"))
struct FloodCaptureTests {
    /// By file: at half the levels, at the levels, at double.
    private static let attacks: [(name: String, half: Set<String>, one: Set<String>, double: Set<String>)] = [
        // 6,300 devices answer within 25 ms, from two ports.
        (
            "StopDDoS__amp.UDP.bacnet.IOT.37810.pcapng", ["flood.reflection.bacnet", "flood.reflection.dvr"],
            ["flood.reflection.bacnet", "flood.reflection.dvr"], ["flood.reflection.bacnet", "flood.reflection.dvr"]
        ),
        // 9,600 SYNs of as many sources within a second, to a game's port.
        ("StopDDoS__pkt.TCP.DOMINATE.syn.ecn.cwr.pcapng", ["flood.syn"], ["flood.syn"], ["flood.syn"]),
        // 10,000 datagrams within a fifth of a second: 4.7 times the level; 2.3 times are too little for one second.
        ("doup123__udp__flood.pcap", ["flood.udp"], ["flood.udp"], []),
        // All answered, none completed: 5,900 within a second.
        ("evgenii-moriakhin__syn_flood.pcap", ["flood.syn"], ["flood.syn"], ["flood.syn"]),
        // 400 a second for 5 s: twice the level; at double it would have to last for 8 s.
        ("padmavatisb__portscan.pcap", ["flood.syn"], ["flood.syn"], []),
        // 1,000 within 8 ms: 3.7 times the level, or 1.9.
        ("suricata__rsmurf6.pcap", ["flood.icmp"], ["flood.icmp"], []),
        // Not found, each for its reason.
        // 900 packets in 14 minutes.
        ("StopDDoS__amp.TCP.syn.optionallyACK.optionallysamePort.pcapng", [], [], []),
        // At most 161 answers and fragments a second, of 200; at half that for four seconds of the eight.
        ("StopDDoS__amp.dns.RRSIG.fragmented.pcap", [], [], []),
        // 52 SYNs a second that are all refused.
        ("joamontesgi__hoic.pcap", [], [], []),
        // 100 SYNs to 100 addresses: all that there is.
        ("markofu__dosattack.pcap", [], [], []),
    ]

    @Test(arguments: attacks.indices) func `Labelled floods are found, at half and double the levels too`(_ place: Int)
        throws
    {
        let attack = Self.attacks[place]
        let capture = try #require(SharedCapture.all.first { $0.name == "pcap/ddos/\(attack.name)" })
        for (scale, classes) in [(0.5, attack.half), (1, attack.one), (2, attack.double)] {
            var settings = DetectionSettings()
            settings.scale = scale
            #expect(floods(Detected(captures: [capture.path], settings)) == classes, "\(attack.name) at \(scale)")
        }
    }

    @Test(arguments: ["scan", "benign", "protocols", "bruteforce", "dnstunnel", "slowdos", "webattack", "tcpflow"])
    func `What is no flood is told to be none`(_ category: String) {
        let captures = SharedCapture.all.filter { $0.name.hasPrefix("pcap/\(category)/") && $0.packets > 50 }
        #expect(!captures.isEmpty)
        for capture in captures {
            #expect(floods(Detected(captures: [capture.path])).isEmpty, "\(capture.name)")
        }
    }

    private func floods(_ detected: Detected) -> Set<String> { detected.classes.filter { $0.hasPrefix("flood.") } }
}
