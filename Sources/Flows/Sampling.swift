/// What the sampling filter decides by, in the order in which it tries.
public enum SamplingClass: Int, CaseIterable, Sendable {
    /// TCP with SYN, FIN or RST.
    case handshake
    /// ICMP and ICMPv6.
    case icmp
    /// The first frames of a flow.
    case first
    case rest
}

/// Frames of one sampling class: seen by the filter, and let through.
public struct SamplingCounters: Sendable {
    public var offered: UInt64
    public var kept: UInt64

    public init(offered: UInt64, kept: UInt64) {
        self.offered = offered
        self.kept = kept
    }

    /// A total over all frames of the class, told from the kept ones.
    public struct Estimate: Equatable, Sendable {
        public var total: Double
        /// One standard deviation of `total`; 0 when every frame was kept.
        public var standardError: Double
    }

    /// Estimates how many of the offered frames have a property which `count` of the kept ones have.
    public func estimate(count: UInt64) -> Estimate? {
        estimate(sum: Double(count), sumOfSquares: Double(count))
    }

    /// Estimates the sum of a value over the offered frames, by the ratio offered / kept of this class and window.
    ///
    /// Taken as simple random sampling without replacement (Cochran, Sampling Techniques, section 2.5-2.7). A value that
    /// no kept frame has gives 0 with error 0: with n kept, up to 3 / n of the offered may have it (95 %).
    /// - Parameters:
    ///   - sum: over the kept frames
    ///   - sumOfSquares: of the same values
    /// - Returns: nil when nothing was kept of what was offered. Of a single kept frame among several the error is
    ///   infinite: one value says nothing about its spread.
    public func estimate(sum: Double, sumOfSquares: Double) -> Estimate? {
        let (offered, kept) = (Double(max(offered, kept)), Double(kept))
        if offered == kept { return Estimate(total: sum, standardError: 0) }
        guard kept > 0 else { return nil }
        let total = offered / kept * sum
        guard kept > 1 else { return Estimate(total: total, standardError: .infinity) }
        let variance = max(0, sumOfSquares - sum * sum / kept) / (kept - 1)
        let error = offered * ((1 - kept / offered) * variance / kept).squareRoot()
        return Estimate(total: total, standardError: error)
    }
}

extension SamplingCounters: Counters {
    public init() {
        self.init(offered: 0, kept: 0)
    }

    public static func += (left: inout SamplingCounters, right: SamplingCounters) {
        left.offered &+= right.offered
        left.kept &+= right.kept
    }

    public func since(_ earlier: SamplingCounters) -> SamplingCounters {
        SamplingCounters(offered: offered.since(earlier.offered), kept: kept.since(earlier.kept))
    }
}

/// The counters of all classes.
public struct Sampling: Sendable {
    private var classes = [4 of SamplingCounters](repeating: SamplingCounters())

    public init() {}

    public subscript(of: SamplingClass) -> SamplingCounters {
        get { classes[of.rawValue] }
        set { classes[of.rawValue] = newValue }
    }

    public var total: SamplingCounters {
        SamplingClass.allCases.reduce(SamplingCounters()) { $0 + self[$1] }
    }
}

extension Sampling: Counters {
    public static func += (left: inout Sampling, right: Sampling) {
        for each in SamplingClass.allCases { left[each] += right[each] }
    }

    public func since(_ earlier: Sampling) -> Sampling {
        var delta = Sampling()
        for each in SamplingClass.allCases { delta[each] = self[each].since(earlier[each]) }
        return delta
    }

    public static func == (left: Sampling, right: Sampling) -> Bool {
        SamplingClass.allCases.allSatisfy { left[$0] == right[$0] }
    }
}
