/// Frames by what became of them; each frame counts once.
public struct DecodeCounters: BitwiseCopyable, Sendable {
    private var frames: [27 of UInt64]

    public init() {
        frames = [27 of UInt64](repeating: 0)
    }

    @inline(__always)
    public mutating func count(_ outcome: Outcome) {
        frames[Int(outcome.rawValue)] &+= 1
    }

    public subscript(outcome: Outcome) -> UInt64 { frames[Int(outcome.rawValue)] }

    public var total: UInt64 { sum { _ in true } }
    public var decoded: UInt64 { self[.decoded] }
    public var truncated: UInt64 { sum(where: \.isTruncated) }
    public var malformed: UInt64 { sum(where: \.isMalformed) }
    public var unknown: UInt64 { sum(where: \.isUnknown) }

    public static func += (left: inout DecodeCounters, right: DecodeCounters) {
        for index in left.frames.indices {
            left.frames[index] += right.frames[index]
        }
    }

    private func sum(where belongs: (Outcome) -> Bool) -> UInt64 {
        Outcome.allCases.reduce(0) { $0 + (belongs($1) ? self[$1] : 0) }
    }
}

extension DecodeCounters: Equatable {
    public static func == (left: DecodeCounters, right: DecodeCounters) -> Bool {
        left.frames.indices.allSatisfy { left.frames[$0] == right.frames[$0] }
    }
}
