import Glibc

/// An error number of the kernel or the C library.
public struct Errno: RawRepresentable, Error, Equatable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// The calling thread's `errno`.
    public static var current: Errno { Errno(rawValue: errno) }

    /// The C library's sentence for it, for example "No such device".
    public var description: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe strerror_r(rawValue, &buffer, buffer.count) == 0 else { return "error \(rawValue)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// A system call that failed: which one, upon what, and why.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The call, for example `setsockopt(PACKET_RX_RING)`.
    public let call: String
    public let errno: Errno

    public init(_ call: String, _ errno: Errno) {
        self.call = call
        self.errno = errno
    }

    public var description: String { "\(call): \(errno)" }
}

/// Runs a call that answers -1 and sets `errno`; tries again when a signal interrupts it.
@discardableResult
public func check<Result: FixedWidthInteger & SignedInteger>(
    _ call: @autoclosure () -> String,
    _ body: () -> Result
) throws(SystemError) -> Result {
    while true {
        let result = body()
        if result != -1 { return result }
        let error = Errno.current
        if error.rawValue != EINTR { throw SystemError(call(), error) }
    }
}
