import Glibc
import Packets
import Support
import Testing

@testable import Flows

/// Flows and their packets against what other tools made of the same captures. A capture on which they differ stands in a
/// table with the rule that explains it; one that stands there and does not differ fails as well.
@Suite(.enabled(if: !Oracle.all.isEmpty, "no shared captures: set WEIR_TEST_DATA"))
struct FlowOracleTests {
    enum Rule {
        /// The other tool tells of the inside of a tunnel, as Weir does where it is told to: held to agree then.
        case tunnel
        /// The other tool counts what is around a tunnel beside what is in it, or all tunnels of several.
        case around
        /// The other tool reads a link type, a header behind it, or a tunnel that Weir counts as unknown.
        case unknown
        /// Fragments that never become whole are dropped there, or counted as packets with ports they do not have. Here a
        /// first fragment counts to its flow, and later ones with it or, without a first, apart.
        case fragment
        /// Broken on purpose, or more headers than are read: tools differ in what of it they believe.
        case malformed
        /// An IP length of 0, as the sender's host sees what its card will cut: malformed to Weir and its kernel half.
        case lengthOf0
        /// The other tool drops packets that the capture has cut.
        case snapped
        /// The other tool starts a new stream where a TCP connection is opened again on the same ports.
        case reuse
        /// The other tool takes the packet that came later, by its content, for the request.
        case turned
    }

    static func settings(idle: Int64? = nil, active: Int64? = nil) -> FlowSettings {
        var settings = FlowSettings()
        settings.idle = idle
        settings.active = active
        settings.close = nil
        settings.interim = nil
        settings.memory = 24 << 20
        return settings
    }

    static func flows(_ frames: [CapturedFrame], inner: Bool) -> [PlainFlow] {
        FlowRun(frames, settings(), inner: inner).flows.map { PlainFlow($0) }.sorted()
    }

    /// Files that differ, and no others, must be in the table.
    private static func hold(_ differing: [String: String], _ rules: [String: Rule], _ tool: String) {
        for (file, what) in differing.sorted(by: { $0.key < $1.key }) where rules[file] == nil {
            Issue.record("\(tool): \(file) is not explained: \(what)")
        }
        for file in rules.keys.sorted() where differing[file] == nil {
            Issue.record("\(tool): \(file) has a rule and does not differ")
        }
    }

    // MARK: nDPI

    static let rulesOfNDPI: [String: Rule] = [
        "pcap/benign/ndpi__false_positives.pcapng": .tunnel,  // GTP-U
        "pcap/benign/ndpi__line.pcap": .lengthOf0,
        "pcap/benign/ndpi__rsh-syslog-false-positive.pcap": .snapped,
        "pcap/benign/ndpi__someip_sd_sample.pcap": .unknown,  // PPI
        "pcap/benign/ndpi__syslog.pcap": .tunnel,  // PPPoE, 6in4
        "pcap/benign/ndpi__tls_change_cipher.pcap": .tunnel,  // GTP-U
        "pcap/malformed/ndpi__fuzz-2006-09-29-28586.pcap": .malformed,
        "pcap/malformed/ndpi__fuzz-2021-06-07-c6c72a0a56.pcap": .malformed,
        "pcap/malformed/ndpi__fuzz-2021-10-13.pcap": .malformed,
        "pcap/malformed/ndpi__ip_fragmented_garbage.pcap": .fragment,
        "pcap/malformed/ndpi__reasm_segv_anon.pcapng": .tunnel,  // GTP-U
        "pcap/tunnel/ndpi__4in4tunnel.pcap": .tunnel,
        "pcap/tunnel/ndpi__gre.pcapng": .tunnel,
        "pcap/tunnel/ndpi__ipv6_in_gtp.pcap": .tunnel,
    ]

