import Flows
import Packets
import Reports
import Support
import Testing

struct FlowJSONTests {
    private func line(_ record: FlowRecord, entropy: EntropyScope = .none) -> String {
        var json = FlowJSON(.corrected, entropy: entropy)
        var buffer = TextBuffer()
        json.write(record, to: &buffer)
        return text(buffer)
    }

    @Test func whatAlwaysStandsThere() {
        let line = line(FlowRecords.exchange())
        #expect(
            line.hasPrefix(
                #"{"schema":1,"community_id":"1:"#
            )
        )
        #expect(
            line.contains(
                #""src_ip":"10.0.0.9","src_port":40000,"dst_ip":"192.0.2.1","dst_port":443,"protocol":6,"#
                    + #""protocol_name":"tcp","interface":3,"first":"2025-12-08T10:30:00.000000Z","#
                    + #""last":"2025-12-08T10:30:00.011000Z","end":"stopped","interims":0,"#
                    + #""fwd":{"packets":3,"bytes":262,"packets_delta":3,"bytes_delta":262},"#
            )
        )
        #expect(line.contains(#""features":{"flow_duration":11000.75,"tot_fwd_pkts":3,"#))
        #expect(line.contains(#""opening":{"sizes":[40,-40,40,140,-1440,-641],"gaps":[0,1000,1000,1000,7000,1000]}"#))
        for absent in ["vlan", "tunnel", "entropy", "sampled", "late", "later_fragments", "icmp"] {
            #expect(!line.contains("\"\(absent)"))
        }
        #expect(line.hasSuffix("}\n"))
    }

    @Test func everyFeatureHasAShortName() {
        #expect(FlowFeatures.shortNames.count == FlowFeatures.names.count)
        #expect(Set(FlowFeatures.shortNames).count == 76)
        #expect(FlowFeatures.shortNames.allSatisfy { $0.allSatisfy { $0.isLowercase || $0 == "_" } })
    }

    @Test func whatIsThereOnlySometimes() {
        var settings = FlowSettings()
        settings.entropy = .all
        var records = FlowRecords(settings)
        let frame = PacketBuilder().ethernet().vlan(7).ipv4(from: "10.0.0.1", to: "10.0.0.2").udp(from: 1, to: 2)
            .payload(Array(0..<64)).bytes
        var sampling = Sampling()
        for kind in SamplingClass.allCases { sampling[kind] = SamplingCounters(offered: 40, kept: 10) }
        records.setWeights(sampling)
        records.add(frame, after: 1_000_000)
        records.add(frame, after: 0)
        records.add(
            PacketBuilder().ethernet().vlan(7).ipv4(from: "10.0.0.2", to: "10.0.0.1").icmp(type: 3, code: 3)
                .payload(Array(frame.dropFirst(18).prefix(28))).bytes,
            after: 2_000_000
        )
        let ended = records.finish()
        let udp = line(ended[0], entropy: .all)
        #expect(udp.contains(#""vlan":7,"#))
        #expect(udp.contains(#""fwd_first":{"bits":6,"length":128,"#))
        #expect(udp.contains(#""bwd_first":{"bits":0,"length":0,"uniform":0,"ratio":0}"#))
        #expect(udp.contains(#""all":{"bits":6,"length":128,"#))
        #expect(
            udp.contains(
                #""sampled":{"packets_seen":2,"share":0.25,"packets":8,"packets_standard_error":4.898979485566356,"#
            )
        )
        #expect(udp.contains(#""late":1"#))
        #expect(udp.contains(#""icmp_errors":1"#))
        let icmp = line(ended[1])
        #expect(icmp.contains(#""protocol_name":"icmp","icmp_type":3,"icmp_code":3,"#))
        #expect(ended.count == 2)
    }

    @Test func tunnelsAreNamed() {
        #expect(Set(Tunnel.allCases.map(\.name)).count == Tunnel.allCases.count)
        var records = FlowRecords()
        let inside = PacketBuilder().ipv4(from: "10.1.0.1", to: "10.1.0.2").udp(from: 9, to: 10).payload(count: 4).bytes
        let frame = PacketBuilder().ethernet().ipv4(from: "192.0.2.1", to: "192.0.2.2", protocol: 4).payload(inside)
            .bytes
        records.add(frame, after: 0, inner: true)
        #expect(line(records.finish()[0]).contains(#""tunnel":"ipip""#))
    }

    /// Vectors: https://github.com/corelight/community-id-spec.
    @Test func communityIDsOfQueries() {
        var records = FlowRecords()
        records.add(
            PacketBuilder().ethernet().ipv4(from: "192.168.0.89", to: "192.168.0.1").icmp(type: 8, code: 0).bytes,
            after: 0
        )
        #expect(line(records.finish()[0]).contains(#""community_id":"1:X0snYXpgwiv9TZtqg64sgzUn6Dk=""#))
    }
}

