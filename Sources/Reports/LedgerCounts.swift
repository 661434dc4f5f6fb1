/// The account of every sampled frame since start.
public struct LedgerCounts: Equatable, Sendable {
    /// Frames the filter saw; let go by it; let through to the ring.
    public var offered, skipped, kept: UInt64
    /// Frames the ring had no room for; taken out of the ring.
    public var dropped, read: UInt64
    /// Frames read that were understood; that were broken; that were turned away for want of time or room.
    public var decoded, malformed, shed: UInt64

    public init(
        offered: UInt64 = 0,
        skipped: UInt64 = 0,
        kept: UInt64 = 0,
        dropped: UInt64 = 0,
        read: UInt64 = 0,
        decoded: UInt64 = 0,
        malformed: UInt64 = 0,
        shed: UInt64 = 0
    ) {
        self.offered = offered
        self.skipped = skipped
        self.kept = kept
        self.dropped = dropped
        self.read = read
        self.decoded = decoded
        self.malformed = malformed
        self.shed = shed
    }

    /// Frames unaccounted for: how far each of the three equations is off, added up. Frames in flight between filter
    /// and reader count as well, so it is judged at rest.
    public var residue: UInt64 {
        distance(offered, skipped &+ kept) &+ distance(kept, dropped &+ read)
            &+ distance(read, decoded &+ malformed &+ shed)
    }

    private func distance(_ left: UInt64, _ right: UInt64) -> UInt64 { left > right ? left - right : right - left }

    /// Writes the members of an object.
    public func write(to json: inout JSONWriter) {
        json.field("offered", offered)
        json.field("skipped", skipped)
        json.field("kept", kept)
        json.field("dropped", dropped)
        json.field("read", read)
        json.field("decoded", decoded)
        json.field("malformed", malformed)
        json.field("shed", shed)
        json.field("residue", residue)
    }
}
