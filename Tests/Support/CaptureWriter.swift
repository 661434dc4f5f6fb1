import CZlib
import Glibc

/// Numbers, one behind another, in a byte order.
public struct ByteWriter: Sendable {
    public var bytes: [UInt8] = []
    public var isBigEndian: Bool

    public init(isBigEndian: Bool = false) {
        self.isBigEndian = isBigEndian
    }

    public mutating func put(_ value: some FixedWidthInteger) {
        let value = isBigEndian ? value.bigEndian : value.littleEndian
        unsafe withUnsafeBytes(of: value) { bytes += unsafe Array($0) }
    }

    /// Zeros up to the next multiple of four.
    public mutating func pad() {
        bytes += [UInt8](repeating: 0, count: -bytes.count & 3)
    }
}

/// A pcap file, field by field. What is nil is computed to fit. Source: draft-ietf-opsawg-pcap.
public struct PcapWriter: Sendable {
    public enum Variant: UInt32, CaseIterable, Sendable {
        case micro = 0xa1b2_c3d4
        case nano = 0xa1b2_3c4d
        /// Eight bytes more in each record.
        case modified = 0xa1b2_cd34
    }

    private var writer: ByteWriter
    public let variant: Variant

    public var bytes: [UInt8] { writer.bytes }

    /// - Parameter link: the whole word: link type, and above it what is said of the check sequence.
    public init(
        _ variant: Variant = .micro,
        isBigEndian: Bool = false,
        major: UInt16 = 2,
        minor: UInt16 = 4,
        snapLength: UInt32 = 65535,
        link: UInt32 = 1
    ) {
        self.variant = variant
        writer = ByteWriter(isBigEndian: isBigEndian)
        writer.put(variant.rawValue)
        writer.put(major)
        writer.put(minor)
        writer.put(UInt32(0))  // zone
        writer.put(UInt32(0))  // accuracy
        writer.put(snapLength)
        writer.put(link)
    }

    /// - Parameter fraction: micro- or nanoseconds.
    public mutating func record(
        _ frame: [UInt8],
        seconds: UInt32 = 0,
        fraction: UInt32 = 0,
        captured: UInt32? = nil,
        wire: UInt32? = nil
    ) {
        writer.put(seconds)
        writer.put(fraction)
        writer.put(captured ?? UInt32(frame.count))
        writer.put(wire ?? UInt32(frame.count))
        if variant == .modified {
            writer.put(UInt32(2))  // interface
            writer.put(UInt16(0x0800))  // protocol
            writer.put(UInt16(0))  // packet type, padding
        }
        writer.bytes += frame
    }

    /// A record at a time in nanoseconds since 1970.
    public mutating func record(_ frame: [UInt8], time: Int64, wire: UInt32? = nil) {
        let fraction = time % 1_000_000_000
        record(
            frame,
            seconds: UInt32(time / 1_000_000_000),
            fraction: UInt32(variant == .nano ? fraction : fraction / 1000),
            wire: wire
        )
    }
}

/// A pcapng file, block by block. What is nil is computed to fit. Source: draft-ietf-opsawg-pcapng.
public struct PcapngWriter: Sendable {
    public private(set) var bytes: [UInt8] = []
    public private(set) var isBigEndian = false

    public init() {}

    /// An option of a block.
    public struct Option: Sendable {
        public var kind: UInt16
        public var value: [UInt8]
        /// What it says its length is.
        public var length: UInt16?

        public init(_ kind: UInt16, _ value: [UInt8], length: UInt16? = nil) {
            self.kind = kind
            self.value = value
            self.length = length
        }

        public static func comment(_ text: String) -> Option { Option(1, Array(text.utf8)) }
        public static func name(_ text: String) -> Option { Option(2, Array(text.utf8)) }
        /// if_tsresol: 10^-n, or 2^-n with the highest bit set.
        public static func resolution(_ value: UInt8) -> Option { Option(9, [value]) }
        public static func checkLength(_ value: UInt8) -> Option { Option(13, [value]) }
    }

    /// if_tsoffset, in the byte order of the section.
    public func timeOffset(_ seconds: Int64) -> Option { Option(14, words(seconds)) }
    /// epb_flags, in the byte order of the section.
    public func flags(_ flags: UInt32) -> Option { Option(2, words(flags)) }

    private func words(_ value: some FixedWidthInteger) -> [UInt8] {
        var writer = ByteWriter(isBigEndian: isBigEndian)
        writer.put(value)
        return writer.bytes
    }

    /// A block of any kind around a body.
    /// - Parameters:
    ///   - start: the length said at its start.
    ///   - end: the length said at its end.
    public mutating func block(_ kind: UInt32, _ body: [UInt8], start: UInt32? = nil, end: UInt32? = nil) {
        var writer = ByteWriter(isBigEndian: isBigEndian)
        let length = UInt32((body.count + 3) & ~3) + 12
        writer.put(kind)
        writer.put(start ?? length)
        writer.bytes += body
        writer.pad()
        writer.put(end ?? start ?? length)
        bytes += writer.bytes
    }

