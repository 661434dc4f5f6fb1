public import Flows
public import Packets

/// Flow records as JSON lines, with all that is known of a flow.
public struct FlowJSON: ~Copyable {
    private let profile: FlowProfile
    private let scope: EntropyScope
    /// Its tables take a while to make; nil where nothing was measured.
    private let meter: EntropyMeter?
    private var json = JSONWriter()

    /// - Parameter scope: which payload bytes' entropy was measured.
    public init(_ profile: FlowProfile, entropy scope: EntropyScope = .none) {
        self.profile = profile
        self.scope = scope
        meter = scope == .none ? nil : EntropyMeter()
    }

    /// Writes one line.
    public mutating func write(_ record: borrowing FlowRecord, to text: inout TextBuffer) {
        var json = JSONWriter()
        swap(&json, &self.json)
        json.clear()
        write(copy record, to: &json)
        text.append(json)
        text.append(byte: 0x0A)
        swap(&json, &self.json)
    }

    /// Writes one object.
    public func write(_ record: FlowRecord, to json: inout JSONWriter) {
        let values = record.features.values(profile)
        let entropy = FlowEntropy(record, scope, meter)
        json.object { json in
            json.field("schema", 1)
            writeIdentity(record, to: &json)
            json.field("first", WallTime(nanoseconds: record.features.first), digits: .microseconds)
            json.field("last", WallTime(nanoseconds: record.features.last), digits: .microseconds)
            json.field("end", record.end.name)
            json.field("interims", record.interims)
            json.field("fwd", record.forward, since: record.forwardDelta)
            json.field("bwd", record.backward, since: record.backwardDelta)
            json.object("features") { json in
                for place in values.indices { json.field(FlowFeatures.shortNames[place], values[place]) }
            }
            writeOpening(record, to: &json)
            if let entropy { entropy.write(to: &json) }
            writeSampling(record, to: &json)
            if record.late > 0 { json.field("late", record.late) }
            if record.laterFragments > 0 { json.field("later_fragments", record.laterFragments) }
            if record.errors > 0 { json.field("icmp_errors", record.errors) }
        }
    }
}

/// Who speaks with whom, and where.
private func writeIdentity(_ record: FlowRecord, to json: inout JSONWriter) {
    let key = record.key
    let isICMP = key.protocolNumber == 1 || key.protocolNumber == 58
    let hasPorts = isICMP || key.lowPort | key.highPort != 0
    let ports =
        isICMP
        ? (UInt16(record.icmpType), UInt16(record.icmpCode)) : (record.initiatorPort, record.responderPort)
    let id = CommunityID(
        source: record.initiator,
        destination: record.responder,
        family: key.family,
        protocolNumber: key.protocolNumber,
        ports: hasPorts ? ports : nil
    )
    if let id { json.field("community_id", id.description) }
    json.field("src_ip", record.initiator.text(as: key.family))
    json.field("src_port", record.initiatorPort)
    json.field("dst_ip", record.responder.text(as: key.family))
    json.field("dst_port", record.responderPort)
    json.field("protocol", key.protocolNumber)
    if let name = protocolName(key.protocolNumber) { json.field("protocol_name", name) }
    if isICMP {
        json.field("icmp_type", record.icmpType)
        json.field("icmp_code", record.icmpCode)
    }
    if let vlan = key.vlan { json.field("vlan", vlan) }
    json.field("interface", key.interface)
    if record.tunnel != .none { json.field("tunnel", record.tunnel.name) }
}

/// The first packets, one by one.
private func writeOpening(_ record: FlowRecord, to json: inout JSONWriter) {
    let opening = record.opening
    let packets = Int(min(record.features.packets, UInt64(FlowOpening.packets)))
    json.object("opening") { json in
        json.array("sizes") { json in
            for place in 0..<packets { json.integer(opening.sizes[place]) }
        }
        json.array("gaps") { json in
            for place in 0..<packets { json.integer(opening.gaps[place]) }
        }
    }
}

/// Where only a share of the packets was kept: what those seen stand for.
private func writeSampling(_ record: FlowRecord, to json: inout JSONWriter) {
    let (packets, bytes) = (record.estimatedPackets, record.estimatedBytes)
    let seen = record.features.packets
    guard packets.total > Double(seen) else { return }
    json.object("sampled") { json in
        json.field("packets_seen", seen)
        json.field("share", Double(seen) / packets.total)
        json.field("packets", packets.total)
        json.field("packets_standard_error", packets.standardError)
        json.field("bytes", bytes.total)
        json.field("bytes_standard_error", bytes.standardError)
    }
}

/// Of the first payload bytes each way, and of all of them.
private struct FlowEntropy {
    private let forward: Entropy
    private let backward: Entropy
    private let all: Entropy?

    /// - Returns: nil where nothing was measured.
    init?(_ record: FlowRecord, _ scope: EntropyScope, _ meter: borrowing EntropyMeter?) {
        switch meter {
        case .some(let meter):
            forward = record.forwardFirstBytes.entropy(meter)
            backward = record.backwardFirstBytes.entropy(meter)
        case .none: return nil
        }
        all = scope == .all ? record.entropy.entropy : nil
    }

    func write(to json: inout JSONWriter) {
        json.object("entropy") { json in
            write("fwd_first", forward, to: &json)
            write("bwd_first", backward, to: &json)
            if let all { write("all", all, to: &json) }
        }
    }

    private func write(_ name: String, _ entropy: Entropy, to json: inout JSONWriter) {
        json.object(name) { json in
            json.field("bits", entropy.bits)
            json.field("length", entropy.length)
            json.field("uniform", entropy.uniform)
            json.field("ratio", entropy.ratio)
        }
    }
}

extension JSONWriter {
    fileprivate mutating func field(_ name: String, _ total: Flows.Volume, since delta: Flows.Volume) {
        object(name) { json in
            json.field("packets", total.packets)
            json.field("bytes", total.bytes)
            json.field("packets_delta", delta.packets)
            json.field("bytes_delta", delta.bytes)
        }
    }
}

// MARK: - Names

extension FlowEnd {
    /// As it stands in records.
    public var name: String {
        switch self {
        case .interim: "interim"
        case .idle: "idle"
        case .active: "active"
        case .closed: "closed"
        case .evicted: "evicted"
        case .stopped: "stopped"
        }
    }
}

extension Tunnel {
    /// As it stands in records.
    public var name: String {
        switch self {
        case .none: "none"
        case .mpls: "mpls"
        case .pppoe: "pppoe"
        case .gre: "gre"
        case .erspan: "erspan"
        case .ipInIP: "ipip"
        case .vxlan: "vxlan"
        case .geneve: "geneve"
        case .gtpu: "gtpu"
        case .teredo: "teredo"
        case .etherIP: "etherip"
        }
    }
}

/// IANA's keyword of an IP protocol in small letters, of those that are met.
private func protocolName(_ number: UInt8) -> String? {
    switch number {
    case 1: "icmp"
    case 2: "igmp"
    case 4: "ipv4"
    case 6: "tcp"
    case 17: "udp"
    case 41: "ipv6"
    case 47: "gre"
    case 50: "esp"
    case 51: "ah"
    case 58: "ipv6-icmp"
    case 88: "eigrp"
    case 89: "ospf"
    case 97: "etherip"
    case 103: "pim"
    case 112: "vrrp"
    case 115: "l2tp"
    case 132: "sctp"
    default: nil
    }
}
