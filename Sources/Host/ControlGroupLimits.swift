import Linux

/// What the control groups around this process allow it; nil where they set no limit.
public struct ControlGroupLimits: Equatable, Sendable {
    /// In bytes.
    public var memory: UInt64?
    /// In CPUs: 1.5 is one and a half.
    public var processors: Double?

    /// Reads this process's limits: the tightest on the way from its group to the root. Versions 2 and 1 are known.
    public static func current() -> ControlGroupLimits {
        guard let mounts = try? ProcFile("/proc/self/mountinfo").contents(limit: 1 << 20),
            let groups = try? ProcFile("/proc/self/cgroup").contents()
        else { return ControlGroupLimits() }
        var limits = ControlGroupLimits()
        for folder in folders(
            mounts: String(decoding: mounts, as: UTF8.self),
            groups: String(decoding: groups, as: UTF8.self)
        ) {
            limits.tighten { name in
                guard let bytes = try? ProcFile("\(folder)/\(name)").contents(limit: 128) else { return nil }
                return String(decoding: bytes, as: UTF8.self)
            }
        }
        return limits
    }

    /// Takes in one group's folder, of either version; `file` answers a file's text, nil when it is not there.
    mutating func tighten(_ file: (String) -> String?) {
        // Version 1 writes "no limit" as the largest multiple of a page, about 2^63.
        if let text = file("memory.max") ?? file("memory.limit_in_bytes"),
            let bytes = UInt64(text.filter { !$0.isWhitespace }), bytes < 1 << 62
        {
            memory = min(memory ?? bytes, bytes)
        }
        let quota: [Double?]
        if let text = file("cpu.max") {
            quota = text.split(whereSeparator: \.isWhitespace).map { Double($0) }
        } else if let text = file("cpu.cfs_quota_us"), let period = file("cpu.cfs_period_us") {
            quota = [text, period].map { Double($0.filter { !$0.isWhitespace }) }
        } else {
            return
        }
        guard quota.count == 2, let allowed = quota[0], let period = quota[1], allowed > 0, period > 0 else { return }
        processors = min(processors ?? .infinity, allowed / period)
    }

    /// The folders that may limit the process, from /proc/self/mountinfo and /proc/self/cgroup: for each hierarchy
    /// the process's own group and those above it.
    static func folders(mounts: String, groups: String) -> [String] {
        var folders: [String] = []
        for line in groups.split(separator: "\n") {
            // hierarchy:controllers:path; version 2 names no controller.
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let controllers = fields[1].split(separator: ",")
            guard controllers.isEmpty || controllers.contains("memory") || controllers.contains("cpu") else { continue }
            for mount in mounts.split(separator: "\n") {
                // id parent device root point options [optional...] - type source superoptions
                let words = mount.split(separator: " ")
                guard words.count > 6, let dash = words.firstIndex(of: "-"), dash + 3 < words.count else { continue }
                let type = words[dash + 1]
                let options = words[dash + 3].split(separator: ",")
                guard
                    controllers.isEmpty
                        ? type == "cgroup2" : type == "cgroup" && controllers.allSatisfy(options.contains)
                else { continue }
                // A group outside the mount's root is not visible; the mount's own root then is the nearest.
                let root = words[3] == "/" ? "" : String(words[3])
                var path = fields[2].hasPrefix(root) ? String(fields[2].dropFirst(root.count)) : ""
                while path.hasSuffix("/") { path.removeLast() }
                while !path.isEmpty {
                    folders.append(words[4] + path)
                    path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
                }
                folders.append(String(words[4]))
            }
        }
        return folders
    }
}
