public import BPF
public import Linux

/// Why a privileged verb was not done.
public enum KeeperError: Error, Equatable, Sendable, CustomStringConvertible {
    case bpf(BPFError)
    case netlink(NetlinkError)
    case system(SystemError)
    /// Packet sockets are refused: the process lacks CAP_NET_RAW.
    case packetsNotPermitted
    /// A verb that needs the counting programs came before they were loaded.
    case notLoaded

    public var description: String {
        switch self {
        case .bpf(let error): "\(error)"
        case .netlink(let error): "\(error)"
        case .system(let error): "\(error)"
        case .packetsNotPermitted: "opening a packet socket is not permitted: run as root, or grant CAP_NET_RAW"
        case .notLoaded: "the counting programs are not loaded"
        }
    }
}
