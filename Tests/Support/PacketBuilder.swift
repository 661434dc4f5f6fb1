import Glibc

/// Builds one frame, header by header, with lengths, checksums and "next header" numbers that fit unless they are given.
///
///     PacketBuilder().ethernet().vlan(7).ipv4(from: "10.0.0.1").tcp(to: 443, flags: [.syn]).payload([1, 2]).bytes
///
/// Every field that can lie takes an optional: nil computes the right value from what stands inside. Without
/// `ethernet()` the bytes start at the first header given, which makes raw IP.
public struct PacketBuilder: Sendable {
    /// TCP flags in the order of RFC 9293 section 3.1.
    public struct Flags: OptionSet, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let fin = Flags(rawValue: 0x01)
        public static let syn = Flags(rawValue: 0x02)
        public static let rst = Flags(rawValue: 0x04)
        public static let psh = Flags(rawValue: 0x08)
        public static let ack = Flags(rawValue: 0x10)
        public static let urg = Flags(rawValue: 0x20)
        public static let ece = Flags(rawValue: 0x40)
        public static let cwr = Flags(rawValue: 0x80)
    }

    /// What the bytes built so far (the inside) are called by the header around them.
    struct Inside {
        var bytes: [UInt8] = []
        var etherType: UInt16 = 0x88B5  // local experimental (IEEE 802)
        var ipProtocol: UInt8 = 59  // no next header
    }

    typealias Layer = @Sendable (_ inside: Inside, _ pseudo: PseudoHeader?) -> Inside

    struct PseudoHeader: Sendable {
        var source: [UInt8]
        var destination: [UInt8]
    }

    private var layers: [(layer: Layer, pseudo: PseudoHeader?)] = []
    private var pseudo: PseudoHeader?

    public init() {}

    /// The frame.
    public var bytes: [UInt8] {
        var inside = Inside()
        for (layer, pseudo) in layers.reversed() {
            inside = layer(inside, pseudo)
        }
        return inside.bytes
    }

    /// The frame, cut to its first `count` bytes as a snap length does.
    public func bytes(snap count: Int) -> [UInt8] { Array(bytes.prefix(count)) }

    func adding(_ layer: @escaping Layer) -> PacketBuilder {
        var next = self
        next.layers.append((layer, pseudo))
        return next
    }
}

