public import Packets

/// The Community ID of a flow, version 1: the same text in every tool that sees the flow, whichever direction came first.
///
/// SHA-1 over seed, addresses, protocol and ports, the lower end first
/// (https://github.com/corelight/community-id-spec). Interface and VLAN are not in it.
public struct CommunityID: Equatable, Sendable {
    private let digest: [5 of UInt32]

    /// - Parameters:
    ///   - source: where one of the flow's packets came from
    ///   - destination: where that packet went
    ///   - family: of that packet; what is no IP packet has no Community ID
    ///   - protocolNumber: of the IP header
    ///   - ports: source and destination port of TCP, UDP and SCTP, type and code of ICMP (1) and ICMPv6 (58); nil for
    ///     what has none, as a flow of later fragments
    ///   - seed: keeps the identifiers of different networks apart; 0 nearly everywhere
    public init?(
        source: Address,
        destination: Address,
        family: Family,
        protocolNumber: UInt8,
        ports: (source: UInt16, destination: UInt16)?,
        seed: UInt16 = 0
    ) {
        guard family != .other else { return nil }
        let (ports, isOneWay) = Self.endpoints(protocolNumber, ports)
        let isOrdered =
            source != destination ? source < destination : (ports?.source ?? 0) < (ports?.destination ?? 0)
        let message: Message
        if isOneWay || isOrdered {
            message = Message(seed, source, destination, family, protocolNumber, ports)
        } else {
            let swapped = ports.map { (source: $0.destination, destination: $0.source) }
            message = Message(seed, destination, source, family, protocolNumber, swapped)
        }
        var hash = SHA1()
        hash.compress(message.block())
        digest = hash.state
    }

    /// What stands in the place of ports, and whether the flow has no other direction.
    private static func endpoints(
        _ protocolNumber: UInt8,
        _ ports: (source: UInt16, destination: UInt16)?
    ) -> ((source: UInt16, destination: UInt16)?, isOneWay: Bool) {
        guard let ports, protocolNumber == 1 || protocolNumber == 58 else { return (ports, false) }
        let answer = protocolNumber == 1 ? icmpCounterpart(of: ports.source) : icmpv6Counterpart(of: ports.source)
        guard let answer else { return (ports, true) }
        return ((ports.source, answer), false)
    }

    /// The ICMP type that a query is answered with, and back: echo, timestamp, information, router discovery, mask.
    private static func icmpCounterpart(of type: UInt16) -> UInt16? {
        switch type {
        case 0: 8
        case 8: 0
        case 9: 10
        case 10: 9
        case 13: 14
        case 14: 13
        case 15: 16
        case 16: 15
        case 17: 18
        case 18: 17
        default: nil
        }
    }

    /// The same of ICMPv6: echo, listener, router, neighbour, who-are-you, home agent address discovery.
    private static func icmpv6Counterpart(of type: UInt16) -> UInt16? {
        switch type {
        case 128: 129
        case 129: 128
        case 130: 131
        case 131: 130
        case 133: 134
        case 134: 133
        case 135: 136
        case 136: 135
        case 139: 140
        case 140: 139
        case 144: 145
        case 145: 144
        default: nil
        }
    }

    public static func == (left: CommunityID, right: CommunityID) -> Bool {
        (0..<5).allSatisfy { left.digest[$0] == right.digest[$0] }
    }
}

extension CommunityID: CustomStringConvertible {
    /// `1:` and the digest in base64 (RFC 4648), as ASCII: for writers that want no `String`.
    public var ascii: [30 of UInt8] {
        let digits: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        // 160 bits are 26 digits of six bits and one of four; the last place stays "=".
        var text = [30 of UInt8](repeating: 0x3D)
        text[0] = 0x31
        text[1] = 0x3A
        var bits: UInt64 = 0
        var word = 0
        var held: UInt64 = 0
        for digit in 0..<27 {
            if held < 6 {
                bits = bits << 32 | (word < 5 ? UInt64(digest[word]) : 0)
                word += 1
                held += 32
            }
            held &-= 6
            text[2 + digit] = unsafe digits.utf8Start[Int(bits &>> held & 0x3F)]
        }
        return text
    }

    /// For example `1:LQU9qZlK+B5F3KDmev6m5PMibrg=`.
    public var description: String {
        let text = ascii
        return String(decoding: (0..<30).map { text[$0] }, as: UTF8.self)
    }
}

/// The bytes that are hashed: at most 40, so that with their padding they are one block.
private struct Message {
    private var words = [16 of UInt32](repeating: 0)
    /// Bytes so far.
    private var count = 0

    init(
        _ seed: UInt16,
        _ source: Address,
        _ destination: Address,
        _ family: Family,
        _ protocolNumber: UInt8,
        _ ports: (source: UInt16, destination: UInt16)?
    ) {
        append(seed)
        append(source, family)
        append(destination, family)
        append(UInt16(protocolNumber) << 8)
        if let ports {
            append(ports.source)
            append(ports.destination)
        }
    }

    /// With the padding: a one bit, zeros, the length in bits.
    consuming func block() -> [16 of UInt32] {
        let bits = UInt32(8 * count)
        append(0x8000 as UInt16)
        words[15] = bits
        return words
    }

    private mutating func append(_ half: UInt16) {
        words[count / 4] |= UInt32(half) << (count % 4 == 0 ? 16 : 0)
        count += 2
    }

    private mutating func append(_ address: Address, _ family: Family) {
        if family == .ipv6 {
            append(UInt32(truncatingIfNeeded: address.high >> 32))
            append(UInt32(truncatingIfNeeded: address.high))
            append(UInt32(truncatingIfNeeded: address.low >> 32))
        }
        append(UInt32(truncatingIfNeeded: address.low))
    }

    private mutating func append(_ word: UInt32) {
        append(UInt16(word >> 16))
        append(UInt16(truncatingIfNeeded: word))
    }
}
