public import Flows
import Packets

/// What the original system's prediction service wants to know of a flow: the 20 fields that it demands, and what it
/// keeps beside them.
public struct PredictionFields: Sendable {
    public static let names = [
        "dst_port", "flow_duration", "tot_fwd_pkts", "tot_bwd_pkts", "fwd_pkt_len_max", "fwd_pkt_len_min",
        "bwd_pkt_len_max", "bwd_pkt_len_mean", "flow_byts_s", "flow_pkts_s", "flow_iat_mean", "flow_iat_std",
        "flow_iat_max", "fwd_iat_std", "bwd_pkts_s", "psh_flag_cnt", "ack_flag_cnt", "init_fwd_win_byts",
        "init_bwd_win_byts", "fwd_seg_size_min",
    ]

    /// In the order of ``names``; times in microseconds, rates per second.
    public let values: [20 of Double]
    /// From the initiator's side.
    public let source: String
    public let destination: String
    public let sourcePort: UInt16
    public let protocolNumber: UInt8
    /// Of the flow's first packet.
    public let time: WallTime

    /// - Parameter profile: how the service's models were taught. Its own meter's units are broken, so that no profile gives
    ///   its numbers.
    public init(_ record: borrowing FlowRecord, profile: FlowProfile = .corrected) {
        let features = record.features.values(profile)
        let port = Double(record.responderPort)
        values = [20 of Double] { place in Self.places[place].map { features[$0] } ?? port }
        source = record.initiator.text(as: record.key.family)
        destination = record.responder.text(as: record.key.family)
        sourcePort = record.initiatorPort
        protocolNumber = record.key.protocolNumber
        time = WallTime(nanoseconds: record.features.first)
    }

    /// Where each field stands among the features; nil for the port.
    private static let places = names.map { FlowFeatures.shortNames.firstIndex(of: $0) }

    /// Writes one JSON object, as the service takes it.
    /// - Parameters:
    ///   - client: whose flow this is; left out where nil.
    ///   - resource: on which resource; left out where nil.
    public func json(into json: inout JSONWriter, client: String? = nil, resource: String? = nil) {
        json.object { json in
            if let client { json.field("client_id", client, limit: 256) }
            if let resource { json.field("resource_id", resource, limit: 256) }
            json.field("src_ip", source)
            json.field("dst_ip", destination)
            json.field("src_port", sourcePort)
            json.field("protocol", protocolNumber)
            json.field("timestamp", time, digits: .microseconds)
            for place in values.indices { json.field(Self.names[place], values[place]) }
        }
    }
}
