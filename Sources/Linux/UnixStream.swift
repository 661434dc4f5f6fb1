import CLinux
import Glibc

/// A connection to a unix socket, with a time limit on every step.
public struct UnixStream: ~Copyable, Sendable {
    private let socket: Descriptor

    /// Connects.
    ///
    /// - Parameters:
    ///   - path: at most 107 bytes.
    ///   - timeout: seconds that connecting, and later each read and write, may wait.
    /// - Throws: `ENOENT` when there is no socket, `ECONNREFUSED` when nobody answers at it.
    public init(path: String, timeout: Int) throws(SystemError) {
        let call = "connect \(path)"
        let number = try check("socket") {
            Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        }
        let socket = Descriptor(owning: number)
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            try check("setsockopt") { unsafe setsockopt(number, SOL_SOCKET, option, &limit, size) }
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < capacity, !bytes.contains(0) else { throw SystemError(call, Errno(rawValue: ENAMETOOLONG)) }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        try check(call) {
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }
        self.socket = socket
    }

    /// The process that listens there; 0 when it is in another namespace.
    public var peer: Int32 {
        // struct ucred, which the C library hides: process, user, group.
        var credentials: (pid: Int32, uid: UInt32, gid: UInt32) = (0, 0, 0)
        var size = socklen_t(MemoryLayout.size(ofValue: credentials))
        let code = unsafe getsockopt(socket.rawValue, SOL_SOCKET, SO_PEERCRED, &credentials, &size)
        return code == 0 ? credentials.pid : 0
    }

    public borrowing func write(_ bytes: [UInt8]) throws(SystemError) {
        let number = socket.rawValue
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = try check("send") {
                unsafe rest.withUnsafeBytes { unsafe send(number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            }
            rest = rest.dropFirst(written)
        }
    }

    /// What has come, at most `limit` bytes; empty at the end.
    public borrowing func read(atMost limit: Int) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        let number = socket.rawValue
        let count = try check("recv") { unsafe recv(number, &bytes, limit, 0) }
        return Array(bytes[..<count])
    }
}
