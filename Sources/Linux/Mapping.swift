import Glibc

/// Memory shared with the kernel through a descriptor: unmapped when the value ends.
@safe
// Sendable: an address range has no thread; who reads and writes there agrees with the kernel, not with this value.
public struct Mapping: ~Copyable, @unchecked Sendable {
    /// First byte; valid while this value lives.
    public let base: UnsafeMutableRawPointer
    public let byteCount: Int

    /// Maps the first `byteCount` bytes behind a descriptor for reading and writing.
    ///
    /// The mapping stays valid after the descriptor is closed.
    public init(_ descriptor: borrowing Descriptor, byteCount: Int) throws(SystemError) {
        let address = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.rawValue, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw SystemError("mmap(\(byteCount) bytes)", .current)
        }
        unsafe base = address
        self.byteCount = byteCount
    }

    deinit {
        _ = unsafe munmap(base, byteCount)
    }
}
