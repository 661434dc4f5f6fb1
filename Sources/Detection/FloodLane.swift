import Flows
import Packets

/// What one window says of one subject and one kind of load.
struct FloodLane: Sendable {
    enum Kind: UInt8, Comparable, Sendable {
        case synchronize
        /// SYNs to all services of an address.
        case hostSynchronize
        case acknowledge
        case reset
        case finish
        case irregular
        case udp
        case reflection
        case icmp
        case fragment
        case protocols
        case requests
        case prefix
        case interface

        static func < (left: Kind, right: Kind) -> Bool { left.rawValue < right.rawValue }
    }

    struct Key: Hashable, Comparable, Sendable {
        var subject: Subject
        var kind: Kind
        /// Of the reflectors.
        var port: UInt16 = 0

        static func < (left: Key, right: Key) -> Bool {
            if left.subject != right.subject { return left.subject < right.subject }
            return left.kind == right.kind ? left.port < right.port : left.kind < right.kind
        }
    }

    /// Different sources and ports that are named at most; all are in the estimates of their numbers.
    static let named = 1_024

    /// Bytes of a packet's payload from which on it is taken for part of an upload.
    private static let request: UInt32 = 1_200

    let key: Key
    /// An upper bound of the ratio, by volumes alone.
    let raw: Double
    /// All of it.
    let volume: TrafficVolume
    /// SYNs: those with an answer, and connections that came about. Prefixes: UDP, of which answers are taken off.
    var answers = 0.0
    var completions = 0.0
    /// UDP to the same address that was asked for; of reflections.
    var asked = 0.0
    /// Addresses of a prefix that were hit.
    var hosts = 0
    /// Whether it is near enough to its level for sources and ports.
    var isClose = false

    // From contacts: flows that began, and became of them.
    private(set) var opened = 0.0
    private var flows = 0
    /// Of these, over UDP.
    private(set) var datagrams = 0.0
    private(set) var answered = 0.0
    private(set) var refused = 0.0
    private(set) var wentOn = 0.0
    /// Began so long before the window's end that the initiator's answer must have come.
    private(set) var mature = 0.0
    private(set) var sources = DistinctCounter()
    /// Pairs of address and port.
    private(set) var targets = DistinctCounter()
    private(set) var bySource: [SourceKey: Double] = [:]
    private(set) var byPort: [UInt16: Double] = [:]
    // From samples.
    private(set) var samples: [PacketSummary] = []
    private(set) var samplesLeftOut = 0
    private(set) var sampledBySource: [SourceKey: Double] = [:]

    init(_ key: Key, raw: Double, volume: TrafficVolume) {
        self.key = key
        self.raw = raw
        self.volume = volume
    }

    /// Share of the samples that belong to nobody who is left out.
    var share: Double {
        samplesLeftOut == 0 ? 1 : Double(samples.count) / Double(samples.count + samplesLeftOut)
    }

    /// Share of the samples that are such.
    func part(_ isSuch: (Packet) -> Bool) -> Double {
        samples.isEmpty ? 0 : Double(samples.count { isSuch($0.packet) }) / Double(samples.count)
    }

    /// - Parameter weight: how many like it this contact stands for.
    mutating func add(_ contact: Contact, weight: Double, isMature: Bool) {
        switch contact.step {
        case .opened:
            guard takes(contact) else { return }
            opened += weight
            if contact.protocolNumber == 17 { datagrams += weight }
            if isMature { mature += weight }
            sources.add(contact.initiator.mixed)
            targets.add((contact.responder.mixed ^ UInt64(contact.responderPort)).mixed)
            flows += 1
            if isClose { name(contact, weight) }
        case .answered:
            // Seen only if what it answers was.
            let weight = weight * weight
            switch key.kind {
            case .synchronize, .hostSynchronize:
                guard isToService(contact) else { return }
                if contact.flags.contains([.syn, .ack]) { answered += weight }
                if contact.flags.contains([.rst, .ack]) { refused += weight }
            case .udp, .reflection, .prefix, .interface:
                guard contact.protocolNumber == 17 else { return }
                if key.kind == .reflection ? contact.initiatorPort == key.port : !contact.initiatorPort.isOfReflectors {
                    answered += weight
                }
            case .acknowledge, .finish:
                // Of a connection that was there before: who knows none answers with RST.
                if contact.protocolNumber == 6, contact.flags.isDisjoint(with: [.syn, .rst]) { answered += weight }
            default: break
            }
        case .wentOn:
            guard isToService(contact), contact.flags.isDisjoint(with: [.rst, .syn]) else { return }
            wentOn += weight
        case .unreachable: break
        }
    }