extension PacketBuilder: CustomStringConvertible {
    /// The first bytes in hexadecimal.
    public var description: String {
        bytes.prefix(100).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

// MARK: - Link layer

extension PacketBuilder {
    /// Ethernet II. `type` names the next header; nil computes it.
    public func ethernet(
        from source: [UInt8] = [0x02, 0, 0, 0, 0, 0x01],
        to destination: [UInt8] = [0x02, 0, 0, 0, 0, 0x02],
        type: UInt16? = nil
    ) -> PacketBuilder {
        adding { inside, _ in
            let header = destination + source + be16(type ?? inside.etherType)
            return Inside(bytes: header + inside.bytes, etherType: 0x6558)  // transparent Ethernet bridging
        }
    }

    /// A VLAN tag (802.1Q; 802.1ad with `tpid` 0x88A8). `type` names what follows; nil computes it.
    public func vlan(_ id: UInt16, priority: UInt8 = 0, tpid: UInt16 = 0x8100, type: UInt16? = nil) -> PacketBuilder {
        adding { inside, _ in
            let control = UInt16(priority) << 13 | id & 0x0FFF
            return Inside(bytes: be16(control) + be16(type ?? inside.etherType) + inside.bytes, etherType: tpid)
        }
    }

    /// ARP for IPv4 over Ethernet (RFC 826). `operation`: 1 request, 2 reply.
    public func arp(
        _ operation: UInt16 = 1,
        from sender: String = "10.0.0.1",
        senderHardware: [UInt8] = [0x02, 0, 0, 0, 0, 0x01],
        to target: String = "10.0.0.2",
        targetHardware: [UInt8] = [0, 0, 0, 0, 0, 0],
        hardwareType: UInt16 = 1,
        hardwareLength: UInt8 = 6,
        protocolLength: UInt8 = 4
    ) -> PacketBuilder {
        let addresses = (ipv4Bytes(sender), ipv4Bytes(target))
        return adding { inside, _ in
            let head = be16(hardwareType) + be16(0x0800) + [hardwareLength, protocolLength] + be16(operation)
            let body = senderHardware + addresses.0 + targetHardware + addresses.1
            return Inside(bytes: head + body + inside.bytes, etherType: 0x0806)
        }
    }
}

// MARK: - Network layer

extension PacketBuilder {
    /// IPv4 (RFC 791). `fragmentOffset` counts units of 8 bytes. `headerWords` and `totalLength` may lie.
    public func ipv4(
        from source: String = "10.0.0.1",
        to destination: String = "10.0.0.2",
        ttl: UInt8 = 64,
        identification: UInt16 = 1,
        dontFragment: Bool = false,
        moreFragments: Bool = false,
        fragmentOffset: UInt16 = 0,
        typeOfService: UInt8 = 0,
        protocol: UInt8? = nil,
        options: [UInt8] = [],
        version: UInt8 = 4,
        headerWords: UInt8? = nil,
        totalLength: UInt16? = nil,
        checksum: UInt16? = nil
    ) -> PacketBuilder {
        let addresses = PseudoHeader(source: ipv4Bytes(source), destination: ipv4Bytes(destination))
        var next = self
        next.pseudo = addresses
        return next.adding { inside, _ in
            let padded = options + [UInt8](repeating: 0, count: (4 - options.count % 4) % 4)
            let words = headerWords ?? UInt8(5 + padded.count / 4)
            let length = totalLength ?? UInt16(truncatingIfNeeded: 20 + padded.count + inside.bytes.count)
            let fragment = (dontFragment ? 0x4000 : 0) | (moreFragments ? 0x2000 : 0) | fragmentOffset & 0x1FFF
            var header = [version << 4 | words & 0x0F, typeOfService] + be16(length) + be16(identification)
            header += be16(fragment) + [ttl, `protocol` ?? inside.ipProtocol, 0, 0]
            header += addresses.source + addresses.destination + padded
            header.replaceSubrange(10..<12, with: be16(checksum ?? internetChecksum(header)))
            return Inside(bytes: header + inside.bytes, etherType: 0x0800, ipProtocol: 4)
        }
    }

    /// IPv6 (RFC 8200).
    public func ipv6(
        from source: String = "2001:db8::1",
        to destination: String = "2001:db8::2",
        hopLimit: UInt8 = 64,
        trafficClass: UInt8 = 0,
        flowLabel: UInt32 = 0,
        nextHeader: UInt8? = nil,
        version: UInt8 = 6,
        payloadLength: UInt16? = nil
    ) -> PacketBuilder {
        let addresses = PseudoHeader(source: ipv6Bytes(source), destination: ipv6Bytes(destination))
        var next = self
        next.pseudo = addresses
        return next.adding { inside, _ in
            let first = UInt32(version) << 28 | UInt32(trafficClass) << 20 | flowLabel & 0xFFFFF
            let length = payloadLength ?? UInt16(truncatingIfNeeded: inside.bytes.count)
            let header = be32(first) + be16(length) + [nextHeader ?? inside.ipProtocol, hopLimit]
            return Inside(
                bytes: header + addresses.source + addresses.destination + inside.bytes,
                etherType: 0x86DD,
                ipProtocol: 41
            )
        }
    }

    /// An IPv6 extension header with the common layout: `kind` 0 hop-by-hop, 43 routing, 60 destination options,
    /// 135 mobility, 139 HIP, 140 shim6. `units` is the length field (units of 8 bytes beyond the first).
    public func ipv6Extension(
        _ kind: UInt8,
        body: [UInt8] = [1, 4, 0, 0, 0, 0],
        nextHeader: UInt8? = nil,
        units: UInt8? = nil
    ) -> PacketBuilder {
        adding { inside, _ in
            let padded = body + [UInt8](repeating: 0, count: (8 - (body.count + 2) % 8) % 8)
            let length = units ?? UInt8(truncatingIfNeeded: (padded.count + 2) / 8 - 1)
            return Inside(
                bytes: [nextHeader ?? inside.ipProtocol, length] + padded + inside.bytes,
                ipProtocol: kind
            )
        }
    }

    /// The IPv6 fragment header (RFC 8200 section 4.5). `offset` counts units of 8 bytes.
    public func ipv6Fragment(
        offset: UInt16 = 0,
        moreFragments: Bool = false,
        identification: UInt32 = 1,
        nextHeader: UInt8? = nil
    ) -> PacketBuilder {
        adding { inside, _ in
            let position = offset << 3 | (moreFragments ? 1 : 0)
            return Inside(
                bytes: [nextHeader ?? inside.ipProtocol, 0] + be16(position) + be32(identification) + inside.bytes,
                ipProtocol: 44
            )
        }
    }

    /// The authentication header (RFC 4302). `units` is its length field (units of 4 bytes, less two).
    public func authentication(
        check: [UInt8] = [UInt8](repeating: 0xAA, count: 12),
        nextHeader: UInt8? = nil,
        units: UInt8? = nil
    ) -> PacketBuilder {
        adding { inside, _ in
            let length = units ?? UInt8(truncatingIfNeeded: (12 + check.count) / 4 - 2)
            let header = [nextHeader ?? inside.ipProtocol, length, 0, 0] + be32(0x1234) + be32(1) + check
            return Inside(bytes: header + inside.bytes, ipProtocol: 51)
        }
    }

    /// GRE version 0 (RFC 2784, 2890): a field is there if it is given; the checksum is not computed. `type` names the
    /// inner packet's EtherType, `flags` may lie; nil computes them.
    public func gre(
        checksum: UInt16? = nil,
        key: UInt32? = nil,
        sequence: UInt32? = nil,
        flags: UInt16? = nil,
        type: UInt16? = nil
    ) -> PacketBuilder {
        adding { inside, _ in
            let present: UInt16 =
                (checksum == nil ? 0 : 0x8000) | (key == nil ? 0 : 0x2000) | (sequence == nil ? 0 : 0x1000)
            var header = be16(flags ?? present) + be16(type ?? inside.etherType)
            if let checksum { header += be16(checksum) + be16(0) }
            if let key { header += be32(key) }
            if let sequence { header += be32(sequence) }
            return Inside(bytes: header + inside.bytes, ipProtocol: 47)
        }
    }
}

// MARK: - Transport layer and payload

extension PacketBuilder {
    /// TCP (RFC 9293). `headerWords` may lie.
    public func tcp(
        from sourcePort: UInt16 = 40000,
        to destinationPort: UInt16 = 80,
        flags: Flags = [.ack],
        sequence: UInt32 = 1000,
        acknowledgement: UInt32 = 2000,
        window: UInt16 = 65535,
        options: [UInt8] = [],
        headerWords: UInt8? = nil,
        checksum: UInt16? = nil
    ) -> PacketBuilder {
        adding { inside, pseudo in
            let padded = options + [UInt8](repeating: 0, count: (4 - options.count % 4) % 4)
            let words = headerWords ?? UInt8(5 + padded.count / 4)
            var segment = be16(sourcePort) + be16(destinationPort) + be32(sequence) + be32(acknowledgement)
            segment += [words << 4, flags.rawValue] + be16(window) + [0, 0, 0, 0] + padded + inside.bytes
            let sum = checksum ?? transportChecksum(segment, protocol: 6, pseudo)
            segment.replaceSubrange(16..<18, with: be16(sum))
            return Inside(bytes: segment, ipProtocol: 6)
        }
    }

    /// UDP (RFC 768). `length` may lie.
    public func udp(
        from sourcePort: UInt16 = 40000,
        to destinationPort: UInt16 = 53,
        length: UInt16? = nil,
        checksum: UInt16? = nil
    ) -> PacketBuilder {
        adding { inside, pseudo in
            let field = length ?? UInt16(truncatingIfNeeded: 8 + inside.bytes.count)
            var datagram = be16(sourcePort) + be16(destinationPort) + be16(field) + [0, 0] + inside.bytes
            let sum = checksum ?? transportChecksum(datagram, protocol: 17, pseudo)
            datagram.replaceSubrange(6..<8, with: be16(sum == 0 ? 0xFFFF : sum))
            return Inside(bytes: datagram, ipProtocol: 17)
        }
    }

    /// ICMP (RFC 792). `identifier` and `sequence` fill the second word whatever the type.
    public func icmp(
        type: UInt8 = 8,
        code: UInt8 = 0,
        identifier: UInt16 = 7,
        sequence: UInt16 = 1,
        checksum: UInt16? = nil
    ) -> PacketBuilder {
        adding { inside, _ in
            var message = [type, code, 0, 0] + be16(identifier) + be16(sequence) + inside.bytes
            message.replaceSubrange(2..<4, with: be16(checksum ?? internetChecksum(message)))
            return Inside(bytes: message, ipProtocol: 1)
        }
    }

    /// ICMPv6 (RFC 4443). `identifier` and `sequence` fill the second word whatever the type.
    public func icmpv6(
        type: UInt8 = 128,
        code: UInt8 = 0,
        identifier: UInt16 = 7,
        sequence: UInt16 = 1,
        checksum: UInt16? = nil
    ) -> PacketBuilder {
        adding { inside, pseudo in
            var message = [type, code, 0, 0] + be16(identifier) + be16(sequence) + inside.bytes
            let sum = checksum ?? transportChecksum(message, protocol: 58, pseudo)
            message.replaceSubrange(2..<4, with: be16(sum))
            return Inside(bytes: message, ipProtocol: 58)
        }
    }

    /// The SCTP common header (RFC 9260 section 3.1); its checksum is left zero.
    public func sctp(
        from sourcePort: UInt16 = 40000,
        to destinationPort: UInt16 = 3868,
        verificationTag: UInt32 = 0x0102_0304
    ) -> PacketBuilder {
        adding { inside, _ in
            let header = be16(sourcePort) + be16(destinationPort) + be32(verificationTag) + be32(0)
            return Inside(bytes: header + inside.bytes, ipProtocol: 132)
        }
    }

    /// Bytes as they are; `ipProtocol` and `etherType` are what the header around them calls them.
    public func payload(_ bytes: [UInt8], ipProtocol: UInt8 = 59, etherType: UInt16 = 0x88B5) -> PacketBuilder {
        adding { inside, _ in
            Inside(bytes: bytes + inside.bytes, etherType: etherType, ipProtocol: ipProtocol)
        }
    }

    /// `count` bytes 0, 1, 2, ... as payload.
    public func payload(count: Int, ipProtocol: UInt8 = 59, etherType: UInt16 = 0x88B5) -> PacketBuilder {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        return payload(bytes, ipProtocol: ipProtocol, etherType: etherType)
    }
}

// MARK: - Bytes and sums

func be16(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

func be32(_ value: UInt32) -> [UInt8] { be16(UInt16(value >> 16)) + be16(UInt16(value & 0xFFFF)) }

private func ipv4Bytes(_ text: String) -> [UInt8] {
    var address = in_addr()
    precondition(unsafe inet_pton(AF_INET, text, &address) == 1, "not an IPv4 address: \(text)")
    return be32(UInt32(bigEndian: address.s_addr))
}

private func ipv6Bytes(_ text: String) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 16)
    precondition(unsafe inet_pton(AF_INET6, text, &bytes) == 1, "not an IPv6 address: \(text)")
    return bytes
}

/// The ones' complement sum of RFC 1071.
private func internetChecksum(_ bytes: [UInt8], initial: UInt32 = 0) -> UInt16 {
    var sum = initial
    for index in stride(from: 0, to: bytes.count, by: 2) {
        let low = index + 1 < bytes.count ? bytes[index + 1] : 0
        sum += UInt32(bytes[index]) << 8 | UInt32(low)
        sum = sum & 0xFFFF + sum >> 16
    }
    return ~UInt16(sum & 0xFFFF + sum >> 16)
}

private func transportChecksum(_ bytes: [UInt8], protocol: UInt8, _ pseudo: PacketBuilder.PseudoHeader?) -> UInt16 {
    guard let pseudo else { return internetChecksum(bytes) }
    let head = pseudo.source + pseudo.destination + be32(UInt32(bytes.count)) + [0, 0, 0, `protocol`]
    return internetChecksum(bytes, initial: UInt32(~internetChecksum(head)))
}
