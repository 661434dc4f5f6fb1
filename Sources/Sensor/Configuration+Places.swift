import Glibc
public import Host
public import Linux
public import Publishing
public import Reports

extension Configuration {
    /// Where a running sensor answers.
    public var socketPath: String { dataDirectory + "/weir.sock" }

    /// Makes the data directory, and those above it, where they are missing, for the owner alone.
    public func makeDataDirectory() throws(SystemError) {
        var path = ""
        for part in dataDirectory.split(separator: "/") {
            path += "/" + part
            let isLast = path == dataDirectory
            if unsafe mkdir(path, isLast ? 0o700 : 0o755) == 0 { continue }
            let error = Errno.current
            if error.rawValue != EEXIST { throw SystemError("mkdir \(path)", error) }
        }
        try check("access \(dataDirectory)") { unsafe access(dataDirectory, W_OK | X_OK) }
    }
}

extension Configuration.Redis {
    /// The address together with the password of `redis.password_file`, if one is named.
    public func addressWithPassword() throws(SystemError) -> RedisAddress {
        guard !passwordFile.isEmpty else { return address }
        let number = try check("open \(passwordFile)") { unsafe open(passwordFile, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        let file = Descriptor(owning: number)
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = try check("read \(passwordFile)") { unsafe read(file.rawValue, &bytes, bytes.count) }
        let line = bytes[..<count].prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        if line.isEmpty { throw SystemError("read \(passwordFile)", Errno(rawValue: ENODATA)) }
        var whole = address
        whole.password = Secret(String(decoding: line, as: UTF8.self))
        return whole
    }
}

extension Configuration.Ports {
    /// How the port list is made.
    public var policy: PortPolicy {
        PortPolicy(ranges: ranges, expected: expected, risk: risk == .seed ? .seed : .moved)
    }

    /// What listens on this host now, judged; counts no traffic.
    public func scan() throws(NetlinkError) -> PortList {
        var scanner = try PortScanner()
        let ports = try scanner.scan().ports(policy).map { OpenPort($0, traffic: nil) }
        return PortList(
            time: .now,
            tcp: ports.filter { $0.transport == .tcp },
            udp: ports.filter { $0.transport == .udp }
        )
    }
}

/// Which interfaces a configuration chooses on this host, now.
public struct InterfaceChoice: Sendable {
    public struct Interface: Sendable {
        public var name: String
        public var index: Int32
        public var isUp: Bool
    }

    public var watched: [Interface]
    public var unwatched: [SensorStatus.Unwatched]
    /// Names that were asked for and are not there.
    public var missing: [String]

    public init(_ configuration: Configuration) throws(NetlinkError) {
        var tables = try LinkTables()
        let links = try tables.links()
        let route = try tables.defaultRoute()
        let selection = InterfaceSelection(
            names: configuration.interfaces,
            links: Dictionary(links.map { ($0.index, $0) }) { $1 },
            preferred: route?.linkIndex
        )
        watched = selection.chosen.map { .init(name: $0.link.name, index: $0.link.index, isUp: $0.link.isUp) }
        unwatched = selection.unwatched
        missing = selection.missing
    }
}
