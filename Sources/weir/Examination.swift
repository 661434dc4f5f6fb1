import BPF
import CLinux
import Glibc
import Host
import Linux
import Publishing
import Reports
import Sensor

/// Looks at everything that the sensor needs of this host. Loads two instructions into the kernel to see whether it may,
/// attaches nothing, and leaves nothing behind.
struct Examination {
    private(set) var findings: [Finding] = []
    private let configuration: Configuration

    init(_ configuration: Configuration) {
        self.configuration = configuration
        kernel()
        rights()
        programs()
        interfaces()
        memory()
        redis()
        clock()
        dataDirectory()
        sensor()
    }

    private mutating func add(_ level: Finding.Level, _ what: String, _ found: String, _ remedy: String = "") {
        findings.append(Finding(level: level, what: what, found: found, remedy: remedy))
    }

    // MARK: Kernel

    private var release: (text: String, version: [Int]) {
        var name = utsname()
        unsafe uname(&name)
        let text = unsafe withUnsafeBytes(of: &name.release) { unsafe String(harmless: $0, limit: 64) }
        return (text, text.split { !$0.isNumber }.prefix(2).compactMap { Int($0) })
    }

    private mutating func kernel() {
        let (text, version) = release
        func isSince(_ major: Int, _ minor: Int) -> Bool { !version.lexicographicallyPrecedes([major, minor]) }
        if isSince(6, 6) {
            add(.ok, "kernel", "Linux \(text); programs attach by tcx")
        } else if isSince(5, 8) {
            add(.ok, "kernel", "Linux \(text); programs attach to clsact (tcx came with 6.6)")
        } else {
            add(.warn, "kernel", "Linux \(text)", "tested from 5.8 on; update the kernel if counting does not start")
        }
        if unsafe access("/sys/kernel/btf/vmlinux", R_OK) == 0 {
            add(.ok, "kernel types", "/sys/kernel/btf/vmlinux is there")
        } else {
            add(
                .warn,
                "kernel types",
                "no /sys/kernel/btf/vmlinux",
                "not needed for counting; other BPF tools may want it"
            )
        }
    }

    // MARK: Rights

    private mutating func rights() {
        let held: Capabilities
        do throws(SystemError) {
            held = try .effective()
        } catch {
            return add(.fail, "rights", "cannot be read: \(error)")
        }
        let administers = held.contains(.systemAdmin)
        let wanted: [(Capabilities, String, Bool)] = [
            (.bpf, "load programs", administers), (.performance, "load programs", administers),
            (.networkAdmin, "attach programs", false), (.networkRaw, "open packet rings", false),
            (.trace, "name other users' programs", false), (.readSearch, "name other users' programs", false),
        ]
        for (capability, use, isCovered) in wanted where !held.contains(capability) && !isCovered {
            let level: Finding.Level = capability == .trace || capability == .readSearch ? .warn : .fail
            add(level, "rights", "\(capability) is missing, to \(use)", "run as root, or grant \(capability)")
        }
        if held.isSuperset(of: [.networkAdmin, .networkRaw, .trace, .readSearch])
            && (administers || held.contains(.bpf))
        {
            add(.ok, "rights", held.description)
        }
    }

    private mutating func programs() {
        do throws(BPFError) {
            _ = try Program.answering(0, .trafficControl, name: "weir_doctor")
            _ = try Program.answering(0, .socketFilter, name: "weir_doctor")
            add(.ok, "BPF", "programs for tc and for sockets load")
        } catch {
            add(
                .fail,
                "BPF",
                "\(error)",
                "without it, interfaces are counted from /proc alone; run as root, and see that neither a container nor "
                    + "kernel.unprivileged_bpf_disabled and lockdown forbids bpf(2)"
            )
        }
    }

    // MARK: Interfaces

    private mutating func interfaces() {
        do throws(NetlinkError) {
            let choice = try InterfaceChoice(configuration)
            for name in choice.missing {
                add(.warn, "interface", "\(name) is not there", "it will be watched once it comes; is the name right?")
            }
            if choice.watched.isEmpty && choice.missing.isEmpty {
                add(
                    .fail,
                    "interface",
                    "no default route, so none is chosen",
                    "name one: --interface NAME, or --interface all"
                )
            }
            for interface in choice.watched {
                let others = foreignPrograms(on: interface.index)
                add(
                    interface.isUp ? .ok : .warn,
                    "interface",
                    interface.name + (interface.isUp ? " is up" : " is down") + others,
                    interface.isUp ? "" : "ip link set \(interface.name) up"
                )
            }
            for interface in choice.unwatched {
                add(.ok, "not watched", "\(interface.name): \(interface.reason)")
            }
        } catch {
            add(.fail, "interface", "cannot be listed: \(error)")
        }
    }

