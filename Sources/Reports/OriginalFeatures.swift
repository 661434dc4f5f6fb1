public import Flows

/// What the original system's flow detector looks at: 21 numbers of a flow, in its order and with its names.
///
/// There a flow is one direction of the last 100 packets; here it is the whole flow, both directions. Where the original
/// takes the spread of packet sizes this takes the spread of payload lengths: the same, as long as all headers of the
/// flow are of one length.
public struct OriginalFeatures: Sendable {
    public static let names = [
        "duration", "packet_count", "total_bytes", "avg_packet_size", "std_packet_size", "packet_rate", "byte_rate",
        "avg_inter_arrival", "std_inter_arrival", "syn_count", "ack_count", "fin_count", "rst_count", "protocol_TCP",
        "protocol_UDP", "protocol_HTTP", "protocol_HTTPS", "protocol_DNS", "protocol_SSH", "is_well_known_port",
        "is_ephemeral_port",
    ]

    /// In the order of ``names``; times in seconds, sizes in bytes on the wire, rates per second.
    public let values: [21 of Double]

    public init(_ record: borrowing FlowRecord) {
        let features = record.features
        let numbers = features.values(.corrected)
        let packets = Double(features.packets)
        let bytes = Double(record.forward.bytes &+ record.backward.bytes)
        let seconds = Double(features.duration) / 1e9
        // Rates of a moment are taken over a millisecond, as there.
        let span = max(seconds, 0.001)
        // Its deviations are those of the whole, not of a sample.
        let ofAll = { (sample: Double, count: Double) in count > 1 ? sample * ((count - 1) / count).squareRoot() : 0 }
        let port = record.responderPort
        let name = OriginalProtocol(record)
        values = [
            seconds, packets, bytes, packets == 0 ? 0 : bytes / packets, ofAll(numbers[Self.lengthDeviation], packets),
            packets / span, bytes / span, numbers[Self.gapMean] / 1e6,
            ofAll(numbers[Self.gapDeviation], packets - 1) / 1e6,
            Double(features.synchronisations), Double(features.acknowledgements), Double(features.finishes),
            Double(features.resets), name == .tcp ? 1 : 0, name == .udp ? 1 : 0, name == .http ? 1 : 0,
            name == .https ? 1 : 0, name == .dns ? 1 : 0, name == .ssh ? 1 : 0, port < 1024 ? 1 : 0,
            port > 32_767 ? 1 : 0,
        ]
    }

    private static func place(_ name: String) -> Int { FlowFeatures.names.firstIndex(of: name) ?? 0 }
    private static let lengthDeviation = place("Packet Length Std")
    private static let gapMean = place("Flow IAT Mean")
    private static let gapDeviation = place("Flow IAT Std")
}

/// The original's names of protocols: by the port that either end has.
public enum OriginalProtocol: String, CaseIterable, Sendable {
    case tcp = "TCP"
    case udp = "UDP"
    case http = "HTTP"
    case https = "HTTPS"
    case dns = "DNS"
    case ssh = "SSH"
    case icmp = "ICMP"
    case unknown = "Unknown"

    init(_ record: borrowing FlowRecord) {
        let ports = (record.key.lowPort, record.key.highPort)
        let has = { (port: UInt16) in ports.0 == port || ports.1 == port }
        switch record.key.protocolNumber {
        case 6: self = has(80) ? .http : has(443) ? .https : has(22) ? .ssh : .tcp
        case 17: self = has(53) ? .dns : .udp
        case 1, 58: self = .icmp
        default: self = .unknown
        }
    }
}
