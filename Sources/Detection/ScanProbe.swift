import Flows
import Packets

/// What the first packet of a flow is to a scan detector.
///
/// A window scan sends the packets of an ACK scan, and is called that: only its sender reads the answers in another way.
struct ScanProbe: Equatable, Sendable {
    /// What must come of a packet for it to have failed.
    enum Proof: UInt8, Sendable {
        /// Nothing: no honest stack sends it.
        case itself
        /// A refusal; or silence.
        case any
        /// A refusal: it may be of a connection whose beginning was not seen.
        case refusal
    }

    var technique: ThreatClass.ScanTechnique
    var proof: Proof
    /// What is tried on the host: a port; 0 for ICMP; the number of the protocol where ``technique`` is
    /// ``ThreatClass/ScanTechnique/ip``.
    var port: UInt16

    /// Bytes of a TCP header with no option but the maximum segment size. Raw scanners send these (nmap -sS 24, masscan,
    /// zmap and hping 20); the stacks of operating systems send more (Linux 40).
    private static let plainHeader: UInt8 = 24

    /// A connection that was seen from its beginning.
    init(_ technique: ThreatClass.ScanTechnique, port: UInt16) {
        self.technique = technique
        self.port = port
        proof = .any
    }

    /// - Returns: nil of what is no probe: answers, what goes on with a connection, what is for many.
    init?(_ contact: borrowing Contact) {
        guard !contact.responder.isForMany, contact.initiator != .zero, contact.initiator != Address(ipv4: 0) else {
            return nil
        }
        port = contact.responderPort
        switch (contact.protocolNumber, contact.family) {
        case (6, _):
            guard let (technique, proof) = Self.tcp(contact) else { return nil }
            (self.technique, self.proof) = (technique, proof)
        case (17, _):
            guard !contact.isReply, !(33_434...33_534).contains(port) else { return nil }
            (technique, proof) = (.udp, .any)
        case (1, .ipv4):
            // Echo, timestamp, information, mask.
            guard [8, 13, 15, 17].contains(contact.icmpType) else { return nil }
            (technique, proof, port) = (.icmp, .any, 0)
        case (58, .ipv6):
            guard contact.icmpType == 128 else { return nil }
            (technique, proof, port) = (.icmp, .any, 0)
        case (132, _):
            guard !contact.isReply else { return nil }
            (technique, proof) = (.sctp, .any)
        default:
            (technique, proof, port) = (.ip, .any, UInt16(contact.protocolNumber))
        }
    }

    private static func tcp(_ contact: borrowing Contact) -> (ThreatClass.ScanTechnique, Proof)? {
        let flags = contact.flags.intersection([.fin, .syn, .rst, .psh, .ack, .urg])
        if flags.contains(.rst) { return nil }
        if flags.contains(.syn) {
            if flags.contains(.ack) { return nil }
            return (contact.headerLength > plainHeader ? .connect : .syn, .any)
        }
        guard contact.payload == 0 else { return nil }
        if flags.contains(.ack) {
            guard !contact.isReply else { return nil }
            return flags == .ack ? (.ack, .refusal) : flags == [.fin, .ack] ? (.maimon, .refusal) : nil
        }
        if flags.contains(.fin) { return (flags == .fin ? .fin : .xmas, .itself) }
        return (flags.isEmpty ? .null : .xmas, .itself)
    }
}

extension Contact {
    /// Whether ports say that this comes from a service, and answers what was not seen or is forgotten.
    var isReply: Bool {
        guard responderPort >= 1_024 else { return false }
        return initiatorPort < 1_024 || protocolNumber == 17 && initiatorPort.isOfReflectors
            || initiatorPort < 32_768 && responderPort >= 32_768
    }
}

extension Address {
    /// Multicast, or the broadcast of IPv4.
    var isForMany: Bool {
        guard isMapped else { return high >> 56 == 0xFF }
        return low & 0xF000_0000 == 0xE000_0000 || low & 0xFFFF_FFFF == 0xFFFF_FFFF
    }
}

/// The two ends of a flow, the initiator first.
struct FlowEnds: BitwiseCopyable, RecencyKey {
    let initiator: Address
    let responder: Address
    let initiatorPort: UInt16
    let responderPort: UInt16
    let protocolNumber: UInt8
    let family: Family

    init(_ contact: borrowing Contact) {
        initiator = contact.initiator
        responder = contact.responder
        initiatorPort = contact.initiatorPort
        responderPort = contact.responderPort
        protocolNumber = contact.protocolNumber
        family = contact.family
    }

    func hash(_ seed: UInt64) -> UInt64 {
        let ports = UInt64(initiatorPort) << 32 | UInt64(responderPort) << 16 | UInt64(protocolNumber)
        return (initiator.hash(seed) ^ ports &+ responder.hash(seed)).mixed
    }
}

extension Address: RecencyKey {
    func hash(_ seed: UInt64) -> UInt64 { ((high ^ seed) &* 0x9E37_79B9_7F4A_7C15 ^ low &+ seed).mixed }
}

extension FlowDigest {
    /// Whether a connection came about and ended at once without a byte from its initiator.
    var isEmptyConnection: Bool {
        protocolNumber == 6 && end != .interim && isFirst && isAnswered && synchronisations >= 2 && forwardPayload == 0
            && (resets > 0 || finishes >= 2) && duration < 5_000_000_000
    }
}
