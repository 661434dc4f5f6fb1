import CLinux
import Glibc
public import Linux

/// `struct mmsghdr`, which the C library shows only to GNU sources.
@unsafe
private struct Message {
    var header: msghdr
    var sent: UInt32 = 0
}

@_silgen_name("sendmmsg")
private func sendmmsg(
    _ socket: Int32,
    _ messages: UnsafeMutablePointer<Message>?,
    _ count: UInt32,
    _ flags: Int32
) -> Int32

/// Puts frames on an interface as they are, many in one call. Made inside the namespace that the interface is in.
@safe
public struct FrameSender: ~Copyable, @unchecked Sendable {
    private let socket: Descriptor
    private let bytes: UnsafeMutableRawBufferPointer
    private let pieces: UnsafeMutableBufferPointer<iovec>
    private let messages: UnsafeMutableBufferPointer<Message>

    /// - Parameter frames: sent in turn, for ever; each starts at its link header.
    public init(interface name: String, frames: [[UInt8]]) throws(SystemError) {
        precondition(!frames.isEmpty)
        let index = unsafe if_nametoindex(name)
        guard index > 0 else { throw SystemError("if_nametoindex(\(name))", .current) }
        let kind = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = Descriptor(owning: try check("socket(AF_PACKET)") { Glibc.socket(AF_PACKET, kind, 0) })
        let number = socket.rawValue
        var address = sockaddr_ll()
        address.sll_family = UInt16(AF_PACKET)
        address.sll_ifindex = Int32(bitPattern: index)
        try check("bind(AF_PACKET, \(name))") {
            unsafe withUnsafeBytes(of: &address) { bytes -> Int32 in
                guard let start = bytes.baseAddress else { return -1 }
                return unsafe bind(number, start.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
            }
        }
        self.socket = socket

        // One batch holds every frame at least once and about 64 in all.
        let rounds = max(1, 64 / frames.count)
        unsafe bytes = .allocate(byteCount: max(1, frames.reduce(0) { $0 + $1.count }), alignment: 16)
        unsafe pieces = .allocate(capacity: frames.count * rounds)
        unsafe messages = .allocate(capacity: frames.count * rounds)
        var offset = 0
        for (place, frame) in frames.enumerated() {
            let target = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + frame.count])
            unsafe target.copyBytes(from: frame)
            offset += frame.count
            for round in 0..<rounds {
                let slot = round * frames.count + place
                unsafe pieces.initializeElement(
                    at: slot,
                    to: iovec(iov_base: target.baseAddress, iov_len: target.count)
                )
                var header = unsafe msghdr()
                unsafe header.msg_iov = unsafe pieces.baseAddress.map { unsafe $0 + slot }
                unsafe header.msg_iovlen = 1
                unsafe messages.initializeElement(at: slot, to: Message(header: header))
            }
        }
    }

    deinit {
        unsafe bytes.deallocate()
        unsafe pieces.deallocate()
        unsafe messages.deallocate()
    }

    /// Sends `count` frames, starting with the first.
    /// - Returns: how many the kernel took: `count`, unless it throws.
    @discardableResult
    public func send(_ count: Int) throws(SystemError) -> Int {
        var sent = 0
        let number = socket.rawValue
        while sent < count {
            let first = unsafe sent % messages.count
            let batch = unsafe min(count - sent, messages.count - first)
            sent += try Int(
                check("sendmmsg") {
                    unsafe sendmmsg(number, messages.baseAddress.map { unsafe $0 + first }, UInt32(batch), 0)
                }
            )
        }
        return sent
    }
}
