import CLibBPF
import Glibc
import Linux

/// An object whose maps and programs are in the kernel.
///
/// What it hands out has descriptors of its own and outlives it.
@safe
public struct Object: ~Copyable {
    let name: StaticString
    let handle: OpaquePointer

    init(name: StaticString, handle: OpaquePointer) {
        self.name = name
        unsafe self.handle = handle
    }

    deinit {
        unsafe bpf_object__close(handle)
    }

    public func program(_ program: String) throws(BPFError) -> Program {
        guard let found = unsafe bpf_object__find_program_by_name(handle, program) else {
            throw .missing(what: "program", name: program, object: "\(name)")
        }
        return try Program(owning: try Self.duplicate(unsafe bpf_program__fd(found)))
    }

    /// - Throws: `missing`, or `mismatch` when key or value have another size.
    public func map<Key, Value>(
        _ map: String,
        key: Key.Type = Key.self,
        value: Value.Type = Value.self
    ) throws(BPFError) -> Map<Key, Value> {
        guard let found = unsafe bpf_object__find_map_by_name(handle, map) else {
            throw .missing(what: "map", name: map, object: "\(name)")
        }
        return try Map(owning: try Self.duplicate(unsafe bpf_map__fd(found)))
    }

    /// A global variable in `.data` or `.bss`: one element, or an array of them.
    public func variable<Element>(
        _ variable: String,
        of element: Element.Type = Element.self
    ) throws(BPFError) -> Variable<Element> {
        let place = try unsafe VariablePlace(variable, in: handle, object: "\(name)")
        let stride = MemoryLayout<Element>.stride
        guard place.size % stride == 0 else {
            throw .mismatch(name: variable, expected: stride, found: place.size)
        }
        return try Variable(
            owning: try Self.duplicate(unsafe bpf_map__fd(place.map)),
            offset: place.offset,
            count: place.size / stride
        )
    }

    /// An array that can be mapped, as elements of which each of its values holds one or more.
    public func array<Element>(
        _ map: String,
        of element: Element.Type = Element.self
    ) throws(BPFError) -> Variable<Element> {
        guard let found = unsafe bpf_object__find_map_by_name(handle, map) else {
            throw .missing(what: "map", name: map, object: "\(name)")
        }
        let size = Int(unsafe bpf_map__value_size(found))
        let stride = MemoryLayout<Element>.stride
        guard size % stride == 0 else { throw .mismatch(name: map, expected: stride, found: size) }
        return try Variable(
            owning: try Self.duplicate(unsafe bpf_map__fd(found)),
            offset: 0,
            count: size / stride * Int(unsafe bpf_map__max_entries(found))
        )
    }

    private static func duplicate(_ number: Int32) throws(BPFError) -> Descriptor {
        do throws(SystemError) {
            return Descriptor(owning: try check("fcntl(F_DUPFD_CLOEXEC)") { fcntl(number, F_DUPFD_CLOEXEC, 0) })
        } catch {
            throw .system(error)
        }
    }
}
