/// Which way a packet went, seen from this host.
public enum Direction: UInt8, BitwiseCopyable, Sendable {
    /// Received.
    case rx
    /// Sent.
    case tx
}
