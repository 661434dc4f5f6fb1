/// Frames that a recorder kept.
public struct Recording: Equatable, Sendable {
    private var bytes: [UInt8] = []

    public init() {}

    /// Bytes that it takes.
    public var size: Int { bytes.count }
    public var isEmpty: Bool { bytes.isEmpty }

    @unsafe
    mutating func append(_ records: UnsafeRawBufferPointer) {
        unsafe bytes.append(contentsOf: records)
    }

    /// Hands out every frame, in the order in which they were added.
    public func forEach(_ body: (RecordedFrame, RawSpan) -> Void) {
        let written = bytes.span
        let all = unsafe written.bytes
        var place = 0
        while place < all.byteCount {
            let frame = unsafe all.unsafeLoadUnaligned(fromByteOffset: place, as: RecordedFrame.self)
            let start = place + RecordedFrame.headerSize
            body(frame, all.extracting(start..<start + Int(frame.captured)))
            place += RecordedFrame.size(Int(frame.captured))
        }
    }

    /// The frames that fit, by time; of more than there is room for, the latest.
    /// - Parameter room: bytes that these may take.
    public func selecting(atMost room: Int = .max, where isWanted: (RecordedFrame, RawSpan) -> Bool) -> Recording {
        var found: [(time: Int64, range: Range<Int>)] = []
        var place = 0
        forEach { frame, bytes in
            let end = place + RecordedFrame.size(Int(frame.captured))
            if isWanted(frame, bytes) { found.append((frame.time, place..<end)) }
            place = end
        }
        // By place where times are equal.
        found.sort { ($0.time, $0.range.lowerBound) < ($1.time, $1.range.lowerBound) }
        var (first, taken) = (found.count, 0)
        while first > 0, taken + found[first - 1].range.count <= room {
            first -= 1
            taken += found[first].range.count
        }
        var selected = Recording()
        selected.bytes.reserveCapacity(taken)
        for (_, range) in found[first...] { selected.bytes += bytes[range] }
        return selected
    }

    public static func + (left: Recording, right: Recording) -> Recording {
        var sum = left
        sum.bytes += right.bytes
        return sum
    }
}

// MARK: - pcapng

extension Recording {
    /// A capture in the format pcapng, with nanoseconds, interfaces and directions (draft-ietf-opsawg-pcapng).
    ///
    /// Tags that a card stripped stand in their frames again. A frame that was segmented by the card stands as it was handed
    /// over: one for several.
    /// - Parameter names: of interfaces.
    public func pcapng(_ names: [UInt32: String]) -> [UInt8] {
        var output = BlockWriter()
        output.block(0x0A0D_0D0A) { block in
            block.put(0x1A2B_3C4D as UInt32)
            for half in [1, 0] as [UInt16] { block.put(half) }
            block.put(UInt64.max)
        }
        var places: [UInt64: UInt32] = [:]
        forEach { frame, bytes in
            let key = UInt64(frame.interface) << 16 | UInt64(frame.link)
            let place = places[key] ?? UInt32(places.count)
            if places.updateValue(place, forKey: key) == nil {
                output.interface(frame.link, names[frame.interface] ?? "\(frame.interface)")
            }
            output.packet(frame, bytes, place)
        }
        return output.bytes
    }
}

/// Writes blocks of pcapng, little-endian.
private struct BlockWriter {
    var bytes: [UInt8] = []

    mutating func put(_ value: some FixedWidthInteger) {
        var rest = value
        for _ in 0..<value.bitWidth / 8 {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    private mutating func pad() {
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    mutating func block(_ type: UInt32, _ body: (inout BlockWriter) -> Void) {
        let start = bytes.count
        put(type)
        put(UInt32(0))
        body(&self)
        pad()
        let length = UInt32(bytes.count - start + 4)
        put(length)
        for place in 0..<4 { bytes[start + 4 + place] = UInt8(truncatingIfNeeded: length >> UInt32(8 * place)) }
    }

    private mutating func option(_ code: UInt16, _ value: [UInt8]) {
        put(code)
        put(UInt16(value.count))
        bytes += value
        pad()
    }

    mutating func interface(_ link: UInt16, _ name: String) {
        block(1) { block in
            block.put(link)
            block.put(UInt16(0))
            block.put(UInt32(0))
            block.option(2, Array(name.utf8.prefix(64)))
            // Nanoseconds.
            block.option(9, [9])
            block.option(0, [])
        }
    }

    mutating func packet(_ frame: RecordedFrame, _ data: RawSpan, _ interface: UInt32) {
        // The tag stands behind the two addresses.
        let hasTag = frame.tagProtocol != 0 && data.byteCount >= 12
        let tag: UInt32 = hasTag ? 4 : 0
        block(6) { block in
            let time = UInt64(max(frame.time, 0))
            block.put(interface)
            block.put(UInt32(time >> 32))
            block.put(UInt32(truncatingIfNeeded: time))
            block.put(UInt32(data.byteCount) + tag)
            block.put(frame.wireLength + tag)
            block.append(data.extracting(first: hasTag ? 12 : 0))
            if hasTag {
                block.put(frame.tagProtocol.bigEndian)
                block.put(frame.tagControl.bigEndian)
            }
            block.append(data.extracting(droppingFirst: hasTag ? 12 : 0))
            block.pad()
            block.option(2, [frame.direction, 0, 0, 0])
            block.option(0, [])
        }
    }

    private mutating func append(_ data: RawSpan) {
        unsafe data.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }
}
