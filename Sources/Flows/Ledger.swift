public import Packets

/// The account of every sampled frame: offered = skipped + kept; kept = dropped + read + in flight;
/// read = decoded + malformed + shed.
public struct Ledger: Sendable {
    /// Frames that the filter saw.
    public var offered: UInt64 = 0
    /// Not sampled.
    public var skipped: UInt64 = 0
    /// Sampled, for the ring.
    public var kept: UInt64 = 0
    /// For which the ring had no room.
    public var dropped: UInt64 = 0
    /// Taken out of the ring, or out of a file.
    public var read: UInt64 = 0
    /// Read with an outcome other than malformed: what the snap length cut and what no rule reads counts here too.
    public var decoded: UInt64 = 0
    public var malformed: UInt64 = 0
    /// Read and given up before decoding or before their shard had them: a full queue, overload.
    public var shed: UInt64 = 0

    public init() {}

    /// Frames that the three equations do not explain, each equation's difference taken by itself so that two mistakes
    /// cannot cancel out. While frames flow it holds those in flight and the time between two reads of the counters;
    /// at rest it is 0.
    public var residue: UInt64 {
        difference(offered, skipped + kept) + difference(kept, dropped + read)
            + difference(read, decoded + malformed + shed)
    }

    /// Adds what became of decoded frames.
    public mutating func add(_ counters: DecodeCounters) {
        malformed += counters.malformed
        decoded += counters.total - counters.malformed
    }

    private func difference(_ left: UInt64, _ right: UInt64) -> UInt64 {
        left > right ? left - right : right - left
    }
}

extension Ledger: Counters {
    public static func += (left: inout Ledger, right: Ledger) {
        left.offered += right.offered
        left.skipped += right.skipped
        left.kept += right.kept
        left.dropped += right.dropped
        left.read += right.read
        left.decoded += right.decoded
        left.malformed += right.malformed
        left.shed += right.shed
    }

    public func since(_ earlier: Ledger) -> Ledger {
        var delta = Ledger()
        delta.offered = offered.since(earlier.offered)
        delta.skipped = skipped.since(earlier.skipped)
        delta.kept = kept.since(earlier.kept)
        delta.dropped = dropped.since(earlier.dropped)
        delta.read = read.since(earlier.read)
        delta.decoded = decoded.since(earlier.decoded)
        delta.malformed = malformed.since(earlier.malformed)
        delta.shed = shed.since(earlier.shed)
        return delta
    }
}
