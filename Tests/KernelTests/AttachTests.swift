import BPF
import CLibBPF
import Glibc
import KernelABI
import Linux
import Support
import Testing

/// The testing library has one too.
typealias Attachment = BPF.Attachment

@Suite("Attaching to an interface", needsRoot) struct AttachTests {
    static let hooks: [Attachment.Hook] = [.tcx, .clsact]
    static let frame = PacketBuilder().ethernet().ipv4().tcp(to: 443).payload(count: 46)

    /// Counters that watch an interface of the calling thread's namespace.
    private static func watching(_ names: [String]) throws -> Counting {
        let counting = try Counting(clients: 64)
        for name in names {
            var entry = weir_interface()
            entry.options = UInt64(WEIR_INTERFACE_LOCAL_PORTS)
            try counting.interfaces.set(entry, for: VethPair.index(of: name))
        }
        return counting
    }

    private static func attach(
        _ counting: borrowing Counting,
        to name: String,
        _ hook: Attachment.Hook? = nil
    ) throws -> Attachment {
        let index = Int32(try VethPair.index(of: name))
        return try Attachment(ingress: counting.ingress, egress: counting.egress, interface: index, hook: hook)
    }

    private static func totals(_ counting: borrowing Counting, of name: String) throws -> (rx: Totals, tx: Totals) {
        let found = try #require(try counting.interfaces.value(for: VethPair.index(of: name)))
        return (Totals(found.rx), Totals(found.tx))
    }

    /// What `tc` says of an interface's filters, in both directions.
    private static func filters(of name: String) -> String {
        ["ingress", "egress"].map { ChildProcess.run(["/usr/sbin/tc", "filter", "show", "dev", name, $0]).text }
            .joined()
    }

    private static func hasQdisc(_ name: String) -> Bool {
        ChildProcess.run(["/usr/sbin/tc", "qdisc", "show", "dev", name]).text.contains("clsact")
    }

    private static func send(_ count: Int, frame: PacketBuilder = frame) throws {
        try FrameSender(interface: VethPair.near, frames: [frame.bytes]).send(count)
    }

    @Test("counts every frame in both directions, and leaves the interface as it was", arguments: hooks)
    func counts(_ hook: Attachment.Hook) throws {
        try VethPair.with {
            let counting = try Self.watching([VethPair.near, VethPair.far])
            let near = try Self.attach(counting, to: VethPair.near, hook)
            let far = try Self.attach(counting, to: VethPair.far, hook)
            #expect(near.hook == hook)
            #expect(try near.isAttached() && far.isAttached())
            try Self.send(1000)
            var expected = Totals()
            for _ in 0..<1000 { expected.expect(bytes: 100, family: WEIR_IPV4, protocol: WEIR_TCP) }
            #expect(try Self.totals(counting, of: VethPair.near) == (Totals(), expected))
            #expect(try Self.totals(counting, of: VethPair.far) == (expected, Totals()))
            _ = consume near
            _ = consume far
            let index = Int32(try VethPair.index(of: VethPair.near))
            #expect(try Attachment.programs(on: index, ingress: true).isEmpty)
            #expect(try Attachment.programs(on: index, ingress: false).isEmpty)
            #expect(!Self.hasQdisc(VethPair.near) && !Self.hasQdisc(VethPair.far))
            try Self.send(10)
            #expect(try counting.losses.value(for: 0)?.interface_unknown == 0)
            #expect(try Self.totals(counting, of: VethPair.near).tx == expected)
        }
    }

    @Test("tcx comes first where the kernel has it")
    func prefersLinks() throws {
        try VethPair.with {
            let counting = try Self.watching([VethPair.near])
            #expect(try Self.attach(counting, to: VethPair.near).hook == .tcx)
        }
    }