    /// All of the first, then one in 16: each stands for as many.
    private mutating func name(_ contact: Contact, _ weight: Double) {
        let isMany = flows > 4 * Self.named
        guard !isMany || flows & 15 == 0 else { return }
        let weight = isMany ? 16 * weight : weight
        let source = SourceKey(address: contact.initiator, family: contact.family)
        if let count = bySource[source] {
            bySource[source] = count + weight
        } else if bySource.count < Self.named {
            bySource[source] = weight
        }
        if let count = byPort[contact.responderPort] {
            byPort[contact.responderPort] = count + weight
        } else if byPort.count < Self.named {
            byPort[contact.responderPort] = weight
        }
    }

    private func isToService(_ contact: Contact) -> Bool {
        contact.protocolNumber == 6 && (key.subject.port == 0 || contact.responderPort == key.subject.port)
    }

    /// Whether a flow's first packet is of this kind.
    private func takes(_ contact: Contact) -> Bool {
        let isTCP = contact.protocolNumber == 6
        switch key.kind {
        case .synchronize, .hostSynchronize:
            return isToService(contact) && contact.flags.trafficClass == .synchronize
        case .requests: return isToService(contact)
        case .acknowledge: return isTCP && contact.flags.trafficClass == .acknowledge
        case .reset: return isTCP && contact.flags.trafficClass == .reset
        case .finish: return isTCP && contact.flags.trafficClass == .finish
        case .irregular: return isTCP && contact.flags.trafficClass == .irregular
        case .udp: return contact.protocolNumber == 17 && !contact.initiatorPort.isOfReflectors
        case .reflection:
            guard contact.initiatorPort == key.port else { return false }
            return contact.protocolNumber == 17 || isTCP && contact.flags.trafficClass == .answer
        case .icmp: return contact.protocolNumber == (contact.family == .ipv4 ? 1 : 58)
        case .fragment: return false
        case .protocols: return ![1, 6, 17, 58].contains(contact.protocolNumber)
        case .prefix, .interface: return true
        }
    }

    /// - Parameter isLeftOut: whether it is of somebody whom no detector is shown.
    mutating func add(_ sample: PacketSummary, isLeftOut: Bool) {
        guard takes(sample.packet) else { return }
        if isLeftOut {
            samplesLeftOut += 1
            return
        }
        samples.append(sample)
        let source = SourceKey(address: sample.packet.source, family: sample.packet.family)
        sampledBySource[source, default: 0] += 1
    }

    private func takes(_ packet: Packet) -> Bool {
        if packet.fragment == .later { return key.kind >= .prefix || key.kind == .fragment }
        let isTCP = packet.transport == .tcp
        let isToService = key.subject.port == 0 || packet.destinationPort == key.subject.port
        switch key.kind {
        case .synchronize, .hostSynchronize:
            return isTCP && isToService && packet.flags.trafficClass == .synchronize
        case .requests: return isTCP && isToService && (1..<Self.request).contains(packet.payloadLength)
        case .acknowledge: return isTCP && packet.flags.trafficClass == .acknowledge
        case .reset: return isTCP && packet.flags.trafficClass == .reset
        case .finish: return isTCP && packet.flags.trafficClass == .finish
        case .irregular: return isTCP && packet.flags.trafficClass == .irregular
        case .udp: return packet.transport == .udp && !packet.sourcePort.isOfReflectors
        case .reflection:
            guard packet.sourcePort == key.port else { return false }
            return packet.transport == .udp || isTCP && packet.flags.trafficClass == .answer
        case .icmp: return packet.transport == .icmp
        case .fragment: return false
        case .protocols: return packet.transport == .other
        case .prefix, .interface: return true
        }
    }
}