    private func body(_ options: [Option], _ fill: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter(isBigEndian: isBigEndian)
        fill(&writer)
        writer.pad()
        for option in options {
            writer.put(option.kind)
            writer.put(option.length ?? UInt16(option.value.count))
            writer.bytes += option.value
            writer.pad()
        }
        if !options.isEmpty { writer.put(UInt32(0)) }  // opt_endofopt
        return writer.bytes
    }

    /// A section header: what follows is of this byte order.
    public mutating func section(
        isBigEndian: Bool = false,
        major: UInt16 = 1,
        minor: UInt16 = 0,
        magic: UInt32 = 0x1a2b_3c4d,
        length: Int64 = -1,
        options: [Option] = []
    ) {
        self.isBigEndian = isBigEndian
        let body = body(options) {
            $0.put(magic)
            $0.put(major)
            $0.put(minor)
            $0.put(length)
        }
        block(0x0a0d_0d0a, body)
    }

    public mutating func interface(link: UInt16 = 1, snapLength: UInt32 = 0, options: [Option] = []) {
        let body = body(options) {
            $0.put(link)
            $0.put(UInt16(0))  // reserved
            $0.put(snapLength)
        }
        block(1, body)
    }

    /// An enhanced packet block.
    /// - Parameter time: in the interface's units.
    public mutating func packet(
        _ frame: [UInt8],
        interface: UInt32 = 0,
        time: UInt64 = 0,
        captured: UInt32? = nil,
        wire: UInt32? = nil,
        options: [Option] = []
    ) {
        let body = body(options) {
            $0.put(interface)
            $0.put(UInt32(time >> 32))
            $0.put(UInt32(truncatingIfNeeded: time))
            $0.put(captured ?? UInt32(frame.count))
            $0.put(wire ?? UInt32(frame.count))
            $0.bytes += frame
        }
        block(6, body)
    }

    /// A packet block, which the enhanced one made obsolete.
    public mutating func obsoletePacket(
        _ frame: [UInt8],
        interface: UInt16 = 0,
        drops: UInt16 = 0,
        time: UInt64 = 0,
        wire: UInt32? = nil,
        options: [Option] = []
    ) {
        let body = body(options) {
            $0.put(interface)
            $0.put(drops)
            $0.put(UInt32(time >> 32))
            $0.put(UInt32(truncatingIfNeeded: time))
            $0.put(UInt32(frame.count))
            $0.put(wire ?? UInt32(frame.count))
            $0.bytes += frame
        }
        block(2, body)
    }

    public mutating func simplePacket(_ frame: [UInt8], wire: UInt32? = nil) {
        let body = body([]) {
            $0.put(wire ?? UInt32(frame.count))
            $0.bytes += frame
        }
        block(3, body)
    }

    /// Name resolution, interface statistics, decryption secrets, a custom and an unknown block.
    public mutating func otherBlocks() {
        block(4, body([]) { $0.put(UInt32(0)) })
        block(5, body([]) { for _ in 0..<3 { $0.put(UInt32(0)) } })
        block(10, body([]) { for word in [0x544c_534b, 0] as [UInt32] { $0.put(word) } })
        block(0xbad, body([]) { for word in [32473, 7] as [UInt32] { $0.put(word) } })
        block(0x7fff_1234, [1, 2, 3])
        block(0x7fff_1235, [])
    }
}

/// One member of gzip data.
public func gzip(_ bytes: [UInt8]) -> [UInt8] {
    // On the heap because zlib keeps its address.
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    defer { unsafe stream.deallocate() }
    let size = Int32(unsafe MemoryLayout<z_stream>.size)
    // 15: the largest window; 16: a gzip header.
    let code = unsafe deflateInit2_(stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
    precondition(code == Z_OK)
    defer { _ = unsafe deflateEnd(stream) }
    var input = bytes
    let bound = Int(unsafe deflateBound(stream, UInt(bytes.count)))
    return unsafe input.withUnsafeMutableBufferPointer { input in
        unsafe [UInt8](unsafeUninitializedCapacity: bound) { packed, count in
            unsafe stream.pointee.next_in = input.baseAddress
            unsafe stream.pointee.avail_in = UInt32(input.count)
            unsafe stream.pointee.next_out = packed.baseAddress
            unsafe stream.pointee.avail_out = UInt32(packed.count)
            precondition(unsafe deflate(stream, Z_FINISH) == Z_STREAM_END)
            count = unsafe packed.count - Int(stream.pointee.avail_out)
        }
    }
}