    @Test("a tag that the kernel strips counts its 4 bytes")
    func strippedTag() throws {
        try VethPair.with {
            let counting = try Self.watching([VethPair.near, VethPair.far])
            let near = try Self.attach(counting, to: VethPair.near)
            let far = try Self.attach(counting, to: VethPair.far)
            let frame = PacketBuilder().ethernet().vlan(7).ipv4().tcp(to: 443).payload(count: 40)
            try Self.send(3, frame: frame)
            var expected = Totals()
            for _ in 0..<3 { expected.expect(bytes: 98, family: WEIR_IPV4, protocol: WEIR_TCP) }
            #expect(try Self.totals(counting, of: VethPair.near).tx == expected)
            #expect(try Self.totals(counting, of: VethPair.far).rx == expected)
            #expect(try near.isAttached() && far.isAttached())
        }
    }

    @Test("an interface that is gone is noticed", arguments: hooks)
    func deleted(_ hook: Attachment.Hook) throws {
        try VethPair.with {
            let counting = try Self.watching([VethPair.near])
            let attachment = try Self.attach(counting, to: VethPair.near, hook)
            try VethPair.ip("link del \(VethPair.near)")
            #expect(try !attachment.isAttached())
            try VethPair.add()
            let again = try Self.attach(counting, to: VethPair.near, hook)
            #expect(try again.isAttached() && !attachment.isAttached())
        }
    }

    @Test("somebody deletes the qdisc: a filter is gone, a link stays")
    func qdiscDeleted() throws {
        try VethPair.with {
            let counting = try Self.watching([VethPair.near, VethPair.far])
            let filter = try Self.attach(counting, to: VethPair.near, .clsact)
            let link = try Self.attach(counting, to: VethPair.far, .tcx)
            for name in [VethPair.near, VethPair.far] {
                _ = ChildProcess.run(["/usr/sbin/tc", "qdisc", "del", "dev", name, "clsact"])
            }
            #expect(try !filter.isAttached())
            #expect(try link.isAttached())
        }
    }

    @Test("foreign tcx programs before and after keep their numbers and their places")
    func foreignLinks() throws {
        try VethPair.with {
            let index = Int32(try VethPair.index(of: VethPair.near))
            let counting = try Self.watching([VethPair.near])
            let after = try Program.answering(-1, name: "after")
            let before = try Program.answering(-1, name: "before")
            let egress = bpf_attach_type(rawValue: 47)
            var options = unsafe bpf_link_create_opts()
            unsafe options.sz = 12  // through flags
            unsafe options.flags = 1 << 3  // BPF_F_BEFORE
            let first = unsafe bpf_link_create(after.descriptor.rawValue, index, egress, &options)
            let attachment = try Self.attach(counting, to: VethPair.near, .tcx)
            let second = unsafe bpf_link_create(before.descriptor.rawValue, index, egress, &options)
            try #require(first >= 0 && second >= 0)
            defer {
                close(first)
                close(second)
            }
            #expect(try Attachment.programs(on: index, ingress: false) == [before.id, counting.egress.id, after.id])
            try Self.send(50)
            #expect(try Self.totals(counting, of: VethPair.near).tx.total.packets == 50)
            #expect(try attachment.isAttached())
            _ = consume attachment
            #expect(try Attachment.programs(on: index, ingress: false) == [before.id, after.id])
        }
    }

    @Test(
        "a foreign XDP program keeps its number and its work; we count what it lets through",
        arguments: hooks,
        ForeignXDP.Mode.allCases
    )
    func foreignXDP(_ hook: Attachment.Hook, _ mode: ForeignXDP.Mode) throws {
        try VethPair.with {
            let counting = try Self.watching([VethPair.near, VethPair.far])
            let far = Int32(try VethPair.index(of: VethPair.far))
            let foreign = try ForeignXDP(on: far, mode)
            let attachment = try Self.attach(counting, to: VethPair.far, hook)
            let near = try Self.attach(counting, to: VethPair.near, hook)
            #expect(foreign.attached == foreign.program.id)
            try Self.send(100)
            // Frames arrive in another context than they are sent in.
            #expect(try eventually(within: 5) { try Self.totals(counting, of: VethPair.far).rx.frames == 50 })
            #expect(foreign.runs == 100)
            var expected = Totals()
            for _ in 0..<50 { expected.expect(bytes: 100, family: WEIR_IPV4, protocol: WEIR_TCP) }
            #expect(try Self.totals(counting, of: VethPair.far).rx == expected)
            for _ in 0..<50 { expected.expect(bytes: 100, family: WEIR_IPV4, protocol: WEIR_TCP) }
            #expect(try Self.totals(counting, of: VethPair.near).tx == expected)
            #expect(try attachment.isAttached() && near.isAttached())
            _ = consume attachment
            #expect(foreign.attached == foreign.program.id)
            try Self.send(10)
            #expect(eventually(within: 5) { foreign.runs == 110 })
        }
    }

