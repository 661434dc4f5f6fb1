import FoundationEssentials
import Packets
import Support
import Testing

/// Captures of tunnels, and what other tools found inside.
@Suite(.enabled(if: Captures.folder != nil, "no captures: set WEIR_TEST_DATA to the folder that holds pcap/"))
struct TunnelCaptureTests {
    /// tshark counts the conversations of every layer. It differs where a capture is read by more or other rules:
    static let differsFromTshark = [
        "ddos/StopDDoS__amp.dns.RRSIG.fragmented.pcap": "it puts fragments together",
        "tunnel/zeek__tunnels.ayiya3.pcap": "AYIYA is not read",
        "tunnel/zeek__tunnels.gre-aruba-amsdu.pcap": "aggregates (A-MSDU) are not read",
        "tunnel/zeek__tunnels.vxlan-triple-v2.pcap": "tunnels between the outermost and the innermost are not counted",
    ]

    @Test func conversationsOfTshark() throws {
        let oracle = try Conversations.all()
        var (compared, withTunnels) = (0, 0)
        for row in try Captures.manifest() where row.bytes < 4_000_000 {
            guard let expected = oracle[row.file] else { continue }
            let found = try Layers(of: row.file)
            guard found.insides > 0 || found.hasOtherLink || row.category == "tunnel" else { continue }
            let both = found.outer.union(found.inner)
            let same = both.count(of: .tcp) == expected.tcp && both.count(of: .udp) == expected.udp
            let reason = Self.differsFromTshark[String(row.file.dropFirst("pcap/".count))]
            #expect(same == (reason == nil), "\(row.file): \(reason ?? "no reason to differ")")
            compared += 1
            withTunnels += found.insides > 0 ? 1 : 0
        }
        #expect(withTunnels > 30)
        print("compared the conversations of \(compared) captures with tshark's, \(withTunnels) of them with tunnels")
    }

    /// Zeek's connections with a parent are those inside tunnels.
    @Test(arguments: [
        ("core.erspanI", "zeek__erspanI.pcap"), ("core.erspanII", "zeek__erspanII.pcap"),
        ("core.erspanIII", "zeek__erspanIII.pcap"),
        ("core.tunnels.analyzer-confirmation", "zeek__tunnels.vxlan-encapsulated-http.pcap"),
        ("core.tunnels.vxlan", "zeek__tunnels.vxlan.pcap"), ("core.tunnels.geneve", "zeek__tunnels.geneve.pcap"),
        ("core.tunnels.geneve-ipv6", "zeek__tunnels.geneve-ipv6.pcap"),
        ("core.tunnels.gre-over-udp", "zeek__tunnels.gre-over-udp-4754.pcap"),
        ("core.tunnels.gre-pptp", "zeek__tunnels.gre-pptp.pcap"),
        ("core.tunnels.gtp.different_dl_and_ul", "zeek__tunnels.gtp.gtp2_different_udp_port.pcap"),
        ("core.tunnels.gtp.false_gtp", "zeek__tunnels.gtp.gtp3_false_gtp.pcap"),
        ("core.tunnels.gtp.inner_ipv6", "zeek__tunnels.gtp.gtp7_ipv6.pcap"),
        ("core.tunnels.gtp.outer_ip_frag", "zeek__tunnels.gtp.gtp1_gn_normal_incl_fragmentation.pcap"),
    ])
    func connectionsOfZeek(log: String, capture: String) throws {
        let expected = try Connection.ofZeek(log).filter(\.isInside).map(\.ends)
        let found = try Layers(of: "pcap/tunnel/" + capture)
        #expect(found.innerEnds == Set(expected))
    }

    /// Where the server's port of Teredo is not used, only state could tell; Zeek keeps it, the decoder does not.
    /// Bubbles, which carry nothing, are no connections of Zeek's.
    @Test(arguments: ["Teredo", "teredo_bubble_with_payload"])
    func teredoOfZeek(name: String) throws {
        let expected = try Connection.ofZeek("core.tunnels." + name.lowercased()).filter(\.isInside).map(\.ends)
        let found = try Layers(of: "pcap/tunnel/zeek__tunnels.\(name).pcap").innerEnds
        let connections = found.filter { !$0.description.hasPrefix("other") }
        #expect(connections.count == 3)
        #expect(connections.isSubset(of: expected))
    }

    @Test(arguments: [
        ("ppp", "zeek__ppp.quic-interop-retry.pcap"), ("pppoe", "zeek__pppoe.pcap"), ("wlanmon", "zeek__wlanmon.pcap"),
        ("radiotap", "zeek__radiotap.pcap"),
    ])
    func linksOfZeek(log: String, capture: String) throws {
        let expected = try Connection.ofZeek("core." + log).map(\.ends)
        #expect(try Layers(of: "pcap/linktype/" + capture).innermostEnds == Set(expected))
    }

