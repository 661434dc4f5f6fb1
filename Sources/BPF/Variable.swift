import CLibBPF
public import Linux
import Synchronization

/// A global variable of a loaded object, or an array that can be mapped, shared with the kernel: one element or many.
///
/// Single elements of up to 8 bytes are read and written whole; larger ones may be seen half old, half new.
@safe
// Sendable: the mapping has one owner, and its words are shared with the kernel whichever thread looks at them.
public struct Variable<Element: BitwiseCopyable>: ~Copyable, @unchecked Sendable {
    /// The array, or the map that is the variable's section; may be passed to another process, with `offset` and `count`.
    public let descriptor: Descriptor
    /// Bytes from the start.
    public let offset: Int
    public let count: Int
    private let mapping: Mapping

    /// Takes a section's or an array's descriptor.
    public init(owning descriptor: consuming Descriptor, offset: Int, count: Int) throws(BPFError) {
        let description = try MapDescription(descriptor)
        let size = offset + count * MemoryLayout<Element>.stride
        let bytes = description.valueSize * description.capacity
        guard offset >= 0, count >= 0, offset % MemoryLayout<Element>.alignment == 0, size <= bytes else {
            throw .mismatch(name: description.name, expected: size, found: bytes)
        }
        let mapping: Mapping
        do throws(SystemError) {
            mapping = try Mapping(descriptor, byteCount: bytes)
        } catch {
            throw .system(error)
        }
        self.mapping = mapping
        self.descriptor = descriptor
        self.offset = offset
        self.count = count
    }

    private var base: UnsafeMutablePointer<Element> {
        unsafe (mapping.base + offset).assumingMemoryBound(to: Element.self)
    }

    public subscript(index: Int) -> Element {
        get {
            precondition(0..<count ~= index, "index out of range")
            return unsafe base[index]
        }
        nonmutating set {
            precondition(0..<count ~= index, "index out of range")
            unsafe base[index] = newValue
        }
    }
}

extension Variable where Element == UInt64 {
    /// A word; what was written before it is seen too.
    func acquire(_ index: Int) -> UInt64 {
        unsafe word(index).pointee.load(ordering: .acquiring)
    }

    /// Flips bits of a word in one step; what was written before is seen first.
    func flip(_ bits: UInt64, at index: Int) {
        unsafe word(index).pointee.bitwiseXor(bits, ordering: .releasing)
    }

    private func word(_ index: Int) -> UnsafePointer<Atomic<UInt64>> {
        precondition(0..<count ~= index, "index out of range")
        return unsafe UnsafeRawPointer(base + index).assumingMemoryBound(to: Atomic<UInt64>.self)
    }
}
