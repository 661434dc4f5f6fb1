import Flows
import Packets

/// When the spread of traffic has changed. Defaults: ``ChangeScore``; else chosen for this sensor.
public struct ChangeSettings: Equatable, Sendable {
    /// Sum of distances that is a change, in standard deviations.
    public var level = 20.0
    /// Change of the normalised entropy (0 ... 1) below which none is an incident.
    public var shift = 0.1
    /// Things that must be counted in 10 s to tell their spread.
    public var least = 200
    /// The least standard deviation that is believed.
    public var leastScale = 0.02
    /// Times of 10 s that must be known before anything is judged: 15 minutes.
    public var warmUp = 90
    /// Minutes after which what has changed is the usual.
    public var acceptance = 60.0

    public init() {}
}

/// Finds changes in how traffic is spread: over the addresses that open flows, the ports and the hosts that are asked, and the
/// sizes of packets (normalised entropies: Lakhina, Crovella, Diot 2005; these four tell the most: Nychis et al. 2008).
///
/// Each is measured every 10 s from 1,024 counters, and compared with the median of the last hour by a CUSUM on both sides.
/// A change that has another incident for its cause is not told again. Severity is low: a change means no harm by itself.
/// Confidence: 0.4, and up to 0.3 by how far the weaker condition is above its level.
struct ChangeDetector: Detector {
    private enum Feature: Int, CaseIterable {
        case sources
        case ports
        case hosts
        case sizes

        var name: String {
            switch self {
            case .sources: "spread of sources"
            case .ports: "spread of ports"
            case .hosts: "spread of hosts asked"
            case .sizes: "spread of packet sizes"
            }
        }
    }

    /// One of the four.
    private struct Spread {
        static let places = 1_024
        var counts = [UInt32](repeating: 0, count: places)
        var total = 0
        /// Of the last hour.
        var past: [Double] = []
        var oldest = 0
        var rise = ChangeScore()
        var fall = ChangeScore()
        var changed: Int64?
        /// Of the latest 10 s.
        var value = 0.0
        var usual = 0.0

        mutating func count(_ hash: UInt64) {
            counts[Int(hash.mixed >> 54)] += 1
            total += 1
        }

        /// Entropy as a share of what it could be, of what was counted; begins to count anew.
        mutating func take() -> Double {
            let most = Double(min(total, Self.places))
            var sum = 0.0
            for place in counts.indices where counts[place] > 0 {
                let count = Double(counts[place])
                sum += count * binaryLogarithm(count)
                counts[place] = 0
            }
            defer { total = 0 }
            return most > 1 ? (binaryLogarithm(Double(total)) - sum / Double(total)) / binaryLogarithm(most) : 0
        }

        mutating func learn() {
            if past.count < 360 {
                past.append(value)
            } else {
                past[oldest] = value
                oldest = (oldest + 1) % 360
            }
        }
    }

    private let settings: ChangeSettings
    private var spreads = [Spread](repeating: Spread(), count: Feature.allCases.count)
    private var bin = Int64.min
    let turnedAway: UInt64 = 0

    /// - Parameter scale: see ``DetectionSettings/scale``.
    init(_ settings: ChangeSettings, scale: Double) {
        var settings = settings
        settings.level *= scale
        settings.shift *= scale
        self.settings = settings
    }

    mutating func judge(_ window: Observation, _ scene: Scene, _ findings: inout [Finding]) {
        let now = window.start.quotient(by: CostTable.bin)
        if bin != .min, now > bin, let finding = close(window, scene) { findings.append(finding) }
        bin = now
        for contact in window.contacts where contact.step == .opened {
            spreads[Feature.sources.rawValue].count(contact.initiator.mixed)
            spreads[Feature.ports.rawValue].count(
                UInt64(contact.responderPort) << 8 | UInt64(contact.protocolNumber)
            )
            spreads[Feature.hosts.rawValue].count(contact.responder.mixed)
        }
        for sample in window.samples { spreads[Feature.sizes.rawValue].count(UInt64(sample.packet.ipLength / 16)) }
    }

    /// Judges the 10 s that are over.
    private mutating func close(_ window: Observation, _ scene: Scene) -> Finding? {
        let hasCause = scene.troubled.contains { $0.prefixLength > 0 }
        var best: (feature: Feature, ratio: Double)?
        for feature in Feature.allCases {
            let ratio = judge(feature.rawValue, at: window.start, hasCause: hasCause)
            if let ratio, ratio > best?.ratio ?? 0 { best = (feature, ratio) }
        }
        guard let best, best.ratio >= 0.1 else { return nil }
        var finding = Finding(
            .change(.distribution),
            .all(.ipv4),
            ratio: best.ratio,
            severity: .low,
            confidence: 0.4 + 0.3 * max(0, min(1, best.ratio - 1)),
            patience: 60_000_000_000
        )
        if best.ratio >= 0.7 { finding.evidence = evidence(best.feature, window) }
        return finding
    }

    private mutating func judge(_ place: Int, at time: Int64, hasCause: Bool) -> Double? {
        guard spreads[place].total >= settings.least else {
            _ = spreads[place].take()
            return nil
        }
        let value = spreads[place].take()
        spreads[place].value = value
        guard spreads[place].past.count >= settings.warmUp else {
            if !hasCause { spreads[place].learn() }
            return nil
        }
        // With another incident open, its cause is known.
        if hasCause { return nil }
        let median = spreads[place].past.median
        let scale = max(settings.leastScale, 1.4826 * spreads[place].past.map { abs($0 - median) }.median)
        let ceiling = 2 * settings.level
        spreads[place].usual = median
        spreads[place].rise.add((value - median) / scale, at: time, ceiling: ceiling)
        spreads[place].fall.add((median - value) / scale, at: time, ceiling: ceiling)
        let sum = max(spreads[place].rise.sum, spreads[place].fall.sum)
        let ratio = min(sum / settings.level, abs(value - median) / settings.shift)
        settle(place, isChanged: ratio >= (spreads[place].changed == nil ? 1 : 0.7), at: time)
        return ratio
    }

    /// Learns what is usual; a change only once it has lasted for long.
    private mutating func settle(_ place: Int, isChanged: Bool, at time: Int64) {
        guard isChanged else {
            spreads[place].changed = nil
            return spreads[place].learn()
        }
        let since = spreads[place].changed ?? time
        spreads[place].changed = since
        guard Double(time - since) >= settings.acceptance * 6e10 else { return }
        spreads[place] = Spread()
    }

    private func evidence(_ feature: Feature, _ window: Observation) -> Evidence {
        var evidence = Evidence()
        for other in Feature.allCases {
            let spread = spreads[other.rawValue]
            evidence.measures.append(
                .init(other.name, spread.value, level: nil, baseline: spread.past.isEmpty ? nil : spread.usual)
            )
        }
        let spread = spreads[feature.rawValue]
        let sum = max(spread.rise.sum, spread.fall.sum)
        evidence.measures.append(
            .init("sum of distances", sum, level: settings.level, unit: "standard deviations")
        )
        evidence.samples = Array(window.samples.prefix(20))
        let isMore = spread.rise.sum >= spread.fall.sum
        evidence.summary =
            "The \(feature.name) is \(isMore ? "wider" : "narrower") than in the last hour: \(spread.value.short) of 1, "
            + "usually \(spread.usual.short)."
        evidence.advice = "Look at the largest flows, and at what listens since then: nothing says that anyone means harm."
        return evidence
    }
}
