public import Linux

extension Exposure {
    /// Judges one socket, given the host's addresses.
    public init(of socket: ListeningSocket, on host: [LinkAddress]) {
        let address = socket.address.unmapped
        if address.isLoopback {
            self = .loopback
        } else if address.isUnspecified {
            let reachable = host.lazy.filter { own in
                (socket.linkIndex == 0 || Int64(own.linkIndex) == Int64(socket.linkIndex))
                    && (own.address.family == socket.address.family
                        || (socket.address.family == .v6 && !socket.isV6Only))
            }
            if reachable.allSatisfy({ $0.address.isLoopback }) {
                self = .loopback
            } else if socket.linkIndex != 0, reachable.allSatisfy({ $0.address.isLoopback || $0.address.isPrivate }) {
                self = .private
            } else {
                self = .any
            }
        } else {
            self = address.isPrivate || address.isMulticast ? .private : .public
        }
    }
}
