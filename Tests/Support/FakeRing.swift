import CLinux
import Glibc

/// A TPACKET_V3 ring in ordinary memory, written by a test as the kernel writes one, or as it never would.
@safe
public final class FakeRing {
    public let blockSize: Int
    public let blockCount: Int
    /// `blockSize * blockCount` bytes, and a page behind them that nobody may touch.
    public let base: UnsafeMutableRawPointer
    private static let guardSize = 4096

    public init(blockSize: Int = 4096, blockCount: Int = 2) {
        self.blockSize = blockSize
        self.blockCount = blockCount
        let size = blockSize * blockCount
        let memory = unsafe mmap(
            nil,
            size + Self.guardSize,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS,
            -1,
            0
        )
        guard let memory = unsafe memory, unsafe memory != MAP_FAILED else { fatalError("mmap") }
        precondition(unsafe mprotect(memory + size, Self.guardSize, PROT_NONE) == 0)
        unsafe base = memory
    }

    deinit {
        _ = unsafe munmap(base, blockSize * blockCount + Self.guardSize)
    }

    /// One frame as it lies in a block. What is nil is computed to fit.
    public struct Frame {
        public var bytes: [UInt8]
        public var seconds: UInt32 = 0
        public var nanoseconds: UInt32 = 0
        public var status: UInt32 = 0
        public var wireLength: UInt32?
        public var capturedLength: UInt32?
        public var macOffset: UInt16?
        public var nextOffset: UInt32?
        public var tci: UInt32 = 0
        public var tpid: UInt16 = 0
        public var hardware: UInt16 = 1
        public var packetType: UInt8 = 0
        public var offloadKind: UInt8 = 0
        public var segmentSize: UInt16 = 0

        public init(_ bytes: [UInt8]) {
            self.bytes = bytes
        }
    }

    /// Bytes between the start of a frame's header and its first byte: header, address, vnet header, aligned.
    public static let macOffset = 80

    /// Lays out a block and hands it to the reader. What is nil is computed to fit.
    public func write(
        block index: Int,
        _ frames: [Frame],
        count: UInt32? = nil,
        first: UInt32? = nil,
        length: UInt32? = nil
    ) {
        let block = unsafe base + index * blockSize
        let header = 48
        var offset = Int(first ?? UInt32(header))
        for (place, frame) in frames.enumerated() {
            let step = (Self.macOffset + frame.bytes.count + 15) & ~15
            let isLast = place == frames.count - 1
            var fields = tpacket3_hdr()
            fields.tp_next_offset = frame.nextOffset ?? (isLast ? 0 : UInt32(step))
            fields.tp_sec = frame.seconds
            fields.tp_nsec = frame.nanoseconds
            fields.tp_snaplen = frame.capturedLength ?? UInt32(frame.bytes.count)
            fields.tp_len = frame.wireLength ?? UInt32(frame.bytes.count)
            fields.tp_status = frame.status
            fields.tp_mac = frame.macOffset ?? UInt16(Self.macOffset)
            fields.hv1.tp_vlan_tci = frame.tci
            fields.hv1.tp_vlan_tpid = frame.tpid
            var address = sockaddr_ll()
            address.sll_hatype = frame.hardware
            address.sll_pkttype = frame.packetType
            var offload = virtio_net_hdr()
            offload.gso_type = frame.offloadKind
            offload.gso_size = frame.segmentSize
            if offset >= 0, offset + step <= blockSize {
                let start = unsafe block + offset
                unsafe start.storeBytes(of: fields, as: tpacket3_hdr.self)
                unsafe (start + 48).storeBytes(of: address, as: sockaddr_ll.self)
                unsafe (start + Self.macOffset - 10).storeBytes(of: offload, as: virtio_net_hdr.self)
                unsafe UnsafeMutableRawBufferPointer(start: start + Self.macOffset, count: frame.bytes.count)
                    .copyBytes(from: frame.bytes)
            }
            offset += step
        }
        var description = tpacket_block_desc()
        unsafe description.hdr.bh1.num_pkts = count ?? UInt32(frames.count)
        unsafe description.hdr.bh1.offset_to_first_pkt = first ?? UInt32(header)
        unsafe description.hdr.bh1.blk_len = length ?? UInt32(min(offset, blockSize))
        unsafe description.hdr.bh1.block_status = UInt32(TP_STATUS_USER)
        unsafe block.storeBytes(of: description, as: tpacket_block_desc.self)
    }

    /// Overwrites one byte, counted from the start of the ring.
    public func poke(_ byte: UInt8, at offset: Int) {
        precondition(offset >= 0 && offset < blockSize * blockCount)
        unsafe base.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    }

    /// Whether a block belongs to the kernel, as after the reader gave it back.
    public func isFree(_ index: Int) -> Bool {
        unsafe base.load(fromByteOffset: index * blockSize + 8, as: UInt32.self) == 0
    }
}
