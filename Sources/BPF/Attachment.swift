import CLibBPF
import Glibc
import Linux

/// The two counting programs on one interface, ingress and egress: taken off when the value ends.
///
/// All calls act in the calling thread's network namespace.
public struct Attachment: ~Copyable, Sendable {
    /// How programs hang on an interface.
    public enum Hook: String, Sendable {
        /// A link that vanishes with its owner, before all other programs. From Linux 6.6 on.
        case tcx
        /// A filter on the clsact qdisc, which outlives its owner. A program before it that ends with a verdict hides
        /// packets from it.
        case clsact
    }

    public let hook: Hook
    public let interface: Int32
    // One of the two.
    private let links: Links?
    private let filters: TrafficFilters?

    /// Attaches both programs: as tcx links if the kernel can, else as clsact filters.
    ///
    /// Filters that a killed sensor left behind are removed first, in either case.
    ///
    /// - Parameter hook: forces one way.
    /// - Throws: `notPermitted`; `unsupported` when a forced tcx is not there; `inUse` when another living sensor's
    ///   filter is found; `occupied` when a foreign filter sits at our place.
    public init(
        ingress: borrowing Program,
        egress: borrowing Program,
        interface: Int32,
        hook forced: Hook? = nil
    ) throws(BPFError) {
        LibraryLog.silence()
        try TrafficFilters.removeLeftovers(ingress: ingress.name, egress: egress.name, interface: interface)
        let links = forced == .clsact ? nil : try Self.link(ingress, egress, interface)
        let linked = links != nil
        if forced == .tcx, !linked { throw .unsupported(what: "tcx", since: "6.6") }
        let filters = linked ? nil : try TrafficFilters(ingress: ingress, egress: egress, interface: interface)
        self.links = links
        self.filters = filters
        hook = linked ? .tcx : .clsact
        self.interface = interface
    }

    private struct Links: ~Copyable, Sendable {
        let ingress: Descriptor
        let egress: Descriptor

        func interfaces() throws(BPFError) -> (ingress: Int32, egress: Int32) {
            (ingress: try Attachment.interface(of: ingress), egress: try Attachment.interface(of: egress))
        }
    }

    /// Makes the tcx links, or answers nil where the kernel has none.
    private static func link(
        _ ingress: borrowing Program,
        _ egress: borrowing Program,
        _ interface: Int32
    ) throws(BPFError) -> Links? {
        guard let first = try link(ingress, TCX.ingress, interface) else { return nil }
        guard let second = try link(egress, TCX.egress, interface) else { return nil }
        return Links(ingress: first, egress: second)
    }

    private static func link(
        _ program: borrowing Program,
        _ point: bpf_attach_type,
        _ interface: Int32
    ) throws(BPFError) -> Descriptor? {
        var options = unsafe bpf_link_create_opts()
        unsafe options.sz = MemoryLayout<bpf_link_create_opts>.size
        unsafe options.flags = TCX.before
        let number = program.descriptor.rawValue
        let result = unsafe bpf_link_create(number, interface, point, &options)
        // A kernel that does not know the attach type says EINVAL.
        if result == -EINVAL { return nil }
        return Descriptor(owning: try attempt("bpf(BPF_LINK_CREATE, tcx)") { result })
    }

    /// Whether both programs still hang there: false once the interface is gone, or somebody took one off.
    public func isAttached() throws(BPFError) -> Bool {
        if let found = try links?.interfaces() { return found == (interface, interface) }
        return try filters?.isAttached() ?? false
    }

    /// The interface that a tcx link hangs on; 0 once it hangs nowhere.
    private static func interface(of link: borrowing Descriptor) throws(BPFError) -> Int32 {
        var info = bpf_link_info()
        var size = UInt32(MemoryLayout<bpf_link_info>.size)
        let number = link.rawValue
        try attempt("bpf(BPF_OBJ_GET_INFO_BY_FD, link)") { unsafe bpf_obj_get_info_by_fd(number, &info, &size) }
        // tcx's own field is younger than Debian 12's headers; xdp's lies at the same place.
        return Int32(bitPattern: info.xdp.ifindex)
    }

    /// Numbers of the programs that hang on an interface as tcx, in the order in which they run.
    public static func programs(on interface: Int32, ingress: Bool) throws(BPFError) -> [UInt32] {
        LibraryLog.silence()
        var ids = [UInt32](repeating: 0, count: 64)
        var options = unsafe bpf_prog_query_opts()
        unsafe options.sz = MemoryLayout<bpf_prog_query_opts>.size
        let result = unsafe ids.withUnsafeMutableBufferPointer { ids in
            unsafe options.prog_ids = ids.baseAddress
            unsafe options.prog_cnt = UInt32(ids.count)
            return unsafe bpf_prog_query_opts(interface, ingress ? TCX.ingress : TCX.egress, &options)
        }
        if result == -EINVAL { return [] }
        try attempt("bpf(BPF_PROG_QUERY, tcx)") { result }
        return Array(ids.prefix(Int(unsafe options.prog_cnt)))
    }
}

/// Numbers that are younger than Debian 12's headers.
private enum TCX {
    static let ingress = bpf_attach_type(rawValue: 46)
    static let egress = bpf_attach_type(rawValue: 47)
    /// With no other program named: at the head.
    static let before: UInt32 = 1 << 3
}
