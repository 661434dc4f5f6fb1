import CLibBPF
import Glibc
public import Linux

/// A map in the kernel. Reading and writing through a descriptor needs no privilege.
///
/// A per-CPU map's value is read as the sum over all CPUs, 64-bit word by 64-bit word.
@safe
public struct Map<Key: BitwiseCopyable, Value: BitwiseCopyable>: ~Copyable, Sendable {
    /// May be passed to another process.
    public let descriptor: Descriptor
    public let description: MapDescription
    /// Copies of each value: possible CPUs, or 1.
    let copies: Int

    /// Takes a map's descriptor.
    ///
    /// - Throws: `mismatch` when key or value have another size.
    public init(owning descriptor: consuming Descriptor) throws(BPFError) {
        let description = try MapDescription(descriptor)
        guard description.keySize == MemoryLayout<Key>.size else {
            let expected = MemoryLayout<Key>.size
            throw .mismatch(name: "key of \(description.name)", expected: expected, found: description.keySize)
        }
        guard description.valueSize == MemoryLayout<Value>.size else {
            let expected = MemoryLayout<Value>.size
            throw .mismatch(name: "value of \(description.name)", expected: expected, found: description.valueSize)
        }
        // The kernel lays copies at multiples of 8 bytes; sums are of 64-bit words.
        precondition(!description.isPerCPU || MemoryLayout<Value>.stride % 8 == 0, "per-CPU values are 64-bit words")
        do throws(SystemError) {
            copies = description.isPerCPU ? try Processors.possible() : 1
        } catch {
            throw .system(error)
        }
        self.descriptor = descriptor
        self.description = description
    }

    /// The kernel memory it takes, in bytes, as the kernel accounts it.
    public func kernelMemory() throws(BPFError) -> Int {
        try BPF.kernelMemory(of: descriptor)
    }

    /// One entry's value, or nil if there is none.
    public func value(for key: Key) throws(BPFError) -> Value? {
        let values = UnsafeMutablePointer<Value>.allocate(capacity: copies)
        defer { unsafe values.deallocate() }
        let number = descriptor.rawValue
        let result = unsafe withUnsafeBytes(of: key) { unsafe bpf_map_lookup_elem(number, $0.baseAddress, values) }
        if result == -ENOENT { return nil }
        try attempt("bpf(BPF_MAP_LOOKUP_ELEM, \(description.name))") { result }
        return unsafe sum(of: values)
    }

    /// Sets an entry; on a per-CPU map every CPU's copy.
    public func set(_ value: Value, for key: Key) throws(BPFError) {
        let values = UnsafeMutablePointer<Value>.allocate(capacity: copies)
        unsafe values.initialize(repeating: value, count: copies)
        defer { unsafe values.deallocate() }
        let number = descriptor.rawValue
        try attempt("bpf(BPF_MAP_UPDATE_ELEM, \(description.name))") {
            unsafe withUnsafeBytes(of: key) { unsafe bpf_map_update_elem(number, $0.baseAddress, values, 0) }
        }
    }

    /// The sum of one entry's copies.
    private func sum(of values: UnsafeMutablePointer<Value>) -> Value {
        let words = MemoryLayout<Value>.stride / 8
        for copy in 1..<max(1, copies) {
            for word in 0..<words {
                let offset = word * 8
                let total = unsafe UnsafeRawPointer(values).load(fromByteOffset: offset, as: UInt64.self)
                let more = unsafe UnsafeRawPointer(values + copy).load(fromByteOffset: offset, as: UInt64.self)
                unsafe UnsafeMutableRawPointer(values).storeBytes(
                    of: total &+ more,
                    toByteOffset: offset,
                    as: UInt64.self
                )
            }
        }
        return unsafe values.pointee
    }
}