    @Test("a foreign filter keeps its number, and its qdisc")
    func foreignFilter() throws {
        try VethPair.with {
            let counting = try Self.watching([VethPair.near])
            let foreign = try Program.answering(-1, name: "foreign")
            try Self.place(foreign, on: VethPair.near, priority: 1, handle: 1)
            let attachment = try Self.attach(counting, to: VethPair.near, .clsact)
            try Self.send(20)
            #expect(try Self.totals(counting, of: VethPair.near).tx.total.packets == 20)
            #expect(Self.filters(of: VethPair.near).contains("weir_egress"))
            _ = consume attachment
            let left = Self.filters(of: VethPair.near)
            #expect(left.contains("id \(foreign.id) ") && !left.contains("weir_"))
            #expect(Self.hasQdisc(VethPair.near))
        }
    }

    @Test("a qdisc that we made stays while it holds a foreign filter")
    func foreignFilterLater() throws {
        try VethPair.with {
            let counting = try Self.watching([VethPair.near])
            let foreign = try Program.answering(-1, name: "foreign")
            let attachment = try Self.attach(counting, to: VethPair.near, .clsact)
            try Self.place(foreign, on: VethPair.near, priority: 50_000, handle: 1)
            _ = consume attachment
            #expect(Self.filters(of: VethPair.near).contains("id \(foreign.id) "))
            #expect(Self.hasQdisc(VethPair.near))
        }
    }

