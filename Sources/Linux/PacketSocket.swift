import CLinux
import Glibc

/// An AF_PACKET socket with a TPACKET_V3 receive ring.
///
/// Opening needs CAP_NET_RAW; everything a reader does with it (mapping, waiting, statistics, state) needs no privilege,
/// so that one process may open it and another read it through the descriptor. Source: packet(7), packet_mmap.rst.
public struct PacketSocket: ~Copyable, Sendable {
    public let descriptor: Descriptor

    /// Takes over a socket that was opened elsewhere.
    public init(owning descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    /// Gives the socket away, for a reader elsewhere.
    public consuming func release() -> Descriptor { descriptor }

    /// Opens a ring on one interface; both directions arrive.
    ///
    /// Nothing reaches the ring before the filter stands: the socket is made with protocol 0, and a filter that refuses
    /// everything is exchanged for the real one last, when the socket is bound and shares its frames with its group.
    /// (A second socket of a group that is bound but not yet a member would get every frame a second time.)
    ///
    /// The kernel drops, and counts as dropped, a frame that segmentation offload joined in a way it cannot tell (SCTP).
    /// On `lo` every packet arrives twice, once as outgoing and once as incoming.
    /// - Parameters:
    ///   - interface: index of the interface; 0 is refused.
    ///   - geometry: the ring wanted. On return the ring there is: halved for as long as the kernel had no memory.
    ///   - filter: descriptor of a loaded program of type socket filter, which may be closed afterwards; nil lets every frame pass whole.
    ///   - group: the fanout group to share this interface's frames with.
    public init(
        interface: UInt32,
        geometry: inout RingGeometry,
        filter: Int32?,
        group: FanoutGroup? = nil
    ) throws(SystemError) {
        guard interface > 0 else { throw SystemError("bind(interface 0)", Errno(rawValue: ENODEV)) }
        let kind = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let socket = Descriptor(owning: try check("socket(AF_PACKET)") { Glibc.socket(AF_PACKET, kind, 0) })
        let number = socket.rawValue
        try setOption(number, SOL_PACKET, PACKET_VERSION, Int32(TPACKET_V3.rawValue), "PACKET_VERSION")
        try setOption(number, SOL_PACKET, PACKET_VNET_HDR, Int32(1), "PACKET_VNET_HDR")
        // Frames are then stamped where they enter the host, so that two rings tell one time for one frame.
        try setOption(number, SOL_SOCKET, SO_TIMESTAMPNS_OLD, Int32(1), "SO_TIMESTAMPNS")
        geometry = try Self.largestRing(geometry) { (geometry: RingGeometry) throws(SystemError) in
            try Self.makeRing(number, geometry)
        }
        try Self.refuseAll(number)
        try Self.bind(number, interface)
        if let group {
            try setOption(number, SOL_PACKET, PACKET_FANOUT, group.option, "PACKET_FANOUT")
            if let program = group.program {
                try setOption(number, SOL_PACKET, PACKET_FANOUT_DATA, program, "PACKET_FANOUT_DATA")
            }
        }
        if let filter {
            try setOption(number, SOL_SOCKET, SO_ATTACH_BPF, filter, "SO_ATTACH_BPF")
        } else {
            try setOption(number, SOL_SOCKET, SO_DETACH_FILTER, Int32(0), "SO_DETACH_FILTER")
        }
        descriptor = socket
    }

    /// Makes the largest ring for which there is memory: ENOMEM halves the number of blocks, down to one.
    static func largestRing(
        _ wanted: RingGeometry,
        make: (RingGeometry) throws(SystemError) -> Void
    ) throws(SystemError) -> RingGeometry {
        var geometry = wanted
        while true {
            do throws(SystemError) {
                try make(geometry)
                return geometry
            } catch {
                guard error.errno.rawValue == ENOMEM, let smaller = geometry.halved else { throw error }
                geometry = smaller
            }
        }
    }

    /// Lets nothing more in: what is in the ring already can then be read to the end.
    public func refuse() throws(SystemError) { try Self.refuseAll(descriptor.rawValue) }

    private static func makeRing(_ socket: Int32, _ geometry: RingGeometry) throws(SystemError) {
        // The kernel wants frames that fill the blocks; beyond that V3 makes no use of their size.
        let frameSize = 2048
        let request = tpacket_req3(
            tp_block_size: UInt32(geometry.blockSize),
            tp_block_nr: UInt32(geometry.blockCount),
            tp_frame_size: UInt32(frameSize),
            tp_frame_nr: UInt32(geometry.byteCount / frameSize),
            tp_retire_blk_tov: UInt32(RingGeometry.retireMilliseconds),
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0
        )
        try setOption(socket, SOL_PACKET, PACKET_RX_RING, request, "PACKET_RX_RING, \(geometry.byteCount) bytes")
    }

    private static func refuseAll(_ socket: Int32) throws(SystemError) {
        var instruction = sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: 0)
        try check("setsockopt(SO_ATTACH_FILTER)") {
            unsafe withUnsafeMutablePointer(to: &instruction) { instruction -> Int32 in
                var program = unsafe sock_fprog(len: 1, filter: instruction)
                let size = unsafe socklen_t(MemoryLayout<sock_fprog>.size)
                return unsafe setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, size)
            }
        }
    }

    private static func bind(_ socket: Int32, _ interface: UInt32) throws(SystemError) {
        var address = sockaddr_ll()
        address.sll_family = UInt16(AF_PACKET)
        address.sll_protocol = UInt16(ETH_P_ALL).bigEndian
        address.sll_ifindex = Int32(bitPattern: interface)
        let size = socklen_t(MemoryLayout<sockaddr_ll>.size)
        try check("bind(AF_PACKET, interface \(interface))") {
            unsafe withUnsafeBytes(of: &address) { bytes -> Int32 in
                guard let start = bytes.baseAddress else { return -1 }
                return unsafe Glibc.bind(socket, start.assumingMemoryBound(to: sockaddr.self), size)
            }
        }
    }

    /// What the kernel counted at this socket since the last call: reading clears, so exactly one reader may ask.
    public func takeStatistics() throws(SystemError) -> RingStatistics {
        let number = descriptor.rawValue
        let taken = try option(number, SOL_PACKET, PACKET_STATISTICS, tpacket_stats_v3(), "PACKET_STATISTICS")
        return RingStatistics(
            frames: UInt64(taken.tp_packets),
            dropped: UInt64(taken.tp_drops),
            freezes: UInt64(taken.tp_freeze_q_cnt)
        )
    }

    /// Whether frames can still arrive here. Clears the error that `poll` reports until it is read.
    ///
    /// Ask when `poll` reports an error, and about once a second: when an interface is deleted the socket reports one
    /// error at most and then looks healthy for ever, although nothing will arrive again.
    public func interfaceState() throws(SystemError) -> InterfaceState {
        let error = try option(descriptor.rawValue, SOL_SOCKET, SO_ERROR, Int32(0), "SO_ERROR")
        guard error == 0 || error == ENETDOWN else { throw SystemError("AF_PACKET receive", Errno(rawValue: error)) }
        var address = sockaddr_ll()
        let number = descriptor.rawValue
        try check("getsockname(AF_PACKET)") {
            unsafe withUnsafeMutableBytes(of: &address) { bytes -> Int32 in
                var size = socklen_t(bytes.count)
                guard let start = bytes.baseAddress else { return -1 }
                return unsafe getsockname(number, start.assumingMemoryBound(to: sockaddr.self), &size)
            }
        }
        guard address.sll_ifindex > 0 else { return .gone }
        var flags: UInt32 = 0
        switch unsafe clinux_interface_flags(number, address.sll_ifindex, &flags) {
        case 0: return flags & UInt32(IFF_UP) == 0 ? .down : .up
        case -ENXIO, -ENODEV: return .gone
        case let code: throw SystemError("ioctl(SIOCGIFFLAGS)", Errno(rawValue: -code))
        }
    }

    /// The group that this socket shares its frames with: the next socket of the same interface joins it.
    public func fanoutGroup() throws(SystemError) -> FanoutGroup {
        let joined = try option(descriptor.rawValue, SOL_PACKET, PACKET_FANOUT, Int32(0), "PACKET_FANOUT")
        return FanoutGroup(id: UInt16(truncatingIfNeeded: joined), kind: joined >> 16 & 0xFF)
    }
}

