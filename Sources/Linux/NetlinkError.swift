/// Why talking to the kernel through netlink failed.
public enum NetlinkError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A system call failed.
    case system(SystemError)
    /// The kernel answered the named request with an error.
    case refused(String, Errno)
    /// A message does not keep to its format; the offset counts from the start of the message or attribute list.
    case malformed(NetlinkDefect, offset: Int)
    /// The kernel's table changed during each of several dumps of the named request.
    case interrupted(String)
    /// A datagram was larger than the receive buffer.
    case truncated(bytes: Int)

    public var description: String {
        switch self {
        case .system(let error): "netlink: \(error)"
        case .refused(let request, let errno): "netlink: the kernel refused \(request): \(errno)"
        case .malformed(let defect, let offset): "netlink: \(defect.rawValue) at offset \(offset)"
        case .interrupted(let request): "netlink: \(request) changed faster than it could be read; try again"
        case .truncated(let bytes): "netlink: a message of \(bytes) bytes does not fit the receive buffer"
        }
    }
}

/// What is wrong with a netlink message.
public enum NetlinkDefect: String, Equatable, Sendable {
    case messageLength = "a message length outside its datagram"
    case attributeLength = "an attribute length outside its message"
    case payload = "a payload shorter than its type asks"
    case value = "a value out of range"
}
