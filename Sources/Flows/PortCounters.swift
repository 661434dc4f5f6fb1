/// One local port of TCP or UDP.
public struct PortCounters: BitwiseCopyable, Sendable {
    /// Received on that port.
    public var received: Volume
    /// Sent from that port.
    public var sent: Volume

    public init(received: Volume, sent: Volume) {
        self.received = received
        self.sent = sent
    }
}

extension PortCounters: Counters {
    public init() {
        self.init(received: Volume(), sent: Volume())
    }

    public static func += (left: inout PortCounters, right: PortCounters) {
        left.received += right.received
        left.sent += right.sent
    }

    public func since(_ earlier: PortCounters) -> PortCounters {
        PortCounters(received: received.since(earlier.received), sent: sent.since(earlier.sent))
    }
}
