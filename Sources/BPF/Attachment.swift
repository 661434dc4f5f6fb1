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
        let links = forced == .clsact ? nil : try Links(ingress: ingress, egress: egress, interface: interface)
        let linked = links != nil
        if forced == .tcx, !linked { throw .unsupported(what: "tcx", since: "6.6") }
        let filters = linked ? nil : try TrafficFilters(ingress: ingress, egress: egress, interface: interface)
        self.links = links
        self.filters = filters
        hook = linked ? .tcx : .clsact
        self.interface = interface
    }

    /// Whether both programs still hang there: false once the interface is gone, or somebody took one off.
    public func isAttached() throws(BPFError) -> Bool {
        if let found = try links?.interface() { return found == interface }
        return try filters?.isAttached() ?? false
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
            return unsafe bpf_prog_query_opts(interface, ingress ? Links.ingressPoint : Links.egressPoint, &options)
        }
        if result == -EINVAL { return [] }
        try attempt("bpf(BPF_PROG_QUERY, tcx)") { result }
        return Array(ids.prefix(Int(unsafe options.prog_cnt)))
    }
}
