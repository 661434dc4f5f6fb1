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

    /// Entries read in one call: few enough that 64 CPUs' copies stay small, enough to spread the call's cost.
    static var batch: Int { 256 }

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
        unsafe try read("BPF_MAP_LOOKUP_ELEM", key) { unsafe bpf_map_lookup_elem($0, $1, $2) }
    }

    /// Takes an entry out and answers what it held. Not for arrays.
    ///
    /// What a program adds while this runs is in the value or, having come too late, in no entry.
    public func take(_ key: Key) throws(BPFError) -> Value? {
        unsafe try read("BPF_MAP_LOOKUP_AND_DELETE_ELEM", key) { unsafe bpf_map_lookup_and_delete_elem($0, $1, $2) }
    }

    private func read(
        _ call: String,
        _ key: Key,
        _ body: (Int32, UnsafeRawPointer?, UnsafeMutableRawPointer?) -> Int32
    ) throws(BPFError) -> Value? {
        let values = UnsafeMutablePointer<Value>.allocate(capacity: copies)
        defer { unsafe values.deallocate() }
        let number = descriptor.rawValue
        let result = unsafe withUnsafeBytes(of: key) { key in unsafe body(number, key.baseAddress, values) }
        if result == -ENOENT { return nil }
        try attempt("bpf(\(call), \(description.name))") { result }
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

    /// Removes an entry; answers whether there was one.
    @discardableResult
    public func remove(_ key: Key) throws(BPFError) -> Bool {
        let number = descriptor.rawValue
        let result = unsafe withUnsafeBytes(of: key) { unsafe bpf_map_delete_elem(number, $0.baseAddress) }
        if result == -ENOENT { return false }
        try attempt("bpf(BPF_MAP_DELETE_ELEM, \(description.name))") { result }
        return true
    }

    /// Hands every entry to `body`, many a call. Entries that come or go meanwhile may be missed.
    public func forEach(_ body: (Key, Value) -> Void) throws(BPFError) {
        try walk(from: nil, body)
    }

    /// Reads a batch after another, from the one that `position` (64 bytes at most) stands for.
    private func walk(from position: Key?, limit: Int = .max, _ body: (Key, Value) -> Void) throws(BPFError) {
        let keys = UnsafeMutablePointer<Key>.allocate(capacity: Self.batch)
        let values = UnsafeMutablePointer<Value>.allocate(capacity: Self.batch * copies)
        let cursor = UnsafeMutableRawPointer.allocate(byteCount: max(64, MemoryLayout<Key>.size), alignment: 8)
        defer {
            unsafe keys.deallocate()
            unsafe values.deallocate()
            unsafe cursor.deallocate()
        }
        if let position { unsafe cursor.storeBytes(of: position, as: Key.self) }
        var started = position != nil
        var left = limit
        let number = descriptor.rawValue
        while left > 0 {
            var count = UInt32(min(Self.batch, left))
            let start = unsafe started ? cursor : nil
            let result = unsafe bpf_map_lookup_batch(number, start, cursor, keys, values, &count, nil)
            if result != -ENOENT { try attempt("bpf(BPF_MAP_LOOKUP_BATCH, \(description.name))") { result } }
            for index in 0..<Int(count) {
                unsafe body(keys[index], sum(of: values + index * copies))
            }
            if result == -ENOENT { return }
            started = true
            left -= Int(count)
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

extension Map where Key == UInt32 {
    /// Hands an array's entries from `range` to `body`, in order.
    public func forEach(in range: Range<UInt32>, _ body: (UInt32, Value) -> Void) throws(BPFError) {
        precondition(
            description.isArray && range.upperBound <= UInt32(description.capacity),
            "not a range of this array"
        )
        // A batch begins after the position given.
        try walk(from: range.lowerBound == 0 ? nil : range.lowerBound - 1, limit: range.count, body)
    }
}
