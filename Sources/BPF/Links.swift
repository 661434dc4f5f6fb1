import CLibBPF
import Glibc
import Linux

/// Two tcx links on one interface, before all other programs. From Linux 6.6 on.
struct Links: ~Copyable, Sendable {
    // Numbers that are younger than Debian 12's headers.
    static let ingressPoint = bpf_attach_type(rawValue: 46)
    static let egressPoint = bpf_attach_type(rawValue: 47)
    /// BPF_F_BEFORE: with no other program named, at the head.
    private static let before: UInt32 = 1 << 3

    private let ingress: Descriptor
    private let egress: Descriptor

    /// Makes the links, or answers nil where the kernel has none.
    init?(ingress: borrowing Program, egress: borrowing Program, interface: Int32) throws(BPFError) {
        guard let first = try Self.make(ingress, Self.ingressPoint, interface),
            let second = try Self.make(egress, Self.egressPoint, interface)
        else { return nil }
        self.ingress = first
        self.egress = second
    }

    // Closing is not enough at once: a child that is just being started holds a copy until it runs its program.
    deinit {
        _ = bpf_link_detach(ingress.rawValue)
        _ = bpf_link_detach(egress.rawValue)
    }

    /// The interface that both links hang on; 0 once one of them hangs nowhere.
    func interface() throws(BPFError) -> Int32 {
        let (first, second) = (try Self.interface(of: ingress), try Self.interface(of: egress))
        return first == second ? first : 0
    }

    private static func make(
        _ program: borrowing Program,
        _ point: bpf_attach_type,
        _ interface: Int32
    ) throws(BPFError) -> Descriptor? {
        var options = unsafe bpf_link_create_opts()
        unsafe options.sz = size(through: \bpf_link_create_opts.flags)
        unsafe options.flags = before
        let number = program.descriptor.rawValue
        let result = unsafe bpf_link_create(number, interface, point, &options)
        // A kernel that does not know the attach type says EINVAL.
        if result == -EINVAL { return nil }
        return Descriptor(owning: try attempt("bpf(BPF_LINK_CREATE, tcx)") { result })
    }

    private static func interface(of link: borrowing Descriptor) throws(BPFError) -> Int32 {
        var info = bpf_link_info()
        var size = UInt32(MemoryLayout<bpf_link_info>.size)
        let number = link.rawValue
        try attempt("bpf(BPF_OBJ_GET_INFO_BY_FD, link)") { unsafe bpf_obj_get_info_by_fd(number, &info, &size) }
        // tcx's own field is younger than Debian 12's headers; xdp's lies at the same place.
        return Int32(bitPattern: info.xdp.ifindex)
    }
}
