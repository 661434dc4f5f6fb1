import Packets

/// Traffic that no detector is shown: of known scanners, monitors and backups.
public struct AllowRule: Equatable, Sendable {
    /// Of whoever opens the flow.
    public var prefix: Prefix
    /// Of the service; nil: all.
    public var ports: ClosedRange<UInt16>?

    public init(_ prefix: Prefix, ports: ClosedRange<UInt16>? = nil) {
        self.prefix = prefix
        self.ports = ports
    }

    func matches(_ initiator: Address, _ family: Family, port: UInt16) -> Bool {
        prefix.contains(initiator, family) && ports?.contains(port) ?? true
    }
}
