public import Linux

/// A list of ports, ranges of ports, or both: `22,80,8000-9000`, `53/udp`.
public struct PortRanges: Equatable, Sendable, CustomStringConvertible {
    /// One entry; without a transport it means both, or TCP where one must be named.
    struct Entry: Equatable, Sendable {
        var ports: ClosedRange<UInt16>
        var transport: SocketTransport?
    }

    /// How many entries a list may have.
    public static let limit = 1024

    let entries: [Entry]

    /// An empty list.
    public init() {
        entries = []
    }

    /// Reads a list: entries split by commas, each a port or `first-last`, with `/tcp` or `/udp` behind it if wanted.
    /// Blanks do not matter; an empty text is an empty list.
    public init(_ text: String) throws(PortRangesError) {
        let fields = text.split(separator: ",", omittingEmptySubsequences: false)
        guard fields.count <= Self.limit else { throw .tooMany(fields.count) }
        if text.allSatisfy(\.isWhitespace) {
            entries = []
            return
        }
        var entries: [Entry] = []
        for field in fields { entries.append(try Self.entry(field)) }
        self.entries = entries
    }

    public func contains(_ port: UInt16, _ transport: SocketTransport) -> Bool {
        entries.contains { $0.ports.contains(port) && ($0.transport ?? transport) == transport }
    }

    public var isEmpty: Bool { entries.isEmpty }

    /// Every port of the list, each once; TCP where an entry names no transport.
    var keys: Set<PortKey> {
        var keys: Set<PortKey> = []
        for entry in entries {
            for port in entry.ports { keys.insert(PortKey(transport: entry.transport ?? .tcp, port: port)) }
        }
        return keys
    }

    public var description: String {
        entries.map { entry in
            let ports =
                entry.ports.count == 1
                ? "\(entry.ports.lowerBound)" : "\(entry.ports.lowerBound)-\(entry.ports.upperBound)"
            return entry.transport.map { "\(ports)/\($0)" } ?? ports
        }.joined(separator: ",")
    }

    private static func entry(_ field: Substring) throws(PortRangesError) -> Entry {
        let parts = trimmed(field).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, !first.isEmpty else { throw .emptyEntry }
        var transport: SocketTransport?
        if parts.count == 2 {
            switch trimmed(parts[1]).lowercased() {
            case "tcp": transport = .tcp
            case "udp": transport = .udp
            default: throw .unknownTransport(String(harmless: parts[1].utf8, limit: 40))
            }
        }
        let bounds = first.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let lower = try port(bounds[0])
        let upper = bounds.count == 2 ? try port(bounds[1]) : lower
        guard lower <= upper else { throw .reversed(lower, upper) }
        return Entry(ports: lower...upper, transport: transport)
    }

    private static func port(_ text: Substring) throws(PortRangesError) -> UInt16 {
        let digits = trimmed(text)
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let port = UInt16(digits),
            port > 0
        else { throw .notAPort(String(harmless: text.utf8, limit: 40)) }
        return port
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let head = text.drop(while: \.isWhitespace)
        return head.prefix(
            (head.lastIndex { !$0.isWhitespace }.map { head.distance(from: head.startIndex, to: $0) + 1 }) ?? 0
        )
    }
}

/// What is wrong with a list of ports.
public enum PortRangesError: Error, Equatable, Sendable, CustomStringConvertible {
    case emptyEntry
    case notAPort(String)
    case reversed(UInt16, UInt16)
    case unknownTransport(String)
    case tooMany(Int)

    public var description: String {
        switch self {
        case .emptyEntry: "an entry is empty; write ports as 22,80,8000-9000"
        case .notAPort(let text): "\"\(text)\" is no port; a port is a number from 1 to 65535"
        case .reversed(let lower, let upper): "\(lower)-\(upper) runs backwards; write \(upper)-\(lower)"
        case .unknownTransport(let text): "\"\(text)\" is no transport; write /tcp or /udp behind the port"
        case .tooMany(let count): "\(count) entries are too many; at most \(PortRanges.limit) are allowed"
        }
    }
}
