public import Flows
import Packets

/// Flow records as rows of CICFlowMeter's table: 84 columns, spelled and ordered as its version 4 (Java) has them.
///
/// The time is that of the flow's first packet: RFC 3339 with microseconds in the profile ``FlowProfile/corrected``; as
/// CICFlowMeter writes it, to the second and without zone, in ``FlowProfile/cic``, but always in UTC, where that tool
/// takes the zone of the host it runs on. Whole numbers have no point; others are the shortest decimals that read back as
/// the same double. Nothing else is quoted or escaped, since no value holds a comma.
public struct FlowCSV: Sendable {
    public let profile: FlowProfile

    public init(_ profile: FlowProfile) { self.profile = profile }

    /// The names of the columns.
    public static let columns =
        ["Flow ID", "Src IP", "Src Port", "Dst IP", "Dst Port", "Protocol", "Timestamp"] + FlowFeatures.names + [
            "Label"
        ]

    /// What stands in the last column: nothing is known of the flow. CICFlowMeter's own words.
    public static let label = "NeedManualLabel"

    /// Whether the profile's tables have a row for the flow: CICFlowMeter drops flows of a single packet.
    public func hasRow(for record: borrowing FlowRecord) -> Bool {
        profile == .corrected ? true : record.features.packets > 1
    }

    /// Writes the first line.
    public func writeHeader(to text: inout TextBuffer) {
        for byte in Self.columns.joined(separator: ",").utf8 { text.append(byte: byte) }
        text.append(byte: 0x0A)
    }

    /// Writes one row; about 700 bytes.
    public func write(_ record: borrowing FlowRecord, to text: inout TextBuffer) {
        // Enough for a row of the longest values: no other call has to make room.
        text.reserve(4096)
        let family = record.key.family
        let (sourcePort, destinationPort) = (UInt64(record.initiatorPort), UInt64(record.responderPort))
        let start = text.count
        text.append(record.initiator, as: family)
        let source = start..<text.count
        text.append(byte: 0x2D)
        let middle = text.count
        text.append(record.responder, as: family)
        let destination = middle..<text.count
        text.append(byte: 0x2D)
        text.append(sourcePort)
        text.append(byte: 0x2D)
        text.append(destinationPort)
        text.append(byte: 0x2D)
        text.append(UInt64(record.key.protocolNumber))
        text.append(byte: 0x2C)
        text.append(again: source)
        text.append(byte: 0x2C)
        text.append(sourcePort)
        text.append(byte: 0x2C)
        text.append(again: destination)
        text.append(byte: 0x2C)
        text.append(destinationPort)
        text.append(byte: 0x2C)
        text.append(UInt64(record.key.protocolNumber))
        text.append(byte: 0x2C)
        let time = WallTime(nanoseconds: record.features.first)
        if profile == .cic { text.appendTwelveHours(time) } else { text.append(time) }
        let values = record.features.values(profile)
        for place in values.indices {
            text.append(byte: 0x2C)
            text.append(values[place])
        }
        text.append(",NeedManualLabel\n")
    }
}
