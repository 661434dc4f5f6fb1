public import Linux

/// A receive ring on one interface: its socket, its memory and what the kernel said about it.
///
/// It needs no privilege: it works upon a socket that someone else opened. One thread owns it.
public struct Ring: ~Copyable, Sendable {
    public let socket: PacketSocket
    public let geometry: RingGeometry
    /// What the kernel counted until the last `updateStatistics()`.
    public private(set) var statistics = RingStatistics()
    private let mapping: Mapping
    private var blocks: RingBlocks

    /// Maps the ring of a socket.
    /// - Parameter geometry: the ring that the socket has, as `PacketSocket.init` answered it.
    public init(_ socket: consuming PacketSocket, geometry: RingGeometry) throws(SystemError) {
        let mapping = try Mapping(socket.descriptor, byteCount: geometry.byteCount)
        blocks = unsafe RingBlocks(base: mapping.base, geometry: geometry)
        self.mapping = mapping
        self.socket = socket
        self.geometry = geometry
    }

    /// Hands every frame that waits, in at most `limit` blocks, to `body`. Wait with `Poller` for more.
    ///
    /// The bytes start at the link header and last as long as the call of `body`.
    /// - Parameters:
    ///   - limit: blocks after which to return although more wait, so that other work gets its turn.
    ///   - state: what `body` works upon, as with `reduce(into:)`.
    /// - Returns: the number of blocks read.
    @discardableResult
    @inline(__always)
    public mutating func walk<State: ~Copyable>(
        atMost limit: Int,
        into state: inout State,
        _ body: (inout State, FrameInfo, RawSpan) -> Void
    ) -> Int {
        blocks.walk(atMost: limit, into: &state, body)
    }

    /// Frames handed to a body so far.
    public var frames: UInt64 { blocks.frames }

    /// Blocks that were cut short because their headers contradicted themselves; a healthy kernel makes none.
    public var malformedBlocks: UInt64 { blocks.malformedBlocks }

    /// How full the ring is, from 0 to 1: blocks that wait to be read.
    public var fill: Double { Double(blocks.waiting) / Double(geometry.blockCount) }

    /// Frames in the block that the next `walk` begins with; 0 when none waits.
    public var framesInNextBlock: Int { blocks.framesInNext }

    /// Asks the kernel for its counts since the last time and adds them up.
    ///
    /// Frames counted there but not yet handed to a body are in flight: `statistics.frames - dropped - frames`.
    public mutating func updateStatistics() throws(SystemError) {
        statistics += try socket.takeStatistics()
    }
}
