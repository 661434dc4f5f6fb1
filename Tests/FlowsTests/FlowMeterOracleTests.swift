import Glibc
import Packets
import Support
import Testing

@testable import Flows

/// Column by column against rows that the two CICFlowMeters wrote: a column that differs stands in a list with the reason,
/// and one that stands there must differ.
@Suite(.enabled(if: !Oracle.all.isEmpty, "no shared captures: set WEIR_TEST_DATA"))
struct FlowMeterOracleTests {
    /// Within half of the last digit that is written.
    private static func isNear(_ value: Double, _ text: String) -> Bool {
        guard let expected = Double(text) else { return false }
        let parts = text.uppercased().split(separator: "E")
        let digits = parts[0].split(separator: ".").dropFirst().first?.count ?? 0
        let exponent = parts.count > 1 ? Double(parts[1]) ?? 0 : 0
        let half = 0.500_001 * pow(10, exponent - Double(digits))
        return abs(value - expected) <= max(half, 1e-9 * abs(expected))
    }

    private static func compare(_ differing: Set<String>, _ reasons: ColumnDifferences.Reasons, _ what: String) {
        let reasons = reasons.flatMap(\.columns)
        #expect(Set(reasons).count == reasons.count, "\(what): one reason for each")
        print("\(what): \(76 - differing.count) of 76 columns agree; \(differing.count) differ")
        let unexplained = differing.subtracting(reasons).sorted()
        #expect(unexplained.isEmpty, "\(what): no reason for \(unexplained)")
        let stale = Set(reasons).subtracting(differing).sorted()
        #expect(stale.isEmpty, "\(what): a reason for \(stale), which do not differ")
    }

    // MARK: Java

    @Test(arguments: FlowProfile.allCases) func rowOfJava(profile: FlowProfile) throws {
        let oracle = try #require(Oracle.of("CICFlowMeter (Java)").first)
        let frames = try #require(SharedCapture.named(oracle.capture)?.frames())
        let row = try #require(Oracle.rows(of: oracle.file, separator: ",").first)
        // The build that made the row ended a flow at the first FIN of either end.
        let last = try #require(frames.firstIndex { $0.packet.flags.contains(.fin) })
        var settings = FlowOracleTests.settings()
        settings.profile = profile
        let flow = try #require(FlowRun(Array(frames[...last]), settings).flows.first)
        let values = flow.features.values(profile)
        var differing: Set<String> = []
        for (place, name) in FlowFeatures.names.enumerated() {
            let text = row[name] ?? ""
            if !Self.isNear(values[place], text) { differing.insert(name) }
        }
        Self.compare(differing, ColumnDifferences.java(profile), "Java, \(profile)")
    }

    // MARK: Python

    static let columns = [
        "flow_duration", "tot_fwd_pkts", "tot_bwd_pkts", "totlen_fwd_pkts", "totlen_bwd_pkts", "fwd_pkt_len_max",
        "fwd_pkt_len_min", "fwd_pkt_len_mean", "fwd_pkt_len_std", "bwd_pkt_len_max", "bwd_pkt_len_min",
        "bwd_pkt_len_mean", "bwd_pkt_len_std", "flow_byts_s", "flow_pkts_s", "flow_iat_mean", "flow_iat_std",
        "flow_iat_max", "flow_iat_min", "fwd_iat_tot", "fwd_iat_mean", "fwd_iat_std", "fwd_iat_max", "fwd_iat_min",
        "bwd_iat_tot", "bwd_iat_mean", "bwd_iat_std", "bwd_iat_max", "bwd_iat_min", "fwd_psh_flags", "bwd_psh_flags",
        "fwd_urg_flags", "bwd_urg_flags", "fwd_header_len", "bwd_header_len", "fwd_pkts_s", "bwd_pkts_s",
        "pkt_len_min", "pkt_len_max", "pkt_len_mean", "pkt_len_std", "pkt_len_var", "fin_flag_cnt", "syn_flag_cnt",
        "rst_flag_cnt", "psh_flag_cnt", "ack_flag_cnt", "urg_flag_cnt", "cwe_flag_count", "ece_flag_cnt",
        "down_up_ratio", "pkt_size_avg", "fwd_seg_size_avg", "bwd_seg_size_avg", "fwd_byts_b_avg", "fwd_pkts_b_avg",
        "fwd_blk_rate_avg", "bwd_byts_b_avg", "bwd_pkts_b_avg", "bwd_blk_rate_avg", "subflow_fwd_pkts",
        "subflow_fwd_byts", "subflow_bwd_pkts", "subflow_bwd_byts", "init_fwd_win_byts", "init_bwd_win_byts",
        "fwd_act_data_pkts", "fwd_seg_size_min", "active_mean", "active_std", "active_max", "active_min", "idle_mean",
        "idle_std", "idle_max", "idle_min",
    ]

    private static func name(_ parts: String?...) -> String { parts.map { $0 ?? "" }.joined(separator: " ") }

    /// Rows and flows of tuples that have one of each, with as many packets each way: the port cuts flows at other places.
    @Test(arguments: FlowProfile.allCases) func rowsOfPython(profile: FlowProfile) {
        var (rows, matched, files) = (0, 0, 0)
        var differing: Set<String> = []
        for oracle in Oracle.of("python cicflowmeter") {
            guard let frames = SharedCapture.named(oracle.capture)?.frames() else { continue }
            files += 1
            let table = Oracle.rows(of: oracle.file, separator: ",")
            rows += table.count
            let named = Dictionary(grouping: table) {
                Self.name($0["protocol"], $0["src_ip"], $0["src_port"], $0["dst_ip"], $0["dst_port"])
            }
            var settings = FlowOracleTests.settings()
            settings.profile = profile
            for flow in FlowRun(frames, settings).flows where flow.key.family == .ipv4 {
                let name = Self.name(
                    "\(flow.key.protocolNumber)",
                    flow.initiator.text(as: .ipv4),
                    "\(flow.initiatorPort)",
                    flow.responder.text(as: .ipv4),
                    "\(flow.responderPort)"
                )
                guard let found = named[name], found.count == 1,
                    found[0]["tot_fwd_pkts"] == "\(flow.forward.packets)",
                    found[0]["tot_bwd_pkts"] == "\(flow.backward.packets)"
                else { continue }
                matched += 1
                let values = flow.features.values(profile)
                for (place, column) in Self.columns.enumerated() {
                    let expected = Double(found[0][column] ?? "") ?? .nan
                    if abs(values[place] - expected) <= 1e-6 * max(abs(expected), abs(values[place]), 1) { continue }
                    differing.insert(FlowFeatures.names[place])
                }
            }
        }
        print("Python, \(profile): \(matched) of \(rows) rows of \(files) captures are flows here")
        #expect(files == 4 && matched > 100)
        Self.compare(differing, ColumnDifferences.python(profile), "Python, \(profile)")
    }
}