    /// What else hangs on an interface: it keeps running, beside our programs.
    private func foreignPrograms(on index: Int32) -> String {
        var names: [String] = []
        for isIngress in [true, false] {
            guard let ids = try? Attachment.programs(on: index, ingress: isIngress) else { continue }
            for id in ids {
                let name = (try? Program(id: id).name) ?? "?"
                if name != "weir_ingress" && name != "weir_egress" { names.append("\(name) (tcx, program \(id))") }
            }
        }
        return names.isEmpty ? "" : "; other programs there, which go on running: " + names.joined(separator: ", ")
    }

    // MARK: Resources

    private mutating func memory() {
        var limit = rlimit()
        _ = unsafe getrlimit(Int32(__RLIMIT_MEMLOCK.rawValue), &limit)
        let rings = UInt64(configuration.capture.memory)
        let isBounded = release.version.lexicographicallyPrecedes([5, 11]) && limit.rlim_cur < 4 * rings
        let isRoot = (try? Capabilities.effective())?.contains(.systemAdmin) ?? false
        if isBounded && !isRoot {
            add(
                .warn,
                "memory",
                "locked memory is limited to \(formattedBytes(UInt64(limit.rlim_cur)))",
                "ulimit -l unlimited"
            )
        }
        guard let host = memoryUsage() else { return }
        let isEnough = host.available > 4 * rings
        add(
            isEnough ? .ok : .warn,
            "memory",
            "\(formattedBytes(host.available)) free; rings take \(formattedBytes(rings))",
            isEnough ? "" : "lower capture.memory; rings are made smaller where memory is short"
        )
    }

    private func memoryUsage() -> MemoryUsage? {
        guard let number = try? check("open", { unsafe open("/proc/meminfo", O_RDONLY | O_CLOEXEC) }) else {
            return nil
        }
        let file = Descriptor(owning: number)
        var text = [UInt8](repeating: 0, count: 8_192)
        guard let count = try? check("read", { unsafe read(file.rawValue, &text, text.count) }) else { return nil }
        let filled = Array(text[..<count])
        let span = filled.span
        return MemoryUsage(span)
    }

    private mutating func redis() {
        do throws(SystemError) {
            let address = try configuration.redis.addressWithPassword()
            if let problem = address.probe() {
                add(.fail, "Redis", "\(address): \(problem)", "start it, or name another with redis.url or --redis")
            } else {
                add(.ok, "Redis", "\(address) answers")
            }
        } catch {
            add(.fail, "Redis", "redis.password_file: \(error)", "name a file that this user can read")
        }
    }

    private mutating func clock() {
        let answer = clinux_clock_synchronised()
        if answer < 0 { return }
        let isSynchronised = answer == 1
        add(
            isSynchronised ? .ok : .warn,
            "clock",
            isSynchronised ? "synchronised" : "not synchronised",
            isSynchronised ? "" : "consumers take documents older than 30 s for dead: run chrony or systemd-timesyncd"
        )
    }

    private mutating func dataDirectory() {
        let path = configuration.dataDirectory
        var existing = path
        while unsafe access(existing, F_OK) != 0, let slash = existing.lastIndex(of: "/"), existing != "/" {
            existing = slash == existing.startIndex ? "/" : String(existing[..<slash])
        }
        guard unsafe access(existing, W_OK | X_OK) == 0 else {
            return add(.fail, "data directory", "\(path) cannot be written", "run as root, or name another: --data-dir")
        }
        guard let space = try? DiskSpace(path: existing) else { return }
        let free = space.total - space.used
        let isEnough = free > 100 << 20
        add(
            isEnough ? .ok : .warn,
            "data directory",
            "\(path)\(existing == path ? "" : " (will be made)"), \(formattedBytes(free)) free",
            isEnough ? "" : "the log needs up to 50 MiB; make room, or switch it off with log.file: \"\""
        )
    }

    private mutating func sensor() {
        let path = configuration.socketPath
        do throws(SystemError) {
            let process = try UnixStream(path: path, timeout: 1).peer
            add(.ok, "sensor", "one runs (process \(process))")
        } catch {
            switch error.errno.rawValue {
            case ENOENT, ECONNREFUSED: add(.ok, "sensor", "none runs at \(path)")
            default: add(.warn, "sensor", "\(error)", "run this as root")
            }
        }
    }
}
