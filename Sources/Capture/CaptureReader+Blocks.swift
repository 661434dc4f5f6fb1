// The pcapng format: a file is a row of blocks. Source: draft-ietf-opsawg-pcapng.

/// Kinds of blocks; every other is passed over.
private enum Kind {
    static let section: UInt32 = 0x0a0d_0d0a
    static let interface: UInt32 = 1
    static let obsoletePacket: UInt32 = 2
    static let simplePacket: UInt32 = 3
    static let packet: UInt32 = 6
}

/// Kinds of options.
private enum Option {
    static let end: UInt16 = 0
    static let packetFlags: UInt16 = 2
    static let interfaceName: UInt16 = 2
    static let interfaceResolution: UInt16 = 9
    static let interfaceCheckLength: UInt16 = 13
    static let interfaceOffset: UInt16 = 14
}

extension CaptureReader {
    /// Kind, length, and the length again at the end.
    private static var frameOfBlock: Int { 12 }

    mutating func nextBlock() throws(CaptureFileError) -> FrameInfo? {
        while true {
            if input.available < Self.frameOfBlock, try !reach(Self.frameOfBlock) { return nil }
            // Reads the same in both byte orders, one of which only the block itself tells.
            if word(0) == Kind.section { try readByteOrder() }
            let kind = word(0)
            let length = word(4)
            guard length <= UInt32(Self.longestRecord) else { throw failure(.tooLong(length)) }
            // Some writers leave out the padding from the length, not from the block.
            let size = (Int(length) &+ 3) & ~3
            guard size >= Self.frameOfBlock else { throw failure(.blockTooShort(kind: kind, length: length)) }
            if input.available < size { _ = try reach(size) }
            guard word(size &- 4) == length else {
                throw failure(.lengthMismatch(start: length, end: word(size &- 4)))
            }
            switch kind {
            case Kind.packet, Kind.obsoletePacket:
                return try readPacket(size, interface: kind == Kind.packet ? word(8) : UInt32(half(8)))
            case Kind.simplePacket: return try readSimplePacket(size)
            case Kind.section: try readSection(size)
            case Kind.interface: try readInterface(size)
            default: break
            }
            unsafe input.cursor += size
        }
    }
}

// MARK: - Packets

extension CaptureReader {
    /// Reads an enhanced packet block, or its obsolete forerunner: behind the interface they are alike.
    @inline(__always)
    private mutating func readPacket(_ size: Int, interface index: UInt32) throws(CaptureFileError) -> FrameInfo {
        let header = 28
        guard size >= header &+ 4 else { throw failure(.blockTooShort(kind: word(0), length: word(4))) }
        guard Int(index) < interfaces.count else { throw failure(.noInterface(index, known: interfaces.count)) }
        let captured = word(20)
        let room = size &- header &- 4
        guard Int(captured) <= room else { throw failure(.overrun(length: captured, room: room)) }
        let interface = unsafe interfaces[Int(index)]
        let time = unsafe interface.pointee.time(UInt64(word(12)) << 32 | UInt64(word(16)))
        lastTime = time
        var check = unsafe interface.pointee.checkLength
        var direction = FrameInfo.Direction.unknown
        let options = header &+ (Int(captured) &+ 3) & ~3
        if size &- 4 &- options >= 8 {
            let flags = flags(in: options..<size &- 4)
            direction = flags & 3 == 1 ? .incoming : flags & 3 == 2 ? .outgoing : .unknown
            let own = flags >> 5 & 0xf
            check = own > 0 ? own : check
        }
        let lengths = FrameLengths(captured, word(24), check: check)
        take(size, frame: header, lengths)
        return FrameInfo(
            time: time,
            wireLength: lengths.wire,
            interface: unsafe interface.pointee.number,
            link: unsafe interface.pointee.link,
            direction: direction
        )
    }

    /// What the options of a packet say of its direction and check sequence; 0 if nothing.
    @inline(never)
    private func flags(in options: Range<Int>) -> UInt32 {
        var place = options.lowerBound
        // An option that makes no sense ends the options, not the reading: the packet itself is whole.
        while place + 4 <= options.upperBound {
            let (kind, length) = (half(place), Int(half(place + 2)))
            guard kind != Option.end, length <= options.upperBound - place - 4 else { break }
            if kind == Option.packetFlags, length == 4 { return word(place + 4) }
            place += 4 + (length + 3) & ~3
        }
        return 0
    }

