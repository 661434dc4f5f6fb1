extension PacketBuilder {
    /// A data frame of IEEE 802.11, from a station to its access point (`distribution` 1), to a station (2), between
    /// two access points (3, four addresses) or without one (0). `kind` is the first byte: 0x08 data, 0x88 with QoS.
    public func wireless(
        distribution: UInt8 = 1,
        kind: UInt8 = 0x08,
        flags: UInt8 = 0,
        fragment: UInt16 = 0,
        isAggregate: Bool = false,
        padding: Int = 0
    ) -> PacketBuilder {
        adding { inside, _ in
            var header = [kind, distribution | flags, 0, 0]
            for address in 1...3 { header += [2, 0, 0, 0, 0, UInt8(address)] }
            header += [UInt8(fragment & 0x0F), 0]
            if distribution == 3 { header += [2, 0, 0, 0, 0, 4] }
            if kind & 0x80 != 0 { header += [isAggregate ? 0x80 : 0, 0] }
            if kind & 0x80 != 0, flags & 0x80 != 0 { header += [0, 0, 0, 0] }  // high throughput control
            return Inside(bytes: header + [UInt8](repeating: 0, count: padding) + inside.bytes)
        }
    }

    /// LLC and SNAP (RFC 1042). `type` names what follows; nil computes it.
    public func snap(organisation: [UInt8] = [0, 0, 0], type: UInt16? = nil) -> PacketBuilder {
        adding { inside, _ in
            Inside(bytes: [0xAA, 0xAA, 0x03] + organisation + be16(type ?? inside.etherType) + inside.bytes)
        }
    }

    /// Radiotap with its flags (0x10 a checksum at the end, 0x20 padding behind the 802.11 header), a timestamp before
    /// them if there is one, and as many further words of announced fields as `moreWords`.
    public func radiotap(
        flags: UInt8? = nil,
        hasTimestamp: Bool = false,
        moreWords: Int = 0,
        version: UInt8 = 0,
        length: UInt16? = nil
    ) -> PacketBuilder {
        adding { inside, _ in
            func word(_ value: UInt32) -> [UInt8] { be32(value).reversed() }
            var fields: UInt32 = (hasTimestamp ? 1 : 0) | (flags == nil ? 0 : 2)
            if moreWords > 0 { fields |= 1 << 31 }
            var rest = word(fields)
            for index in 0..<moreWords { rest += word(index == moreWords - 1 ? 0 : 1 << 31) }
            if hasTimestamp {
                rest += [UInt8](repeating: 0, count: (8 - (rest.count + 4) % 8) % 8 + 8)
            }
            if let flags { rest.append(flags) }
            let size = length ?? UInt16(4 + rest.count)
            return Inside(bytes: [version, 0] + be16(size).reversed() + rest + inside.bytes)
        }
    }
}
