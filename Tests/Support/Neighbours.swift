/// Two hosts on one wire: two network namespaces with a veth pair between them, `near` in one and `far` in the other.
///
/// IPv4 198.18.0.1 (near) and .2, IPv6 fd00::1 and ::2. Removed with this value. Needs root.
public struct Neighbours: ~Copyable {
    public static let nearAddress = "198.18.0.1"
    public static let farAddress = "198.18.0.2"
    public static let nearAddress6 = "fd00::1"
    public static let farAddress6 = "fd00::2"

    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// Where the sensor runs.
    public let near: NamedNamespace
    public let far: NamedNamespace

    /// - Parameters:
    ///   - label: makes the namespaces' names.
    ///   - offloads: for both ends, as ethtool's -K takes them: `["gro", "on"]`.
    ///   - isSilent: without IPv6, whose multicast reports come unasked; raw frames of it pass all the same.
    ///   - isUp: false leaves both ends down: nothing has passed before `raise()`.
    public static func make(_ label: String, offloads: [String] = [], isSilent: Bool = false, isUp: Bool = true) throws
        -> Neighbours
    {
        let near = try NamedNamespace(label + "-n")
        let far = try NamedNamespace(label + "-f")
        let pair = Neighbours(near: near, far: far)
        try pair.wire()
        if isSilent {
            for isNear in [true, false] {
                try pair.run(onNear: isNear, ["/usr/sbin/sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"])
            }
        }
        try pair.setOffloads(offloads)
        if isUp { try pair.raise() }
        return pair
    }

    private init(near: consuming NamedNamespace, far: consuming NamedNamespace) {
        self.near = near
        self.far = far
    }

    /// Makes the pair, as after `cut()`.
    public borrowing func wire() throws {
        try near.ip(["link", "add", VethPair.near, "type", "veth", "peer", "name", VethPair.far, "netns", far.name])
        try near.ip(["link", "set", VethPair.near, "addrgenmode", "none"])
        try far.ip(["link", "set", VethPair.far, "addrgenmode", "none"])
        try near.ip(["addr", "add", Self.nearAddress + "/24", "dev", VethPair.near])
        try far.ip(["addr", "add", Self.farAddress + "/24", "dev", VethPair.far])
        try near.ip(["addr", "add", Self.nearAddress6 + "/64", "dev", VethPair.near, "nodad"])
        try far.ip(["addr", "add", Self.farAddress6 + "/64", "dev", VethPair.far, "nodad"])
    }

    public borrowing func raise() throws {
        try near.ip(["link", "set", VethPair.near, "up"])
        try far.ip(["link", "set", VethPair.far, "up"])
    }

    /// Deletes the pair.
    public borrowing func cut() throws { try near.ip(["link", "del", VethPair.near]) }

    public borrowing func setOffloads(_ words: [String]) throws {
        guard !words.isEmpty else { return }
        for command in [
            near.command(["/usr/sbin/ethtool", "-K", VethPair.near] + words),
            far.command(["/usr/sbin/ethtool", "-K", VethPair.far] + words),
        ] {
            let outcome = ChildProcess.run(command)
            guard outcome.status == 0 else { throw Failure(description: "\(command): \(outcome.text)") }
        }
    }

    /// What `ip -s link` says of an end: the interface's own counters.
    public borrowing func interfaceCounters(ofNear isNear: Bool = true) throws -> (
        rx: SensorDocument.Volume, tx: SensorDocument.Volume
    ) {
        let words = ["/usr/sbin/ip", "-s", "-j", "link", "show", "dev", isNear ? VethPair.near : VethPair.far]
        let outcome = ChildProcess.run(isNear ? near.command(words) : far.command(words))
        guard outcome.status == 0, let link = try LinkRow.rows(outcome.output).first else {
            throw Failure(description: "\(words): \(outcome.text)")
        }
        return (link.stats64.rx, link.stats64.tx)
    }

    /// Runs a program in one of them to its end; throws unless it succeeds.
    @discardableResult
    public borrowing func run(onNear isNear: Bool, _ words: [String], seconds: Int = 20) throws -> String {
        let outcome = ChildProcess.run(isNear ? near.command(words) : far.command(words), seconds: seconds)
        guard outcome.status == 0 else {
            throw Failure(description: "\(words) ended with \(outcome.status): \(outcome.text)")
        }
        return outcome.text
    }

    /// Pings the near end until this value is gone, about 200 times a second: traffic that faults must not disturb.
    public borrowing func pinging() throws -> BackgroundProcess {
        let words = ["/usr/bin/ping", "-q", "-i", "0.005", Neighbours.nearAddress]
        guard let process = BackgroundProcess(far.command(words)) else { throw Failure(description: "\(words)") }
        return process
    }
}
