/// Where Redis is and who we are there.
public struct RedisAddress: Equatable, Sendable, CustomStringConvertible {
    public enum Transport: Equatable, Sendable {
        case tcp(host: String, port: UInt16)
        case unix(path: String)
    }

    public var transport: Transport
    /// Nil is Redis's user `default`.
    public var user: String?
    public var password: Secret?
    public var database: Int

    public init(transport: Transport, user: String? = nil, password: Secret? = nil, database: Int = 0) {
        self.transport = transport
        self.user = user
        self.password = password
        self.database = database
    }

    /// Reads `redis://[user:password@]host[:port][/database]` or `unix:///path[?db=database]`; user, password, host and
    /// path may be percent-encoded. Left out: host localhost, port 6379, database 0.
    public init(_ url: String) throws(RedisAddressError) {
        guard let colon = url.firstRange(of: "://") else { throw .scheme }
        let rest = url[colon.upperBound...]
        switch url[..<colon.lowerBound].lowercased() {
        case "redis": self = try RedisAddress.tcp(rest)
        case "unix": self = try RedisAddress.unix(rest)
        case "rediss": throw .encrypted
        default: throw .scheme
        }
    }

    /// The address without the password.
    public var description: String {
        let name = user.map { $0 + "@" } ?? ""
        switch transport {
        case .tcp(let host, let port):
            return "redis://\(name)\(host.contains(":") ? "[\(host)]" : host):\(port)/\(database)"
        case .unix(let path):
            return "unix://\(name)\(path)" + (database == 0 ? "" : "?db=\(database)")
        }
    }

    // MARK: Parsing

    private static func tcp(_ rest: Substring) throws(RedisAddressError) -> RedisAddress {
        guard !rest.contains(where: { $0 == "?" || $0 == "#" }) else { throw .option }
        let (authority, path) = split(rest, before: "/")
        let (user, password, location) = try credentials(authority)
        let host: Substring
        var portText: Substring?
        if location.first == "[" {
            guard let end = location.firstIndex(of: "]") else { throw .host }
            host = location[location.index(after: location.startIndex)..<end]
            let after = location[location.index(after: end)...]
            guard after.isEmpty || after.first == ":" else { throw .host }
            if !after.isEmpty { portText = after.dropFirst() }
        } else {
            let parts = location.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard !(parts.last?.contains(":") ?? false) else { throw .host }
            host = parts.first ?? ""
            if parts.count == 2 { portText = parts[1] }
        }
        var port: UInt16 = 6379
        if let portText {
            guard let number = UInt16(portText), number > 0 else { throw .port }
            port = number
        }
        let name = try decoded(host)
        let digits = path.dropFirst()
        return RedisAddress(
            transport: .tcp(host: name.isEmpty ? "localhost" : name, port: port),
            user: user,
            password: password,
            database: digits.isEmpty ? 0 : try number(digits)
        )
    }

    private static func unix(_ rest: Substring) throws(RedisAddressError) -> RedisAddress {
        let (location, query) = split(rest, before: "?")
        let (authority, encodedPath) = split(location, before: "/")
        let (user, password, host) = try credentials(authority)
        let path = try decoded(encodedPath)
        // The kernel's sockaddr_un holds 107 bytes and a zero; what is longer would be cut to another path.
        guard host.isEmpty, path.hasPrefix("/"), path.utf8.count <= 107 else { throw .path }
        var database = 0
        if !query.isEmpty {
            guard query.hasPrefix("?db=") else { throw .option }
            database = try number(query.dropFirst(4))
        }
        return RedisAddress(transport: .unix(path: path), user: user, password: password, database: database)
    }

    private static func split(_ text: Substring, before mark: Character) -> (Substring, Substring) {
        let end = text.firstIndex(of: mark) ?? text.endIndex
        return (text[..<end], text[end...])
    }

    private static func credentials(
        _ authority: Substring
    ) throws(RedisAddressError) -> (user: String?, password: Secret?, rest: Substring) {
        guard let at = authority.lastIndex(of: "@") else { return (nil, nil, authority) }
        let parts = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let user = try decoded(parts.first ?? "")
        let password = parts.count == 2 ? Secret(try decoded(parts[1])) : nil
        let rest = authority[authority.index(after: at)...]
        return (user.isEmpty ? nil : user, password?.value.isEmpty ?? true ? nil : password, rest)
    }

    private static func number(_ digits: Substring) throws(RedisAddressError) -> Int {
        guard let number = Int32(digits), number >= 0, !digits.hasPrefix("+") else { throw .database }
        return Int(number)
    }

    private static func decoded(_ text: Substring) throws(RedisAddressError) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst(), let low = rest.popFirst(),
                let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16), high != UInt8(ascii: "+")
            else { throw .encoding }
            bytes.append(value)
        }
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else { throw .encoding }
        return text
    }
}

/// What is wrong with an address. Descriptions quote nothing of it: any part may be a secret in the wrong place.
public enum RedisAddressError: Error, Equatable, Sendable, CustomStringConvertible {
    case scheme, encrypted, host, port, database, path, option, encoding

    public var description: String {
        switch self {
        case .scheme:
            "the Redis address must begin with redis:// or unix://, for example redis://localhost:6379"
        case .encrypted:
            "rediss:// (TLS) is not supported by the Redis library of this system; run stunnel or another TLS proxy "
                + "on this host and name its address with redis:// or unix://"
        case .host:
            "the Redis address has no valid host; write an IPv6 address in brackets, and @ : / in a password as "
                + "%40 %3A %2F"
        case .port:
            "the Redis address has no valid port (1-65535); write @ : / in a password as %40 %3A %2F"
        case .database:
            "the database in the Redis address must be a number from 0 up, for example redis://localhost/2"
        case .path:
            "the Redis address must name a socket by an absolute path of at most 107 bytes, for example "
                + "unix:///run/redis/redis.sock"
        case .option:
            "the Redis address has an option that is not known; only unix:///path?db=NUMBER has one; write ? # in a "
                + "password as %3F %23"
        case .encoding:
            "the Redis address holds a % that does not begin a valid percent-encoding; write % itself as %25"
        }
    }
}