    /// A simple packet block has neither interface nor time: it is of the first, and as old as the frame before it.
    @inline(never)
    private mutating func readSimplePacket(_ size: Int) throws(CaptureFileError) -> FrameInfo {
        guard size >= 16 else { throw failure(.blockTooShort(kind: word(0), length: word(4))) }
        guard interfaces.count > 0 else { throw failure(.noInterface(0, known: 0)) }
        let interface = unsafe interfaces[0].pointee
        let wire = word(8)
        let captured = interface.snapLength == 0 ? wire : min(wire, interface.snapLength)
        guard Int(captured) <= size - 16 else { throw failure(.overrun(length: captured, room: size - 16)) }
        let lengths = FrameLengths(captured, wire, check: interface.checkLength)
        take(size, frame: 12, lengths)
        return FrameInfo(
            time: lastTime,
            wireLength: lengths.wire,
            interface: interface.number,
            link: interface.link
        )
    }
}

// MARK: - Sections and interfaces

extension CaptureReader {
    @inline(never)
    private mutating func readByteOrder() throws(CaptureFileError) {
        if input.available < 12 { _ = try reach(12) }
        isSwapped = false
        switch word(8) {
        case 0x1a2b_3c4d: break
        case 0x4d3c_2b1a: isSwapped = true
        case let other: throw failure(.noByteOrder(other))
        }
    }

    @inline(never)
    private mutating func readSection(_ size: Int) throws(CaptureFileError) {
        guard size >= 28 else { throw failure(.blockTooShort(kind: Kind.section, length: word(4))) }
        let (major, minor) = (half(12), half(14))
        guard major == 1 else { throw failure(.version(format: "pcapng", major: major, minor: minor)) }
        interfaces.removeAll()
        kinds.removeAll(keepingCapacity: true)
    }

    @inline(never)
    private mutating func readInterface(_ size: Int) throws(CaptureFileError) {
        guard size >= 20 else { throw failure(.blockTooShort(kind: Kind.interface, length: word(4))) }
        let link = LinkType(rawValue: half(8))
        var kind = InterfaceNumbers.Kind(link: link.rawValue)
        var (checkLength, offset, resolution) = (UInt32(0), Int64(0), CaptureInterface.Resolution.decimal(6))
        var place = 16
        while place + 4 <= size - 4 {
            let (option, length) = (half(place), Int(half(place + 2)))
            if option == Option.end { break }
            let room = size - 4 - place - 4
            // Going on would take every time of the interface wrongly.
            guard length <= room else { throw failure(.overrun(length: UInt32(length), room: room)) }
            place += 4
            switch (option, length) {
            case (Option.interfaceName, _): kind.name = hash(place..<place + length)
            case (Option.interfaceResolution, 1): resolution = CaptureInterface.Resolution(option: byte(place))
            case (Option.interfaceCheckLength, 1): checkLength = UInt32(byte(place))
            case (Option.interfaceOffset, 8):
                let seconds = isSwapped ? (word(place), word(place + 4)) : (word(place + 4), word(place))
                offset = CaptureInterface.nanoseconds(
                    seconds: Int64(bitPattern: UInt64(seconds.0) << 32 | UInt64(seconds.1))
                )
            default: break
            }
            place += (length + 3) & ~3
        }
        let namesakes = kinds[kind, default: 0]
        guard interfaces.count < InterfaceNumbers.limit, let number = numbers.number(kind, place: namesakes) else {
            throw failure(.tooManyInterfaces)
        }
        kinds[kind] = namesakes + 1
        interfaces.append(
            CaptureInterface(
                number: number,
                link: link,
                snapLength: word(12),
                checkLength: checkLength,
                resolution: resolution,
                offset: offset
            )
        )
    }

    private func byte(_ place: Int) -> UInt8 {
        unsafe input.cursor.load(fromByteOffset: place, as: UInt8.self)
    }

    /// FNV-1a, up to the first NUL: a name of any length takes eight bytes, and the same ones in every run. Never 0.
    private func hash(_ name: Range<Int>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for place in name {
            let byte = byte(place)
            if byte == 0 { break }
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        return max(hash, 1)
    }
}
