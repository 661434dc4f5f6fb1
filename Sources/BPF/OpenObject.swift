import CLibBPF
import Linux

/// An object that is read but not yet in the kernel: its variables and maps can still be set.
@safe
public struct OpenObject: ~Copyable {
    let name: StaticString
    let handle: OpaquePointer

    /// Reads an image. Needs no privilege.
    public init(_ image: Image) throws(BPFError) {
        var options = unsafe bpf_object_open_opts()
        unsafe options.sz = size(through: \bpf_object_open_opts.object_name)
        let (opened, log) = image.name.withUTF8Buffer { name in
            // A static string ends with a zero byte.
            unsafe options.object_name = UnsafeRawPointer(name.baseAddress)?.assumingMemoryBound(to: CChar.self)
            return unsafe LibraryLog.collecting {
                let object = unsafe bpf_object__open_mem(image.bytes.baseAddress, image.bytes.count, &options)
                return unsafe (object, Errno.current)
            }
        }
        guard let object = unsafe opened.0 else {
            throw .rejected(object: "\(image.name)", error: unsafe opened.1, log: log)
        }
        name = image.name
        unsafe handle = object
    }

    deinit {
        unsafe bpf_object__close(handle)
    }

    /// Gives a global variable its first value. Those in `.rodata` never change after loading.
    ///
    /// - Throws: `missing`, or `mismatch` when the variable has another size.
    public mutating func set<Value: BitwiseCopyable>(_ variable: String, to value: Value) throws(BPFError) {
        let place = try unsafe VariablePlace(variable, in: handle, object: "\(name)")
        guard place.size == MemoryLayout<Value>.size else {
            throw .mismatch(name: variable, expected: MemoryLayout<Value>.size, found: place.size)
        }
        var size = 0
        guard let start = unsafe bpf_map__initial_value(place.map, &size), place.offset + place.size <= size else {
            throw .missing(what: "variable", name: variable, object: "\(name)")
        }
        unsafe UnsafeMutableRawPointer(mutating: start).storeBytes(
            of: value,
            toByteOffset: place.offset,
            as: Value.self
        )
    }

    /// Sets how many entries a map can hold.
    public mutating func setCapacity(of map: String, to entries: Int) throws(BPFError) {
        let map = try unsafe find(map)
        try attempt("bpf_map__set_max_entries") { unsafe bpf_map__set_max_entries(map, UInt32(entries)) }
    }

    /// Makes a map one array for all CPUs instead of one for each.
    public mutating func share(_ map: String) throws(BPFError) {
        let map = try unsafe find(map)
        try attempt("bpf_map__set_type") { unsafe bpf_map__set_type(map, BPF_MAP_TYPE_ARRAY) }
    }

    private func find(_ map: String) throws(BPFError) -> OpaquePointer {
        guard let found = unsafe bpf_object__find_map_by_name(handle, map) else {
            throw .missing(what: "map", name: map, object: "\(name)")
        }
        return unsafe found
    }

    /// Hands maps and programs to the kernel.
    ///
    /// - Throws: `notPermitted`; `rejected` with the verifier's log.
    public consuming func load() throws(BPFError) -> Object {
        let (name, handle) = unsafe (name, handle)
        let (result, log) = LibraryLog.collecting { unsafe bpf_object__load(handle) }
        guard result == 0 else {
            // The deinit closes the object.
            _ = consume self
            let error = Errno(rawValue: 0 &- result)
            // A verifier's refusal can be EACCES or EPERM too; only a refusal without a log is for want of privilege.
            guard log.contains("BEGIN PROG LOAD LOG") else {
                throw .from("bpf(load \(name))", error, needs: [.bpf, .networkAdmin, .performance])
            }
            throw .rejected(object: "\(name)", error: error, log: log)
        }
        discard self
        return unsafe Object(name: name, handle: handle)
    }
}

/// Where a global variable lies.
@safe
struct VariablePlace {
    /// The map that is its section.
    let map: OpaquePointer
    /// Bytes.
    let offset: Int
    let size: Int

    // BTF_KIND_VAR and BTF_KIND_DATASEC, which two headers define.
    private static let variableKind: UInt32 = 14
    private static let sectionKind: UInt32 = 15

    init(_ variable: String, in object: OpaquePointer, object name: String) throws(BPFError) {
        let types = unsafe bpf_object__btf(object)
        let id = unsafe btf__find_by_name_kind(types, variable, Self.variableKind)
        for section in [".rodata", ".data", ".bss"] where id > 0 {
            let sectionID = unsafe btf__find_by_name_kind(types, section, Self.sectionKind)
            guard sectionID > 0, let type = unsafe btf__type_by_id(types, UInt32(sectionID)),
                let members = unsafe btf_var_secinfos(type),
                let map = unsafe bpf_object__find_map_by_name(object, section)
            else { continue }
            for index in 0..<Int(unsafe btf_vlen(type)) where unsafe members[index].type == UInt32(id) {
                unsafe self.map = map
                offset = Int(unsafe members[index].offset)
                size = Int(unsafe members[index].size)
                return
            }
        }
        throw .missing(what: "variable", name: variable, object: name)
    }
}