    @Test func countsOfNDPI() {
        var (files, agreeing, plainly, packets, inside) = (0, 0, 0, 0, 0)
        var differing: [String: String] = [:]
        for oracle in Oracle.of("ndpiReader") {
            guard let frames = SharedCapture.named(oracle.capture)?.frames() else { continue }
            let expected = PlainFlow.ofNDPI(oracle.text)
            let outer = Self.flows(frames, inner: false)
            let inner = Self.flows(frames, inner: true)
            files += 1
            if outer.count == expected.count { agreeing += 1 }
            if inner.count == expected.count { inside += 1 }
            if PlainCount(frames).packets.count == expected.count { plainly += 1 }
            if outer == expected {
                packets += 1
            } else {
                let what = "\(expected.count) for \(outer.count), inside \(inner.count) \(inner == expected);"
                let mine = Set(outer).subtracting(expected).sorted().prefix(3).map { "\($0)" }
                let theirs = Set(expected).subtracting(outer).sorted().prefix(3).map { "\($0)" }
                differing[oracle.capture] = "\(what) mine \(mine), theirs \(theirs)"
            }
            if Self.rulesOfNDPI[oracle.capture] == .tunnel { #expect(inner == expected, "\(oracle.capture)") }
        }
        print("nDPI: of \(files) captures \(agreeing) have as many flows, \(packets) also the same packets each way;")
        print("nDPI: \(inside) with tunnels entered; a plain count of outer 5-tuples \(plainly)")
        #expect(files > 250)
        #expect(max(agreeing, inside) >= plainly)
        Self.hold(differing, Self.rulesOfNDPI, "nDPI")
    }

    // MARK: nfstream

    static let rulesOfNFStream: [String: Rule] = ["pcap/malformed/ndpi__badpackets.pcap": .malformed]

    /// Idle 120 s, active 1800 s, tunnels entered.
    @Test func countsOfNFStream() {
        var (files, flows) = (0, 0)
        var differing: [String: String] = [:]
        for oracle in Oracle.of("nfstream") {
            guard let frames = SharedCapture.named(oracle.capture)?.frames() else { continue }
            let expected = Oracle.rows(of: oracle.file, separator: ",").map {
                "\($0["bidirectional_packets"] ?? "") packets, \($0["bidirectional_bytes"] ?? "") bytes"
            }.sorted()
            let settings = Self.settings(idle: 120_000_000_000, active: 1_800_000_000_000)
            let found = FlowRun(frames, settings, inner: true).flows.map {
                "\($0.features.packets) packets, \($0.forward.bytes + $0.backward.bytes) bytes"
            }.sorted()
            files += 1
            if found == expected {
                flows += found.count
            } else {
                let mine = Set(found).subtracting(expected).sorted().prefix(3)
                let theirs = Set(expected).subtracting(found).sorted().prefix(3)
                differing[oracle.capture] = "\(found.count) for \(expected.count); mine \(mine), theirs \(theirs)"
            }
        }
        print(
            "nfstream: \(files - differing.count) of \(files) captures agree in all packets and bytes of \(flows) flows"
        )
        #expect(files > 80)
        Self.hold(differing, Self.rulesOfNFStream, "nfstream")
    }

    private static let googleSSL = SharedCapture.directory.map { $0 + "/pcap/benign/nfstream__google_ssl.pcap" } ?? ""

    /// The numbers that nfstream's own test (test_statistical, of IP bytes) holds for the capture of that name. It counts
    /// whole milliseconds.
    @Test(.enabled(if: unsafe access(googleSSL, R_OK) == 0, "nfstream's google_ssl.pcap is not among the captures"))
    func statisticsOfNFStream() throws {
        let frames = try #require(CapturedFrame.all(of: Self.googleSSL))
        let flow = try #require(FlowRun(frames, Self.settings()).flows.first)
        let features = flow.features
        #expect(flow.initiatorPort == 42_835 && flow.responderPort == 443)
        #expect([features.forward.packets, features.backward.packets] == [16, 12])
        #expect(features.first / 1_000_000 == 1_434_443_394_683 && features.last / 1_000_000 == 1_434_443_401_353)
        let bytes = [features.forward, features.backward].map { $0.lengths.sum + $0.headerBytes + 20 * $0.packets }
        #expect(bytes == [1288, 7408])
        let values = features.values(.corrected)
        let named = Dictionary(uniqueKeysWithValues: FlowFeatures.names.enumerated().map { ($1, values[$0]) })
        let times: [(String, Double)] = [
            ("Flow Duration", 6670), ("Flow IAT Mean", 247.037), ("Flow IAT Std", 324.045), ("Flow IAT Max", 995),
            ("Flow IAT Min", 0), ("Fwd IAT Mean", 444.666), ("Fwd IAT Std", 397.603), ("Fwd IAT Max", 1185),
            ("Fwd IAT Min", 76), ("Bwd IAT Mean", 599.181), ("Bwd IAT Std", 384.784), ("Bwd IAT Max", 1213),
            ("Bwd IAT Min", 66),
        ]
        for (name, expected) in times { #expect(abs((named[name] ?? -1) / 1000 - expected) < 1, "\(name)") }
        let counts: [(String, Double)] = [
            ("SYN Flag Count", 2), ("ACK Flag Count", 27), ("PSH Flag Count", 8), ("FIN Flag Count", 2),
            ("RST Flag Count", 0), ("URG Flag Count", 0), ("CWR Flag Count", 0), ("ECE Flag Count", 0),
            ("Fwd PSH Flags", 4), ("Bwd PSH Flags", 4),
        ]
        for (name, expected) in counts { #expect(named[name] == expected, "\(name)") }
        // Sizes of IP packets: at most 16 of them are kept one by one.
        let ends = frames.map(\.packet).map { Int($0.ipLength) }
        #expect(ends.min() == 40 && ends.max() == 1470)
        #expect((0..<16).allSatisfy { abs(Int(flow.opening.sizes[$0])) == ends[$0] })
    }

    // MARK: tshark

    static let rulesOfTshark: [String: Rule] = [
        "pcap/ddos/StopDDoS__amp.TCP.syn.optionallyACK.optionallysamePort.pcapng": .reuse,
        // And datagrams of which a fragment is missing are none there.
        "pcap/ddos/StopDDoS__amp.dns.RRSIG.fragmented.pcap": .reuse,
        "pcap/ddos/joamontesgi__hoic.pcap": .reuse,
        "pcap/fragments/zeek__ipv4.fragmented-3.pcap": .fragment,
        "pcap/linktype/arkime__nflog.pcap": .unknown,
        "pcap/linktype/libpcap__AH-IPcomp-IPv6.pcap": .tunnel,
        "pcap/linktype/libpcap__arcnet-rfc1201-arp-icmp-http.pcap": .unknown,
        "pcap/linktype/libpcap__geneve.pcap": .around,
        "pcap/linktype/libpcap__http_PPI.pcap": .unknown,
        "pcap/linktype/libpcap__ipv6_ext_headers.pcap": .malformed,
        "pcap/linktype/suricata__decode-etag-02.input.pcap": .unknown,
        "pcap/linktype/suricata__decode-nsh-type2.input.pcap": .unknown,
        "pcap/linktype/zeek__pbb-recursive-frames.pcapng": .unknown,
        "pcap/linktype/zeek__pbb.pcap": .unknown,
        "pcap/linktype/zeek__snap-tcp.pcap": .unknown,
        "pcap/slowdos/joamontesgi__slowhttptest.pcap": .reuse,
        "pcap/tunnel/arkime__tcpdump-geneve.pcap": .around,
        "pcap/tunnel/ndpi__4in4tunnel.pcap": .tunnel,
        "pcap/tunnel/ndpi__gre.pcapng": .tunnel,
        "pcap/tunnel/ndpi__ipv6_in_gtp.pcap": .around,
        "pcap/tunnel/zeek__erspan.pcap": .tunnel,
        "pcap/tunnel/zeek__tunnels.4in6.pcap": .tunnel,
        "pcap/tunnel/zeek__tunnels.6in4.pcap": .tunnel,
        "pcap/tunnel/zeek__tunnels.6in6-tunnel-change.pcap": .tunnel,
        "pcap/tunnel/zeek__tunnels.6in6.pcap": .tunnel,
        "pcap/tunnel/zeek__tunnels.ayiya3.pcap": .unknown,
        "pcap/tunnel/zeek__tunnels.geneve-inner-tcp-bad-checksum.pcap": .around,
        "pcap/tunnel/zeek__tunnels.geneve-ipv6.pcap": .around,
        "pcap/tunnel/zeek__tunnels.geneve-many-options.pcap": .around,
        "pcap/tunnel/zeek__tunnels.gre-aruba-amsdu.pcap": .unknown,
        "pcap/tunnel/zeek__tunnels.gre-aruba.pcap": .tunnel,
        "pcap/tunnel/zeek__tunnels.gre-over-udp-4754.pcap": .around,
        "pcap/tunnel/zeek__tunnels.gre-pptp.pcap": .tunnel,
        "pcap/tunnel/zeek__tunnels.gtp.gtp1_gn_normal_incl_fragmentation.pcap": .around,
        "pcap/tunnel/zeek__tunnels.gtp.gtp2_different_udp_port.pcap": .around,
        "pcap/tunnel/zeek__tunnels.gtp.gtp4_udp_2152_inside.pcap": .around,
        "pcap/tunnel/zeek__tunnels.gtp.gtp7_ipv6.pcap": .around,
        "pcap/tunnel/zeek__tunnels.gtp.gtp9_unknown_or_too_short_payload.pcap": .tunnel,
        "pcap/tunnel/zeek__tunnels.gtp.gtp_ext_header.pcap": .around,
        "pcap/tunnel/zeek__tunnels.vxlan-encapsulated-http.pcap": .around,
        "pcap/tunnel/zeek__tunnels.vxlan-inner-tcp-bad-checksum.pcap": .around,
        "pcap/tunnel/zeek__tunnels.vxlan-triple-v2.pcap": .around,
    ]

    /// Conversations of TCP, UDP and SCTP, which have no interface and no VLAN there.
    @Test func conversationsOfTshark() {
        var files = 0
        var differing: [String: String] = [:]
        for row in Oracle.rows(of: "oracle/tshark/conversations.tsv") {
            guard let name = row["file"], let frames = SharedCapture.named(name)?.frames() else { continue }
            func counts(inner: Bool) -> [Int] {
                let flows = FlowRun(frames, Self.settings(), inner: inner).flows
                return [6, 17, 132].map { number in
                    let ends = flows.filter { $0.key.protocolNumber == number }.map {
                        "\($0.key.low) \($0.key.lowPort) \($0.key.high) \($0.key.highPort)"
                    }
                    return Set(ends).count
                }
            }
            let expected = ["tcp_conv", "udp_conv", "sctp_conv"].map { Int(row[$0] ?? "") ?? -1 }
            let outer = counts(inner: false)
            files += 1
            guard outer != expected else { continue }
            let inner = counts(inner: true)
            differing[name] = "\(outer), inside \(inner) for \(expected)"
            switch Self.rulesOfTshark[name] {
            case .tunnel: #expect(inner == expected, "\(name)")
            case .around: #expect(zip(expected, zip(outer, inner)).allSatisfy { $0 >= max($1.0, $1.1) }, "\(name)")
            case .reuse: #expect(Self.streams(frames) == expected[0], "\(name)")
            default: break
            }
        }
        print("tshark: \(files - differing.count) of \(files) captures have as many conversations")
        #expect(files > 250)
        Self.hold(differing, Self.rulesOfTshark, "tshark")
    }

    /// TCP connections, where a SYN with another sequence number than the last one of its 5-tuple opens the next.
    private static func streams(_ frames: [CapturedFrame]) -> Int {
        var opened: [FlowKey: UInt32?] = [:]
        var count = 0
        for frame in frames {
            let packet = frame.packet
            guard packet.transport == .tcp, packet.outcome == .decoded, packet.hasPorts else { continue }
            let key = FlowKey(packet, interface: 0, isFromLow: packet.isFromLowEnd())
            let opens = packet.flags.contains(.syn) && !packet.flags.contains(.ack)
            if let last = opened[key] {
                guard opens, last != packet.sequence else { continue }
            }
            count += 1
            opened[key] = .some(opens ? packet.sequence : nil)
        }
        return count
    }

    // MARK: Zeek

    static let rulesOfZeek: [String: Rule] = [
        "pcap/benign/zeek__ldap.missing_ldap_logs.pcapng": .lengthOf0,
        "pcap/benign/zeek__ntp.misordered-ntp.pcap": .turned,
        "pcap/tunnel/zeek__tunnels.gtp.gtp1_gn_normal_incl_fragmentation.pcap": .fragment,
        // The packets before Zeek was sure of the tunnel.
        "pcap/tunnel/zeek__tunnels.gtp.gtp2_different_udp_port.pcap": .around,
    ]

    /// Packets, IP bytes and duration of each connection whose 5-tuple occurs once in the log and once here.
    @Test func connectionsOfZeek() {
        var (logs, compared) = (0, 0)
        var differing: [String: String] = [:]
        for oracle in Oracle.of("zeek") {
            let lines = oracle.text.split(whereSeparator: \.isNewline)
            guard let frames = SharedCapture.named(oracle.capture)?.frames(),
                let header = lines.first(where: { $0.hasPrefix("#fields\t") })
            else { continue }
            let rows = Oracle.table([header.dropFirst(8)] + lines.filter { !$0.hasPrefix("#") }, separator: "\t")
            logs += 1
            // Both are tried: the log has what is around a tunnel and what is in it.
            let records = [false, true].flatMap { FlowRun(frames, Self.settings(), inner: $0).flows }
            let found = Dictionary(grouping: records) { PlainFlow($0).ends }
            let named = Dictionary(grouping: rows) { Self.flow($0)?.ends ?? "" }
            for (ends, rows) in named where rows.count == 1 && !ends.isEmpty {
                guard let record = found[ends], Set(record.map { PlainFlow($0) }).count == 1 else { continue }
                compared += 1
                let what = Self.difference(rows[0], record[0])
                if !what.isEmpty { differing[oracle.capture] = what }
            }
        }
        print("Zeek: \(compared) connections of \(logs) logs compared, \(differing.count) captures differ")
        #expect(compared > 80)
        Self.hold(differing, Self.rulesOfZeek, "Zeek")
    }

    private static func flow(_ row: [String: String]) -> PlainFlow? {
        guard let from = row["id.orig_h"], let to = row["id.resp_h"], let fromPort = row["id.orig_p"],
            let toPort = row["id.resp_p"], let number = ["tcp": 6, "udp": 17][row["proto"] ?? ""],
            let packets = UInt64(row["orig_pkts"] ?? ""), let back = UInt64(row["resp_pkts"] ?? "")
        else { return nil }
        return PlainFlow(
            protocolNumber: number,
            from: "\(from) \(fromPort)",
            to: "\(to) \(toPort)",
            packets: packets,
            packetsBack: back
        )
    }

    private static func difference(_ row: [String: String], _ record: FlowRecord) -> String {
        let mine = PlainFlow(record)
        guard let theirs = flow(row) else { return "no row" }
        if mine != theirs { return "\(mine) for \(theirs)" }
        // IP bytes: of headers without options and extensions, which few of these have.
        let ip = UInt64(record.key.family == .ipv4 ? 20 : 40)
        let bytes = [record.features.forward, record.features.backward].map {
            $0.lengths.sum + $0.headerBytes + ip * $0.packets
        }
        let expected = [row["orig_ip_bytes"], row["resp_ip_bytes"]].compactMap { $0.flatMap { UInt64($0) } }
        if expected.count == 2, bytes.sorted() != expected.sorted() { return "IP bytes \(bytes) for \(expected)" }
        guard let duration = Double(row["duration"] ?? "") else { return "" }
        let seconds = Double(record.features.duration) / 1e9
        if abs(seconds - duration) <= 0.000_002 { return "" }
        // "For 3-way or 4-way connection tear-downs, this will not include the final ACK" (Zeek, conn.log).
        let history = row["history"] ?? ""
        let isClosed = history.contains("f") && history.contains("F")
        return isClosed && duration < seconds ? "" : "\(seconds) s for \(duration), \(history)"
    }
}