/// What the kernel counted at a ring. Frames that the filter refused are in none of these.
public struct RingStatistics: Equatable, Sendable {
    /// Frames that passed the filter: delivered and dropped ones.
    public var frames: UInt64 = 0
    /// Frames lost because no block was free.
    public var dropped: UInt64 = 0
    /// Times the ring ran out of blocks.
    public var freezes: UInt64 = 0

    public init(frames: UInt64 = 0, dropped: UInt64 = 0, freezes: UInt64 = 0) {
        self.frames = frames
        self.dropped = dropped
        self.freezes = freezes
    }

    public static func += (total: inout RingStatistics, part: RingStatistics) {
        total.frames &+= part.frames
        total.dropped &+= part.dropped
        total.freezes &+= part.freezes
    }
}

/// The interface behind a packet socket.
public enum InterfaceState: Equatable, Sendable {
    case up
    /// Down; the same socket delivers again when it comes up.
    case down
    /// Deleted. The socket will never deliver again, even if an interface of that name returns: open another.
    case gone
}

/// Sockets that share the frames of one interface.
public struct FanoutGroup: Equatable, Sendable {
    /// Number in the network namespace; nil asks the kernel for a free one.
    let id: UInt16?
    let kind: Int32
    let program: Int32?

    init(id: UInt16?, kind: Int32, program: Int32? = nil) {
        self.id = id
        self.kind = kind
        self.program = program
    }

    /// A group of its own, for the first socket; the others take `PacketSocket.fanoutGroup()` of the first. The kernel's
    /// symmetric flow hash sends both directions of a TCP, UDP or SCTP flow to one of them; fragments, GRE, and errors
    /// that quote a flow may reach another.
    public static let new = FanoutGroup(id: nil, kind: PACKET_FANOUT_HASH)

    /// The same, where a program of type socket filter answers the number of the socket, in the order of their joining.
    /// - Parameter program: its descriptor, which may be closed once the first socket is open.
    public static func new(program: Int32) -> FanoutGroup {
        FanoutGroup(id: nil, kind: PACKET_FANOUT_EBPF, program: program)
    }

    var option: Int32 {
        switch id {
        case nil: (kind | PACKET_FANOUT_FLAG_UNIQUEID) << 16
        case let id?: Int32(id) | kind << 16
        }
    }
}

private func setOption<Value: BitwiseCopyable>(
    _ socket: Int32,
    _ level: Int32,
    _ name: Int32,
    _ value: Value,
    _ label: @autoclosure () -> String
) throws(SystemError) {
    var value = value
    let size = socklen_t(MemoryLayout<Value>.size)
    try check("setsockopt(\(label()))") { unsafe setsockopt(socket, level, name, &value, size) }
}

private func option<Value: BitwiseCopyable>(
    _ socket: Int32,
    _ level: Int32,
    _ name: Int32,
    _ initial: Value,
    _ label: @autoclosure () -> String
) throws(SystemError) -> Value {
    var value = initial
    var size = socklen_t(MemoryLayout<Value>.size)
    try check("getsockopt(\(label()))") { unsafe getsockopt(socket, level, name, &value, &size) }
    return value
}
