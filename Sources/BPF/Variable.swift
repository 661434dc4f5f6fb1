import CLibBPF
public import Linux
import Synchronization

/// A global variable of a loaded object, shared with the kernel: one element, or an array of them.
///
/// Single elements of up to 8 bytes are read and written whole; larger ones may be seen half old, half new.
@safe
// Sendable: the mapping has one owner, and its words are shared with the kernel whichever thread looks at them.
public struct Variable<Element: BitwiseCopyable>: ~Copyable, @unchecked Sendable {
    /// The map that is the variable's section; may be passed to another process, with `offset` and `count`.
    public let descriptor: Descriptor
    /// Bytes from the section's start.
    public let offset: Int
    public let count: Int
    private let mapping: Mapping

    /// Takes a section's descriptor.
    public init(owning descriptor: consuming Descriptor, offset: Int, count: Int) throws(BPFError) {
        let description = try MapDescription(descriptor)
        let size = offset + count * MemoryLayout<Element>.stride
        guard offset >= 0, count >= 0, offset % MemoryLayout<Element>.alignment == 0, size <= description.valueSize
        else {
            throw .mismatch(name: description.name, expected: size, found: description.valueSize)
        }
        let mapping: Mapping
        do throws(SystemError) {
            mapping = try Mapping(descriptor, byteCount: description.valueSize)
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
    /// Takes a word's value and leaves 0, in one step.
    public func take(_ index: Int) -> UInt64 {
        precondition(0..<count ~= index, "index out of range")
        let word = unsafe UnsafeRawPointer(base + index).assumingMemoryBound(to: Atomic<UInt64>.self)
        // Most words are empty; a load leaves their cache lines shared.
        guard unsafe word.pointee.load(ordering: .relaxed) != 0 else { return 0 }
        return unsafe word.pointee.exchange(0, ordering: .sequentiallyConsistent)
    }
}
