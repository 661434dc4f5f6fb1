import CLinux
import Glibc

/// A netlink socket to the kernel of the network namespace its maker was in.
public struct NetlinkSocket: ~Copyable, Sendable {
    /// The kernel's subsystem a socket talks to.
    public enum Subsystem: Int32, Sendable {
        /// Links, addresses, routes.
        case route = 0
        /// Sockets.
        case diagnostics = 4
    }

    /// How often a dump that the kernel's own changes spoiled is begun again.
    static let attempts = 8
    /// The kernel fills at most 32 KiB a datagram in a dump; twice that also holds the longest notification.
    private static let bufferSize = 65_536

    public let descriptor: Descriptor
    private var sequence: UInt32 = 0
    private var buffer: [UInt8]

    /// Opens a socket; `groups` are the `RTMGRP_` bits whose notifications it receives. Needs no privilege.
    public init(_ subsystem: Subsystem, groups: UInt32 = 0) throws(NetlinkError) {
        descriptor = try Self.bound(subsystem, groups: groups)
        buffer = [UInt8](repeating: 0, count: Self.bufferSize)
    }

    private static func bound(_ subsystem: Subsystem, groups: UInt32) throws(NetlinkError) -> Descriptor {
        let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let number = try call("socket(AF_NETLINK)") { socket(AF_NETLINK, type, subsystem.rawValue) }
        let descriptor = Descriptor(owning: number)
        var on: Int32 = 1
        // Refused by kernels before 4.20; then the kernel filters less and we skip more.
        _ = unsafe setsockopt(number, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, socklen_t(MemoryLayout<Int32>.size))
        // The kernel answers at once; the timeout only keeps a defect from hanging the caller.
        var patience = timeval(tv_sec: 2, tv_usec: 0)
        try call("setsockopt(SO_RCVTIMEO)") {
            unsafe setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_nl(nl_family: sa_family_t(AF_NETLINK), nl_pad: 0, nl_pid: 0, nl_groups: groups)
        try call("bind(AF_NETLINK)") {
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    unsafe bind(number, pointer, socklen_t(MemoryLayout<sockaddr_nl>.size))
                }
            }
        }
        return descriptor
    }

    /// `check`, in this module part's error type.
    @discardableResult
    private static func call<Result: FixedWidthInteger & SignedInteger>(
        _ name: @autoclosure () -> String,
        _ body: () -> Result
    ) throws(NetlinkError) -> Result {
        do throws(SystemError) {
            return try check(name(), body)
        } catch {
            throw .system(error)
        }
    }

    /// Asks for a whole table and collects what `parse` makes of each message (nil leaves one out).
    ///
    /// A dump that a change of the table interrupted is begun again. Beyond `limit` elements the rest is counted only.
    mutating func dump<Element, Payload: BitwiseCopyable>(
        _ name: StaticString,
        type: UInt16,
        payload: Payload,
        limit: Int,
        parse: (borrowing NetlinkMessage) throws(NetlinkError) -> Element?
    ) throws(NetlinkError) -> NetlinkDump<Element> {
        for _ in 0..<Self.attempts {
            sequence &+= 1
            try send(name, type: type, flags: UInt16(NLM_F_REQUEST | NLM_F_DUMP), payload: payload)
            if let dump = try collect(name, limit: limit, parse: parse) { return dump }
        }
        throw .interrupted("\(name)")
    }

    /// One dump's answer, or nil when it was interrupted.
    private mutating func collect<Element>(
        _ name: StaticString,
        limit: Int,
        parse: (borrowing NetlinkMessage) throws(NetlinkError) -> Element?
    ) throws(NetlinkError) -> NetlinkDump<Element>? {
        var dump = NetlinkDump<Element>()
        var interrupted = false
        while true {
            let count = try receive(wait: true)
            let span = buffer.span
            let bytes = unsafe span.bytes.extracting(first: count)
            var messages = NetlinkMessages(bytes)
            while let message = try messages.next() {
                guard message.sequence == sequence else { continue }
                interrupted = interrupted || message.flags & UInt16(NLM_F_DUMP_INTR) != 0
                switch Int32(message.type) {
                case NLMSG_DONE:
                    return interrupted ? nil : dump
                case NLMSG_ERROR:
                    let errno = message.payload.load(at: 0, as: Int32.self) ?? -EPROTO
                    throw .refused("\(name)", Errno(rawValue: 0 &- errno))
                default:
                    guard let element = try parse(message) else { continue }
                    if dump.elements.count < limit { dump.elements.append(element) } else { dump.turnedAway += 1 }
                }
            }
        }
    }

    /// Hands the messages that have arrived to `body`, until none is waiting. Never blocks.
    ///
    /// Answers false when the kernel had to drop notifications: the caller then reads the whole table again.
    mutating func drain(
        _ body: (borrowing NetlinkMessage) throws(NetlinkError) -> Void
    ) throws(NetlinkError) -> Bool {
        while true {
            let count: Int
            do throws(NetlinkError) {
                count = try receive(wait: false)
            } catch .system(let error) where error.errno.rawValue == EAGAIN {
                return true
            } catch .system(let error) where error.errno.rawValue == ENOBUFS {
                return false
            }
            let span = buffer.span
            let bytes = unsafe span.bytes.extracting(first: count)
            var messages = NetlinkMessages(bytes)
            while let message = try messages.next() { try body(message) }
        }
    }

    private func send<Payload: BitwiseCopyable>(
        _ name: StaticString,
        type: UInt16,
        flags: UInt16,
        payload: Payload
    ) throws(NetlinkError) {
        let length = MemoryLayout<nlmsghdr>.size + MemoryLayout<Payload>.size
        let header = nlmsghdr(
            nlmsg_len: UInt32(length),
            nlmsg_type: type,
            nlmsg_flags: flags,
            nlmsg_seq: sequence,
            nlmsg_pid: 0
        )
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length)
        unsafe withUnsafeBytes(of: header) { unsafe bytes.append(contentsOf: $0) }
        unsafe withUnsafeBytes(of: payload) { unsafe bytes.append(contentsOf: $0) }
        let number = descriptor.rawValue
        try Self.call("send(\(name))") { unsafe Glibc.send(number, bytes, bytes.count, 0) }
    }

    /// Receives one datagram of the kernel into the buffer; answers its length.
    private mutating func receive(wait: Bool) throws(NetlinkError) -> Int {
        let number = descriptor.rawValue
        // MSG_TRUNC makes the call answer the datagram's true length.
        let flags = Int32(MSG_TRUNC) | (wait ? 0 : Int32(MSG_DONTWAIT))
        while true {
            var sender = sockaddr_nl()
            var senderSize = socklen_t(MemoryLayout<sockaddr_nl>.size)
            let count = try Self.call("recvfrom(AF_NETLINK)") {
                unsafe buffer.withUnsafeMutableBytes { buffer in
                    unsafe withUnsafeMutablePointer(to: &sender) { pointer in
                        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                            unsafe recvfrom(number, buffer.baseAddress, buffer.count, flags, pointer, &senderSize)
                        }
                    }
                }
            }
            // Another process may write to this socket too; only the kernel, port 0, is believed.
            guard sender.nl_pid == 0 else { continue }
            guard count <= buffer.count else { throw .truncated(bytes: count) }
            return count
        }
    }
}

/// What a dump brought: at most the number of elements that was asked for, and how many more there were.
struct NetlinkDump<Element> {
    var elements: [Element] = []
    var turnedAway = 0
}

extension NetlinkDump: Sendable where Element: Sendable {}
