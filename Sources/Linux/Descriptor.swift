import Glibc

/// A file descriptor that this value owns: closed when the value ends.
public struct Descriptor: ~Copyable, Sendable {
    /// The number, valid while this value lives. Do not close it.
    public let rawValue: Int32

    /// Takes ownership of an open descriptor.
    public init(owning rawValue: Int32) {
        precondition(rawValue >= 0, "not a descriptor")
        self.rawValue = rawValue
    }

    /// Gives the descriptor away; the caller closes it.
    public consuming func release() -> Int32 {
        let value = rawValue
        discard self
        return value
    }

    /// A second descriptor for the same open file, closed on exec.
    public borrowing func duplicate() throws(SystemError) -> Descriptor {
        let source = rawValue
        return Descriptor(owning: try check("fcntl(F_DUPFD_CLOEXEC)") { fcntl(source, F_DUPFD_CLOEXEC, 0) })
    }

    deinit {
        _ = Glibc.close(rawValue)
    }
}
