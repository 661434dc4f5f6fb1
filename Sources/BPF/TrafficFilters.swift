import CLibBPF
import Glibc
import Linux

/// Our filters on the clsact qdisc of one interface, on our own priority and handle.
///
/// A filter is ours if it sits there and its program has our name; nothing else is ever removed or replaced. The qdisc is
/// removed only if this value made it and it is empty.
struct TrafficFilters: ~Copyable, Sendable {
    /// High enough to leave the first places to those who must see packets first; before tc's own choice, 49152.
    private static let priority: UInt32 = 0x5745
    private static let handle: UInt32 = 0x5745_4952

    private let interface: Int32
    private let ingressID: UInt32
    private let egressID: UInt32
    private let madeQdisc: Bool

    init(ingress: borrowing Program, egress: borrowing Program, interface: Int32) throws(BPFError) {
        let both = bpf_tc_attach_point(rawValue: BPF_TC_INGRESS.rawValue | BPF_TC_EGRESS.rawValue)
        var hook = Self.hook(interface, both)
        let made = unsafe bpf_tc_hook_create(&hook)
        if made != -EEXIST { try attempt("netlink(RTM_NEWQDISC, clsact)") { made } }
        do throws(BPFError) {
            try Self.add(ingress, interface, BPF_TC_INGRESS)
            try Self.add(egress, interface, BPF_TC_EGRESS)
        } catch {
            Self.remove(ingress.id, interface, BPF_TC_INGRESS)
            if made == 0 { Self.removeEmptyQdisc(interface) }
            throw error
        }
        self.interface = interface
        ingressID = ingress.id
        egressID = egress.id
        madeQdisc = made == 0
    }

    deinit {
        Self.remove(ingressID, interface, BPF_TC_INGRESS)
        Self.remove(egressID, interface, BPF_TC_EGRESS)
        if madeQdisc { Self.removeEmptyQdisc(interface) }
    }

    func isAttached() throws(BPFError) -> Bool {
        let found = (try Self.program(interface, BPF_TC_INGRESS), try Self.program(interface, BPF_TC_EGRESS))
        return found == (ingressID, egressID)
    }

    /// Removes what a killed sensor left.
    ///
    /// - Throws: `inUse` when a living process still holds the program; `occupied` when it is not ours.
    static func removeLeftovers(ingress: String, egress: String, interface: Int32) throws(BPFError) {
        for (name, point) in [(ingress, BPF_TC_INGRESS), (egress, BPF_TC_EGRESS)] {
            guard let id = try program(interface, point) else { continue }
            let found = try programName(id, interface, point)
            guard found == name else { throw .occupied(program: found, interface: interface) }
            if let process = holder(of: id) { throw .inUse(program: name, interface: interface, process: process) }
            remove(id, interface, point)
        }
    }

    /// The name of the program at our place. Where the kernel does not let us open programs of others, it is told from the
    /// filter's name, which libbpf makes of the program's: `weir_ingress:[17]`.
    private static func programName(
        _ id: UInt32,
        _ interface: Int32,
        _ point: bpf_tc_attach_point
    ) throws(BPFError) -> String {
        do throws(BPFError) {
            return try Program(id: id).name
        } catch {
            guard case .notPermitted = error, var socket = try? NetlinkSocket(.route),
                let name = try? socket.trafficFilterName(
                    interface: interface,
                    ingress: point == BPF_TC_INGRESS,
                    handle: handle
                ), name.hasSuffix(":[\(id)]")
            else { throw error }
            return String(name.dropLast(":[\(id)]".count))
        }
    }

    private static func add(
        _ program: borrowing Program,
        _ interface: Int32,
        _ point: bpf_tc_attach_point
    ) throws(BPFError) {
        var hook = hook(interface, point)
        var options = options()
        options.prog_fd = program.descriptor.rawValue
        // Without BPF_TC_F_REPLACE: the kernel refuses an occupied place.
        try attempt("netlink(RTM_NEWTFILTER, \(program.name))") { unsafe bpf_tc_attach(&hook, &options) }
    }

    /// The program at our place, or nil if there is none, or no qdisc, or no interface.
    private static func program(_ interface: Int32, _ point: bpf_tc_attach_point) throws(BPFError) -> UInt32? {
        var hook = hook(interface, point)
        var options = options()
        let (result, _) = LibraryLog.collecting { unsafe bpf_tc_query(&hook, &options) }
        if result == -ENOENT || result == -EINVAL || result == -ENODEV { return nil }
        try attempt("netlink(RTM_GETTFILTER)") { result }
        return options.prog_id
    }

    /// Removes our filter, if the program there is still this one.
    private static func remove(_ id: UInt32, _ interface: Int32, _ point: bpf_tc_attach_point) {
        guard (try? program(interface, point)) == id else { return }
        var hook = hook(interface, point)
        var options = options()
        _ = unsafe bpf_tc_detach(&hook, &options)
    }

    private static func removeEmptyQdisc(_ interface: Int32) {
        guard var socket = try? NetlinkSocket(.route),
            (try? socket.trafficFilters(interface: interface)) == 0
        else { return }
        let both = bpf_tc_attach_point(rawValue: BPF_TC_INGRESS.rawValue | BPF_TC_EGRESS.rawValue)
        var hook = hook(interface, both)
        _ = unsafe bpf_tc_hook_destroy(&hook)
    }

    private static func hook(_ interface: Int32, _ point: bpf_tc_attach_point) -> bpf_tc_hook {
        var hook = bpf_tc_hook()
        hook.sz = size(through: \bpf_tc_hook.parent)
        hook.ifindex = interface
        hook.attach_point = point
        return hook
    }

    private static func options() -> bpf_tc_opts {
        var options = bpf_tc_opts()
        options.sz = size(through: \bpf_tc_opts.priority)
        options.handle = handle
        options.priority = priority
        return options
    }

    /// A living process that has the program open. Looked for only when a filter of ours is found, so it may take long.
    private static func holder(of program: UInt32) -> Int32? {
        for process in numbers(in: "/proc") {
            for descriptor in numbers(in: "/proc/\(process)/fdinfo") {
                guard let lines = text(of: "/proc/\(process)/fdinfo/\(descriptor)")?.split(separator: "\n") else {
                    continue
                }
                for line in lines where line.hasPrefix("prog_id:") {
                    if line.split(separator: "\t").last == "\(program)" { return process }
                }
            }
        }
        return nil
    }

    private static func numbers(in path: String) -> [Int32] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var numbers: [Int32] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let number = Int32(name) { numbers.append(number) }
        }
        return numbers
    }

    private static func text(of path: String) -> String? {
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        let file = Descriptor(owning: number)
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(file.rawValue, &bytes, 4096)
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }
}