    @Test("a foreign filter at our own place is neither removed nor replaced")
    func occupied() throws {
        try VethPair.with {
            let counting = try Self.watching([VethPair.near])
            let foreign = try Program.answering(-1, name: "foreign")
            try Self.place(foreign, on: VethPair.near, priority: 0x5745, handle: 0x5745_4952)
            let index = Int32(try VethPair.index(of: VethPair.near))
            #expect(throws: BPFError.occupied(program: "foreign", interface: index)) {
                _ = try Self.attach(counting, to: VethPair.near, .clsact)
            }
            #expect(Self.filters(of: VethPair.near).contains("id \(foreign.id) "))
        }
    }

    @Test("a living sensor's filter is not taken for a leftover")
    func inUse() throws {
        try VethPair.with {
            let counting = try Self.watching([VethPair.near])
            let attachment = try Self.attach(counting, to: VethPair.near, .clsact)
            let index = Int32(try VethPair.index(of: VethPair.near))
            let refusal = BPFError.inUse(program: "weir_ingress", interface: index, process: getpid())
            #expect(throws: refusal) { _ = try Self.attach(counting, to: VethPair.near, .clsact) }
            #expect(try attachment.isAttached())
        }
    }

    @Test("no interface is a clear error", arguments: hooks)
    func noInterface(_ hook: Attachment.Hook) throws {
        try VethPair.with {
            let counting = try Counting(clients: 64)
            #expect(throws: BPFError.self) {
                _ = try Attachment(ingress: counting.ingress, egress: counting.egress, interface: 9999, hook: hook)
            }
        }
    }

    private static func place(
        _ program: borrowing Program,
        on name: String,
        priority: UInt32,
        handle: UInt32
    ) throws {
        var hook = bpf_tc_hook()
        hook.sz = 20  // through parent
        hook.ifindex = Int32(try VethPair.index(of: name))
        hook.attach_point = bpf_tc_attach_point(rawValue: BPF_TC_INGRESS.rawValue | BPF_TC_EGRESS.rawValue)
        let made = unsafe bpf_tc_hook_create(&hook)
        try #require(made == 0 || made == -EEXIST)
        hook.attach_point = BPF_TC_INGRESS
        var options = bpf_tc_opts()
        options.sz = 28  // through priority
        options.prog_fd = program.descriptor.rawValue
        options.priority = priority
        options.handle = handle
        try #require(unsafe bpf_tc_attach(&hook, &options) == 0)
    }

    @Test(
        "killed ten times, a sensor leaves one program in each direction, which the next one replaces",
        arguments: hooks
    )
    func killed(_ hook: Attachment.Hook) async throws {
        let namespace = try NamedNamespace("kernel-\(hook.rawValue)")
        let name = namespace.name
        try namespace.ip(["link", "add", VethPair.near, "type", "veth", "peer", "name", VethPair.far])
        let forced = hook.rawValue
        for round in 1...10 {
            await #expect(processExitsWith: .signal(SIGKILL)) { [name = name as String, forced = forced as String] in
                try NamedNamespace.enter(name) {
                    let counting = try Self.watching([VethPair.near])
                    let attachment = try Self.attach(counting, to: VethPair.near, Attachment.Hook(rawValue: forced))
                    guard try attachment.isAttached() else { return }
                    kill(getpid(), SIGKILL)
                }
            }
            let index = try namespace.enter { Int32(try VethPair.index(of: VethPair.near)) }
            let left = namespace.enterFilters()
            let links = try namespace.enter { try Attachment.programs(on: index, ingress: true) }
            #expect(links.isEmpty)
            #expect(
                left.split(separator: "\n").count { $0.contains("weir_") } == (hook == .tcx ? 0 : 2),
                "round \(round)"
            )
        }
        try namespace.enter {
            // The next one takes over in either way.
            let counting = try Self.watching([VethPair.near])
            let attachment = try Self.attach(counting, to: VethPair.near)
            #expect(try attachment.isAttached())
            #expect(!Self.filters(of: VethPair.near).contains("weir_"))
        }
    }

    @Test("a killed sensor's filters are removed by one that may not open other programs")
    func killedUnprivileged() async throws {
        let namespace = try NamedNamespace("kernel-left")
        let name = namespace.name
        try namespace.ip(["link", "add", VethPair.near, "type", "veth", "peer", "name", VethPair.far])
        await #expect(processExitsWith: .signal(SIGKILL)) { [name = name as String] in
            try NamedNamespace.enter(name) {
                let counting = try Self.watching([VethPair.near])
                let attachment = try Self.attach(counting, to: VethPair.near, .clsact)
                guard try attachment.isAttached() else { return }
                kill(getpid(), SIGKILL)
            }
        }
        #expect(namespace.enterFilters().contains("weir_"))
        await #expect(processExitsWith: .success) { [name = name as String] in
            try NamedNamespace.enter(name) {
                try Capabilities.keep([.networkAdmin, .bpf, .performance, .trace, .readSearch])
                let counting = try Self.watching([VethPair.near])
                if (try? Program(id: counting.ingress.id).name) != nil { exit(2) }
                let attachment = try Self.attach(counting, to: VethPair.near)
                guard try attachment.isAttached() else { exit(1) }
            }
        }
        #expect(!namespace.enterFilters().contains("weir_"))
    }
}

extension Capabilities {
    /// Gives up all others, in the calling thread.
    fileprivate static func keep(_ kept: Capabilities) throws {
        // Version 3 of capset(2), which glibc has and does not declare.
        var header: [UInt32] = [0x2008_0522, 0]
        let (low, high) = (UInt32(truncatingIfNeeded: kept.rawValue), UInt32(truncatingIfNeeded: kept.rawValue >> 32))
        let sets: [UInt32] = [low, low, 0, high, high, 0]
        let code = unsafe header.withUnsafeMutableBytes { header in
            unsafe sets.withUnsafeBytes { sets in unsafe capset(header.baseAddress, sets.baseAddress) }
        }
        try #require(code == 0)
    }
}

@_silgen_name("capset")
private func capset(_ header: UnsafeMutableRawPointer?, _ sets: UnsafeRawPointer?) -> Int32

extension NamedNamespace {
    /// What `tc` says of the filters of `near`.
    fileprivate func enterFilters() -> String {
        ["ingress", "egress"].map { direction in
            ChildProcess.run(command(["/usr/sbin/tc", "filter", "show", "dev", VethPair.near, direction])).text
        }.joined()
    }
}