struct PredictionFieldsTests {
    @Test func asTheServiceTakesThem() {
        let fields = PredictionFields(FlowRecords.exchange())
        var json = JSONWriter()
        fields.json(into: &json, client: "c", resource: "r")
        #expect(
            String(decoding: json.bytes, as: UTF8.self)
                == #"{"client_id":"c","resource_id":"r","src_ip":"10.0.0.9","dst_ip":"192.0.2.1","src_port":40000,"#
                + #""protocol":6,"timestamp":"2025-12-08T10:30:00.000000Z","dst_port":443,"flow_duration":11000.75,"#
                + #""tot_fwd_pkts":3,"tot_bwd_pkts":3,"fwd_pkt_len_max":100,"fwd_pkt_len_min":0,"bwd_pkt_len_max":1400,"#
                + #""bwd_pkt_len_mean":667,"flow_byts_s":190986.97816057995,"flow_pkts_s":545.4173579074154,"#
                + #""flow_iat_mean":2200.15,"flow_iat_std":2683.47723113128,"flow_iat_max":7000.5,"#
                + #""fwd_iat_std":707.1067811865476,"bwd_pkts_s":272.7086789537077,"psh_flag_cnt":3,"ack_flag_cnt":5,"#
                + #""init_fwd_win_byts":65535,"init_bwd_win_byts":65535,"fwd_seg_size_min":20}"#
        )
    }

    @Test func eachIsAFeatureOrThePort() {
        #expect(PredictionFields.names.count == 20)
        #expect(PredictionFields.names.filter { !FlowFeatures.shortNames.contains($0) } == ["dst_port"])
    }
}

struct OriginalFeaturesTests {
    @Test func ofAnExchange() {
        let values = OriginalFeatures(FlowRecords.exchange()).values
        let expected: [String: Double] = [
            "duration": 0.01100075, "packet_count": 6, "total_bytes": 2_425, "avg_packet_size": 2_425.0 / 6,
            "packet_rate": 6 / 0.01100075, "byte_rate": 2_425 / 0.01100075, "avg_inter_arrival": 0.00220015,
            "syn_count": 2, "ack_count": 5, "fin_count": 0, "rst_count": 0, "protocol_TCP": 0, "protocol_HTTPS": 1,
            "is_well_known_port": 1, "is_ephemeral_port": 0,
        ]
        for (name, value) in expected { #expect(isClose(values[place(name)], value), "\(name)") }
        // As numpy.std has it: of all, not of a sample.
        #expect(isClose(values[place("std_packet_size")], deviation([0, 0, 0, 100, 1_400, 601])))
        #expect(
            isClose(
                values[place("std_inter_arrival")],
                deviation([1_000, 1_000, 1_000, 7_000.5, 1_000.25].map { $0 / 1e6 })
            )
        )
    }

    @Test func protocolsAreToldByEitherPort() {
        for (port, name) in [(80, "HTTP"), (443, "HTTPS"), (22, "SSH"), (8_080, "TCP")] as [(UInt16, String)] {
            var records = FlowRecords()
            // The server's packet first.
            records.add(
                PacketBuilder().ethernet().ipv4(from: "10.0.0.1", to: "10.0.0.2").tcp(
                    from: port,
                    to: 50_000,
                    flags: .ack
                ).bytes,
                after: 0
            )
            let values = OriginalFeatures(records.finish()[0]).values
            for each in ["TCP", "UDP", "HTTP", "HTTPS", "DNS", "SSH"] {
                #expect(values[place("protocol_" + each)] == (each == name ? 1 : 0))
            }
            #expect(values[place("is_ephemeral_port")] == 1)
        }
    }

    /// A flow of one moment has rates over a millisecond, and no deviation.
    @Test func ofOnePacket() {
        var records = FlowRecords()
        let frame = PacketBuilder().ethernet().ipv4(from: "10.0.0.1", to: "10.0.0.2").udp(from: 9, to: 53).payload(
            count: 58
        ).bytes
        records.add(frame, after: 0)
        let values = OriginalFeatures(records.finish()[0]).values
        #expect(values[place("packet_rate")] == 1_000)
        #expect(values[place("byte_rate")] == 100_000)
        #expect(values[place("std_packet_size")] == 0)
        #expect(values[place("protocol_DNS")] == 1)
    }

    private func place(_ name: String) -> Int { OriginalFeatures.names.firstIndex(of: name) ?? -1 }

    private func isClose(_ left: Double, _ right: Double) -> Bool {
        abs(left - right) <= 1e-9 * max(abs(left), abs(right))
    }

    private func deviation(_ values: [Double]) -> Double {
        let mean = values.reduce(0, +) / Double(values.count)
        return (values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(values.count)).squareRoot()
    }
}
