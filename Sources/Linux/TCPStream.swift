import CLinux
import Glibc

/// A TCP connection over IPv4, with a time limit on every step.
public struct TCPStream: ~Copyable, Sendable {
    private let socket: Descriptor

    /// Connects.
    /// - Parameters:
    ///   - source: one of the host's own addresses; nil: the kernel chooses.
    ///   - timeout: milliseconds that connecting, and later each read and write, may wait.
    /// - Throws: `ECONNREFUSED` when nobody listens, `EINPROGRESS` when nobody answered in time.
    public init(
        to address: InternetAddress,
        port: UInt16,
        from source: InternetAddress? = nil,
        timeout: Int
    ) throws(SystemError) {
        let number = try Self.open()
        let socket = Descriptor(owning: number)
        try Self.limit(number, milliseconds: timeout)
        if let source { try unsafe Self.call("bind", number, source, 0) { unsafe bind($0, $1, $2) } }
        try unsafe Self.call("connect \(address):\(port)", number, address, port) { unsafe connect($0, $1, $2) }
        self.socket = socket
    }

    private init(owning number: Int32) { socket = Descriptor(owning: number) }

    /// Writes all of it.
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

    /// Accepts connections.
    public struct Listener: ~Copyable, Sendable {
        private let socket: Descriptor

        public init(port: UInt16) throws(SystemError) {
            let number = try TCPStream.open()
            let socket = Descriptor(owning: number)
            var yes: Int32 = 1
            try check("setsockopt") {
                unsafe setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
            }
            try unsafe TCPStream.call("bind port \(port)", number, InternetAddress(v4: 0), port) {
                unsafe bind($0, $1, $2)
            }
            try check("listen") { listen(number, 1024) }
            self.socket = socket
        }

        /// The port that the kernel chose, where none was given.
        public var port: UInt16 {
            get throws(SystemError) {
                var place = sockaddr_in()
                var size = socklen_t(MemoryLayout<sockaddr_in>.size)
                let number = socket.rawValue
                try check("getsockname") {
                    unsafe withUnsafeMutablePointer(to: &place) { pointer in
                        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                            unsafe getsockname(number, $0, &size)
                        }
                    }
                }
                return UInt16(bigEndian: place.sin_port)
            }
        }

        /// Waits for the next.
        /// - Parameter timeout: milliseconds that each read and write of it may wait.
        public borrowing func accept(timeout: Int) throws(SystemError) -> TCPStream {
            let listener = socket.rawValue
            let number = try check("accept") { Glibc.accept(listener, nil, nil) }
            let stream = TCPStream(owning: number)
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            try TCPStream.limit(number, milliseconds: timeout)
            return stream
        }
    }

    private static func open() throws(SystemError) -> Int32 {
        try check("socket") { Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }
    }

    private static func limit(_ number: Int32, milliseconds: Int) throws(SystemError) {
        var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            try check("setsockopt") {
                unsafe setsockopt(number, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
            }
        }
    }

    private static func call(
        _ name: String,
        _ number: Int32,
        _ address: InternetAddress,
        _ port: UInt16,
        _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(SystemError) {
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = port.bigEndian
        place.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.low).bigEndian
        try check(name) {
            unsafe withUnsafePointer(to: &place) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe body(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
    }
}
