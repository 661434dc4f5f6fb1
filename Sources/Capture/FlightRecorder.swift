/// The beginnings of the last frames, in memory that is allocated once.
///
/// It has two halves: one is written, the other holds what came before, until the first is full and they change places. So
/// it always holds the last frames, of half its bytes at least.
@safe
// Sendable: it cannot be copied, so one thread at a time uses its memory.
public struct FlightRecorder: ~Copyable, @unchecked Sendable {
    /// Bytes of one half.
    private let half: Int
    private let base: UnsafeMutableRawPointer
    /// Where the half being written begins, 0 or `half`, and how much of it is written.
    private var start = 0
    private var count = 0
    /// Of the other half.
    private var countBefore = 0

    /// - Parameter capacity: in bytes; below 1 KiB nothing is kept.
    public init(capacity: Int) {
        half = capacity < 1_024 ? 0 : capacity / 2 & ~7
        // What is never written takes no memory.
        unsafe base = .allocate(byteCount: max(2 * half, 8), alignment: 8)
    }

    deinit { unsafe base.deallocate() }

    public var isOff: Bool { half == 0 }

    /// Keeps a frame's first bytes.
    /// - Parameter bytes: those that are kept, at most 65,535.
    public mutating func append(_ info: FrameInfo, interface: UInt32, _ bytes: RawSpan) {
        let size = RecordedFrame.size(bytes.byteCount)
        guard size <= half else { return }
        if count &+ size > half {
            (start, countBefore, count) = (half &- start, count, 0)
        }
        let place = unsafe base + (start + count)
        let frame = RecordedFrame(info, interface: interface, captured: bytes.byteCount)
        unsafe place.storeBytes(of: frame, as: RecordedFrame.self)
        let room = unsafe UnsafeMutableRawBufferPointer(start: place + RecordedFrame.headerSize, count: bytes.byteCount)
        unsafe bytes.withUnsafeBytes { unsafe room.copyMemory(from: $0) }
        count &+= size
    }

    /// Adds what is held to a recording, oldest first.
    public func copy(to recording: inout Recording) {
        for (start, count) in [(half - start, countBefore), (start, count)] where count > 0 {
            unsafe recording.append(UnsafeRawBufferPointer(start: base + start, count: count))
        }
    }
}

/// What is known of a recorded frame. Its bytes stand behind it.
public struct RecordedFrame: BitwiseCopyable, Sendable {
    /// Wall time in nanoseconds since 1970.
    public let time: Int64
    /// Bytes on the wire, without a tag that was stripped.
    public let wireLength: UInt32
    public let interface: UInt32
    /// EtherType and control of the tag that was stripped, 0 when there was none.
    let tagProtocol: UInt16
    let tagControl: UInt16
    let link: UInt16
    /// Bytes behind this header.
    let captured: UInt16
    let direction: UInt8

    static let headerSize = MemoryLayout<RecordedFrame>.stride

    /// Of a record with so many bytes of its frame.
    static func size(_ captured: Int) -> Int { headerSize + (captured + 7) & ~7 }

    init(_ info: FrameInfo, interface: UInt32, captured: Int) {
        time = info.time
        wireLength = info.wireLength
        self.interface = interface
        tagProtocol = info.tag?.protocolID ?? 0
        tagControl = info.tag?.control ?? 0
        link = info.link.rawValue
        self.captured = UInt16(clamping: captured)
        direction = info.direction.rawValue
    }

    /// As it came from the ring.
    public var info: FrameInfo {
        FrameInfo(
            time: time,
            wireLength: wireLength,
            link: LinkType(rawValue: link),
            direction: FrameInfo.Direction(rawValue: direction) ?? .unknown,
            tag: tagProtocol == 0 ? nil : VLANTag(protocolID: tagProtocol, control: tagControl)
        )
    }
}
