public import Linux

/// Why the host could not be looked at.
public enum HostError: Error, Equatable, Sendable, CustomStringConvertible {
    case system(SystemError)
    /// A file of /proc holds something else than its manual says.
    case unreadable(String)

    public var description: String {
        switch self {
        case .system(let error): "host: \(error); is /proc mounted?"
        case .unreadable(let path): "host: \(path) has an unknown form; is another filesystem mounted over /proc?"
        }
    }
}