    /// nDPI looks into GTP and GRE; its flows are those of the innermost packets.
    @Test(arguments: [
        "benign/ndpi__false_positives.pcapng", "benign/ndpi__tls_change_cipher.pcap", "tunnel/ndpi__gre.pcapng",
        "tunnel/ndpi__ipv6_in_gtp.pcap", "malformed/ndpi__reasm_segv_anon.pcapng",
    ])
    func flowsOfNDPI(capture: String) throws {
        let name = capture.split(separator: "__").last.map(String.init) ?? ""
        let expected = try Connection.ofNDPI(name)
        let found = try Layers(of: "pcap/" + capture)
        #expect(!expected.isEmpty)
        #expect(found.innermostEnds == Set(expected.map(\.ends)))
        #expect(found.innerEnds == Set(expected.filter(\.isInside).map(\.ends)))
    }
}

// MARK: - What was found

/// The ends of one flow as text, the smaller first; without ports where the protocol has none.
private struct Ends: Hashable, CustomStringConvertible {
    let description: String

    init(transport: String, _ ends: [(address: String, port: String)]) {
        let hasPorts = transport == "tcp" || transport == "udp"
        description =
            ([transport] + ends.map { hasPorts ? "\($0.address) \($0.port)" : $0.address }.sorted()).joined(
                separator: " "
            )
    }

    init(_ packet: Packet) {
        self.init(
            transport: "\(packet.transport)",
            [
                (packet.source.text(as: packet.family), "\(packet.sourcePort)"),
                (packet.destination.text(as: packet.family), "\(packet.destinationPort)"),
            ]
        )
    }
}

/// The flows of a capture, read outside and inside.
private struct Layers {
    private(set) var outer: Set<FiveTuple> = []
    private(set) var inner: Set<FiveTuple> = []
    private(set) var innerEnds: Set<Ends> = []
    /// Of each frame the innermost, be it in a tunnel or not.
    private(set) var innermostEnds: Set<Ends> = []
    /// Frames with a tunnel.
    private(set) var insides = 0
    /// Whether frames begin with PPP, PPPoE, HDLC or 802.11.
    private(set) var hasOtherLink = false

    init(of file: String) throws {
        try Captures.forEachFrame(of: file) { bytes, wireLength, link in
            var packet = decode(bytes, link: LinkType(number: link), wireLength: wireLength)
            if [9, 50, 51, 104, 105, 127].contains(link) { hasOtherLink = true }
            if packet.hasPorts { outer.insert(FiveTuple(packet)) }
            packet.decodeInner(unsafe bytes.span.bytes)
            if packet.family != .other { innermostEnds.insert(Ends(packet)) }
            guard packet.tunnelDepth > 0 else { return }
            insides += 1
            innerEnds.insert(Ends(packet))
            if packet.hasPorts { inner.insert(FiveTuple(packet)) }
        }
    }
}

extension Set<FiveTuple> {
    fileprivate func count(of transport: Transport) -> Int { count { $0.transport == transport } }
}

// MARK: - What others found

private struct Conversations {
    let tcp: Int
    let udp: Int

    static func all() throws -> [String: Conversations] {
        let lines = try oracle("tshark/conversations.tsv").dropFirst()
        return lines.reduce(into: [:]) { all, line in
            let fields = line.split(separator: "\t")
            guard fields.count > 2, let tcp = Int(fields[1]), let udp = Int(fields[2]) else { return }
            all[String(fields[0])] = Conversations(tcp: tcp, udp: udp)
        }
    }
}

private struct Connection {
    let ends: Ends
    let isInside: Bool

    static func ofZeek(_ log: String) throws -> [Connection] {
        var names: [Substring] = []
        return try oracle("zeek/\(log).conn.log").compactMap { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            if fields.first == "#fields" { names = Array(fields.dropFirst()) }
            guard !line.hasPrefix("#") else { return nil }
            func field(_ name: String) -> String {
                names.firstIndex { $0 == name }.map { String(fields[$0]) } ?? ""
            }
            let ends = [
                (field("id.orig_h"), field("id.orig_p")), (field("id.resp_h"), field("id.resp_p")),
            ]
            return Connection(ends: Ends(transport: field("proto"), ends), isInside: field("tunnel_parents") != "-")
        }
    }

    /// A flow is a line such as `	1	UDP 10.0.0.1:5 <-> [fd00::1]:6 [VLAN: 2][proto: GTP:87/RTP]...`.
    static func ofNDPI(_ capture: String) throws -> [Connection] {
        try oracle("ndpi/\(capture).out").compactMap { line in
            let words = line.drop { $0 == "\t" || $0.isNumber }.split(separator: " ")
            guard line.hasPrefix("\t"), words.count > 4, words[2] == "->" || words[2] == "<->" else { return nil }
            let ends = [words[1], words[3]].map { word in
                let parts = word.split(separator: ":")
                let address = word.dropLast((parts.last?.count ?? 0) + 1).filter { $0 != "[" && $0 != "]" }
                return (address: String(address), port: String(parts.last ?? ""))
            }
            let transport = words[0].lowercased()
            let known = ["tcp", "udp"].contains(transport) ? transport : transport.hasPrefix("icmp") ? "icmp" : "other"
            let isInside = line.contains("proto: GTP:") || line.contains("proto: GRE:")
            return Connection(ends: Ends(transport: known, ends), isInside: isInside)
        }
    }
}

private func oracle(_ file: String) throws -> [Substring] {
    try String(contentsOfFile: (Captures.folder ?? "") + "/oracle/" + file, encoding: .utf8).split(separator: "\n")
}
