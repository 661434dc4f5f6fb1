import BPFImages
import CLibBPF
import KernelABI
import Testing

/// The compiler that made the programs and the one that imported their structs agree on every byte.
@Suite("Layout of shared structs") struct LayoutTests {
    struct Field: Sendable, Equatable, CustomStringConvertible {
        let name: String
        let offset: Int
        var description: String { "\(name)@\(offset)" }
    }

    struct Expected: Sendable, CustomStringConvertible {
        let name: String
        let size: Int
        let stride: Int
        let fields: [Field]
        var description: String { name }

        init<Struct>(_ name: String, _ type: Struct.Type, _ fields: [(String, PartialKeyPath<Struct>)]) {
            self.name = name
            size = MemoryLayout<Struct>.size
            stride = MemoryLayout<Struct>.stride
            self.fields = fields.map { Field(name: $0.0, offset: MemoryLayout<Struct>.offset(of: $0.1) ?? -1) }
        }
    }

    static let counting = [
        Expected("weir_volume", weir_volume.self, [("packets", \.packets), ("bytes", \.bytes)]),
        Expected(
            "weir_direction",
            weir_direction.self,
            [
                ("frames", \.frames), ("total", \.total), ("family", \.family), ("protocol", \.protocol),
                ("flags", \.flags), ("sizes", \.sizes), ("fragments", \.fragments), ("malformed", \.malformed),
            ]
        ),
        Expected("weir_interface", weir_interface.self, [("rx", \.rx), ("tx", \.tx), ("options", \.options)]),
        Expected("weir_port", weir_port.self, [("in", \.in), ("out", \.out)]),
        Expected(
            "weir_service",
            weir_service.self,
            [("syn_in", \.syn_in), ("syn_ack_out", \.syn_ack_out), ("completed", \.completed)]
        ),
        Expected(
            "weir_client",
            weir_client.self,
            [
                ("address", \.address), ("service", \.service), ("connections", \.connections),
                ("last_seen", \.last_seen), ("answered", \.answered),
            ]
        ),
        Expected(
            "weir_losses",
            weir_losses.self,
            [("interface_unknown", \.interface_unknown), ("clients_full", \.clients_full)]
        ),
    ]

    static let sampling = [
        Expected("weir_sampled", weir_sampled.self, [("offered", \.offered), ("kept", \.kept)]),
        Expected(
            "weir_sampling",
            weir_sampling.self,
            [("one_in", \.one_in), ("budget", \.budget), ("snap", \.snap), ("snap_first", \.snap_first)]
        ),
    ]

    @Test("count.bpf.c", arguments: counting)
    func count(_ expected: Expected) throws {
        var size = 0
        let image = unsafe bpf_image_count(&size)
        try unsafe compare(expected, with: UnsafeRawBufferPointer(start: image, count: size))
    }

    @Test("sample.bpf.c", arguments: sampling)
    func sample(_ expected: Expected) throws {
        var size = 0
        let image = unsafe bpf_image_sample(&size)
        try unsafe compare(expected, with: UnsafeRawBufferPointer(start: image, count: size))
    }

    /// BTF_KIND_STRUCT, which two headers define.
    private let structKind: UInt32 = 4

    private func compare(_ expected: Expected, with image: UnsafeRawBufferPointer) throws {
        let object = unsafe try #require(bpf_object__open_mem(image.baseAddress, image.count, nil))
        defer { unsafe bpf_object__close(object) }
        let types = unsafe bpf_object__btf(object)
        let id = unsafe btf__find_by_name_kind(types, expected.name, structKind)
        try #require(id > 0, "the object does not use \(expected.name)")
        let type = unsafe try #require(btf__type_by_id(types, UInt32(id)))
        #expect(Int(unsafe type.pointee.size) == expected.size)
        #expect(expected.size == expected.stride)
        let members = unsafe try #require(btf_members(type))
        let found = (0..<Int(unsafe btf_vlen(type))).map { index in
            let name = unsafe btf__name_by_offset(types, members[index].name_off)
            return Field(
                name: unsafe name.map { unsafe String(cString: $0) } ?? "",
                offset: Int(unsafe members[index].offset) / 8
            )
        }
        #expect(found == expected.fields)
    }
}
