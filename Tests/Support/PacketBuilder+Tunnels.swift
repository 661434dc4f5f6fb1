extension PacketBuilder {
    /// GRE version 1 around PPP (RFC 2637).
    public func pptp(
        call: UInt16 = 9,
        sequence: UInt32? = nil,
        acknowledgement: UInt32? = nil,
        length: UInt16? = nil
    ) -> PacketBuilder {
        adding { inside, _ in
            let flags: UInt16 = 0x2001 | (sequence == nil ? 0 : 0x1000) | (acknowledgement == nil ? 0 : 0x0080)
            var header = be16(flags) + be16(0x880B)
            header += be16(length ?? UInt16(truncatingIfNeeded: inside.bytes.count)) + be16(call)
            if let sequence { header += be32(sequence) }
            if let acknowledgement { header += be32(acknowledgement) }
            return Inside(bytes: header + inside.bytes, ipProtocol: 47)
        }
    }

    /// ERSPAN type II, to stand in GRE with a sequence.
    public func erspan2(session: UInt16 = 1, vlan: UInt16 = 0, isCut: Bool = false, version: UInt8 = 1) -> PacketBuilder
    {
        adding { inside, _ in
            let head = be16(UInt16(version) << 12 | vlan) + be16((isCut ? 0x0400 : 0) | session & 0x03FF)
            return Inside(bytes: head + be32(7) + inside.bytes, etherType: 0x88BE)
        }
    }

    /// ERSPAN type III; `kind` is its frame type, 0 Ethernet.
    public func erspan3(
        session: UInt16 = 1,
        isCut: Bool = false,
        kind: UInt16 = 0,
        platform: [UInt8]? = nil
    ) -> PacketBuilder {
        adding { inside, _ in
            let head = be16(2 << 12) + be16((isCut ? 0x0400 : 0) | session & 0x03FF) + be32(0x0102_0304)
            let rest = be16(0) + be16(kind << 10 | (platform == nil ? 0 : 1)) + (platform ?? [])
            return Inside(bytes: head + rest + inside.bytes, etherType: 0x22EB)
        }
    }

    /// Labels, outermost first (RFC 3032). `isLast` may lie.
    public func mpls(_ labels: UInt32..., isLast: Bool = true, controlWord: Bool = false) -> PacketBuilder {
        adding { inside, _ in
            let stack = labels.enumerated().flatMap { index, label in
                be32(label << 12 | (isLast && index == labels.count - 1 ? 0x100 : 0) | 64)
            }
            let word = controlWord ? be32(0) : []
            return Inside(bytes: stack + word + inside.bytes, etherType: 0x8847, ipProtocol: 137)
        }
    }

    /// PPP (RFC 1661). `number` is the protocol; nil computes it.
    public func ppp(hasAddress: Bool = false, isCompressed: Bool = false, number: UInt16? = nil) -> PacketBuilder {
        adding { inside, _ in
            let known: UInt16? =
                switch inside.etherType {
                case 0x0800: 0x0021
                case 0x86DD: 0x0057
                case 0x8847: 0x0281
                default: nil
                }
            let field = be16(number ?? known ?? 0xC021)  // LCP
            let header = (hasAddress ? [0xFF, 0x03] : []) + (isCompressed && field[0] == 0 ? [field[1]] : field)
            return Inside(bytes: header + inside.bytes, etherType: 0x880B)
        }
    }

    /// Cisco's HDLC framing.
    public func ciscoHDLC(address: UInt8 = 0x0F, type: UInt16? = nil) -> PacketBuilder {
        adding { inside, _ in
            Inside(bytes: [address, 0] + be16(type ?? inside.etherType) + inside.bytes)
        }
    }

    /// PPPoE (RFC 2516), to stand around ``ppp(hasAddress:isCompressed:number:)``. A `code` but 0 is discovery's.
    public func pppoe(session: UInt16 = 1, code: UInt8 = 0, version: UInt8 = 0x11, length: UInt16? = nil)
        -> PacketBuilder
    {
        adding { inside, _ in
            let field = length ?? UInt16(truncatingIfNeeded: inside.bytes.count)
            let header = [version, code] + be16(session) + be16(field)
            return Inside(bytes: header + inside.bytes, etherType: code == 0 ? 0x8864 : 0x8863)
        }
    }

    /// RFC 7348, to stand in UDP to port 4789. `flags` is the first word.
    public func vxlan(_ network: UInt32 = 7, flags: UInt32 = 0x0800_0000, reserved: UInt8 = 0) -> PacketBuilder {
        adding { inside, _ in Inside(bytes: be32(flags) + be32(network << 8 | UInt32(reserved)) + inside.bytes) }
    }

    /// RFC 8926, to stand in UDP to port 6081. `options` are whole words.
    public func geneve(
        _ network: UInt32 = 7,
        options: [UInt8] = [],
        version: UInt8 = 0,
        type: UInt16? = nil,
        words: UInt8? = nil
    ) -> PacketBuilder {
        adding { inside, _ in
            let length = words ?? UInt8(options.count / 4)
            let header = [version << 6 | length, 0] + be16(type ?? inside.etherType) + be32(network << 8)
            return Inside(bytes: header + options + inside.bytes)
        }
    }

    /// GTP-U version 1 (3GPP TS 29.281), to stand in UDP to port 2152. `extensions` are the bodies of extension headers
    /// of type 0x85 (PDU session container), each two bytes short of whole words.
    public func gtp(
        _ tunnel: UInt32 = 7,
        sequence: UInt16? = nil,
        extensions: [[UInt8]] = [],
        type: UInt8 = 255,
        flags: UInt8? = nil,
        length: UInt16? = nil
    ) -> PacketBuilder {
        adding { inside, _ in
            var optional: [UInt8] = []
            if sequence != nil || !extensions.isEmpty {
                optional = be16(sequence ?? 0) + [0, extensions.isEmpty ? 0 : 0x85]
            }
            for (index, body) in extensions.enumerated() {
                optional += [UInt8((body.count + 2) / 4)] + body + [index == extensions.count - 1 ? 0 : 0x85]
            }
            let present: UInt8 = 0x30 | (sequence == nil ? 0 : 0x02) | (extensions.isEmpty ? 0 : 0x04)
            let size = length ?? UInt16(truncatingIfNeeded: optional.count + inside.bytes.count)
            return Inside(bytes: [flags ?? present, type] + be16(size) + be32(tunnel) + optional + inside.bytes)
        }
    }

    /// What may stand before IPv6 in Teredo (RFC 4380 section 5.1.1), in UDP from or to port 3544.
    public func teredo(authentication: (client: [UInt8], value: [UInt8])? = nil, hasOrigin: Bool = false)
        -> PacketBuilder
    {
        var header: [UInt8] = []
        if let authentication {
            header += [0, 1, UInt8(authentication.client.count), UInt8(authentication.value.count)]
            header += authentication.client + authentication.value + [UInt8](repeating: 0x55, count: 8) + [0]
        }
        if hasOrigin { header += [0, 0, 0x12, 0x34, 0xF5, 0xFF, 0xFF, 0xFE] }
        let bytes = header
        return adding { inside, _ in Inside(bytes: bytes + inside.bytes) }
    }

    /// RFC 3378.
    public func etherIP(version: UInt8 = 3) -> PacketBuilder {
        adding { inside, _ in Inside(bytes: [version << 4, 0] + inside.bytes, ipProtocol: 97) }
    }
}
