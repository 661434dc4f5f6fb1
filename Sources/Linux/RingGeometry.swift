/// Shape of a TPACKET_V3 ring: `blockCount` blocks of `blockSize` bytes that kernel and reader pass to each other.
///
/// Source: Documentation/networking/packet_mmap.rst.
public struct RingGeometry: Equatable, Sendable {
    /// Bytes in a block: a power of two, 64 KiB to 1 MiB when made by `sharing`. The longest captured frame fits in one.
    public let blockSize: Int
    public let blockCount: Int

    /// Milliseconds after which the kernel hands over a block that holds frames but is not full.
    ///
    /// It bounds how late a frame is seen. With the block count it also bounds how long the reader of a quiet interface
    /// may be away before blocks run out: 16 blocks last about a second.
    public static let retireMilliseconds = 60

    public init(blockSize: Int, blockCount: Int) {
        precondition(blockSize >= 4096 && blockSize & (blockSize - 1) == 0, "a block is a power of two of pages")
        precondition(blockCount > 0)
        self.blockSize = blockSize
        self.blockCount = blockCount
    }

    /// Bytes of kernel memory.
    public var byteCount: Int { blockSize * blockCount }

    /// The ring of each of `rings` (workers x interfaces) when all share `budget` bytes.
    ///
    /// Blocks are as large as leaves 16 of them (1 MiB, 256 KiB or 64 KiB): fewer hand-overs under load, and yet no loss
    /// while the reader of a quiet interface is away for a second.
    /// - Returns: nil when a share is below the smallest ring, 4 blocks of 64 KiB: use fewer workers or interfaces.
    public static func sharing(_ budget: Int = 32 << 20, rings: Int) -> RingGeometry? {
        precondition(rings > 0 && budget >= 0)
        let share = budget / rings
        let size = [1 << 20, 256 << 10].first { share / $0 >= 16 } ?? 64 << 10
        return share / size >= 4 ? RingGeometry(blockSize: size, blockCount: share / size) : nil
    }

    /// The same blocks, half as many; nil when there is but one.
    public var halved: RingGeometry? {
        blockCount > 1 ? RingGeometry(blockSize: blockSize, blockCount: blockCount / 2) : nil
    }
}
