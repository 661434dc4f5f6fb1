/// Where an HTTP service is: `http://host[:port]/path`.
public struct HTTPAddress: Equatable, Sendable, CustomStringConvertible {
    /// A name or an address; one of IPv6 without brackets.
    public let host: String
    public let port: UInt16
    /// Begins with `/`; as it goes over the wire.
    public let path: String

    /// Reads a URL. Left out: port 80, path `/`.
    public init(_ url: String) throws(HTTPAddressError) {
        guard let colon = url.firstRange(of: "://") else { throw .scheme }
        switch url[..<colon.lowerBound].lowercased() {
        case "http": break
        case "https": throw .encrypted
        default: throw .scheme
        }
        let rest = url[colon.upperBound...]
        guard !rest.contains(where: { $0 == "?" || $0 == "#" }) else { throw .query }
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[..<end]
        guard !authority.contains("@") else { throw .credentials }
        let after: Substring
        if authority.first == "[" {
            guard let close = authority.firstIndex(of: "]") else { throw .host }
            host = String(authority[authority.index(after: authority.startIndex)..<close])
            after = authority[authority.index(after: close)...]
            guard host.contains(":"), host.allSatisfy({ $0.isASCII && ($0.isHexDigit || $0 == ":" || $0 == ".") })
            else { throw .host }
        } else {
            let name = authority.prefix { $0 != ":" }
            host = String(name)
            after = authority[name.endIndex...]
            guard (1...253).contains(host.utf8.count),
                host.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) })
            else { throw .host }
        }
        if after.isEmpty {
            port = 80
        } else {
            let digits = after.dropFirst()
            guard after.first == ":", let number = UInt16(digits), number > 0, digits.allSatisfy(\.isNumber) else {
                throw .port
            }
            port = number
        }
        path = end == rest.endIndex ? "/" : String(rest[end...])
        guard Self.isValid(path) else { throw .path }
    }

    public var description: String { "http://\(authority)\(path)" }

    /// What the header Host says.
    var authority: String { (host.contains(":") ? "[\(host)]" : host) + (port == 80 ? "" : ":\(port)") }

    /// RFC 3986, section 3.3: nothing that could end the request line or begin a header.
    private static func isValid(_ path: String) -> Bool {
        var rest = Array(path.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard rest.count >= 2, rest.prefix(2).allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else {
                    return false
                }
                rest = rest.dropFirst(2)
                continue
            }
            let character = Character(Unicode.Scalar(byte))
            guard byte < 0x80, character.isLetter || character.isNumber || "-._~!$&'()*+,;=:@/".contains(character)
            else { return false }
        }
        return true
    }
}

/// What is wrong with a URL. Descriptions quote nothing of it.
public enum HTTPAddressError: Error, Equatable, Sendable, CustomStringConvertible {
    case scheme, encrypted, credentials, host, port, path, query

    public var description: String {
        switch self {
        case .scheme: "the URL must begin with http://, for example http://localhost:23333/predict/batch"
        case .encrypted:
            "https:// is not supported; run stunnel or another TLS proxy on this host and name its address with http://"
        case .credentials: "the URL holds a user or a password, which this service does not take"
        case .host: "the URL has no valid host; write an IPv6 address in brackets"
        case .port: "the URL has no valid port (1-65535)"
        case .path: "the path of the URL is not valid; it must end in /predict/batch or /predict/buffered"
        case .query: "the URL must not hold ? or #"
        }
    }
}
