/// How much an incident matters.
public enum Severity: Int, Comparable, CaseIterable, Sendable {
    case low
    case medium
    case high
    case critical

    /// As the original system's clients read it.
    public var name: String {
        switch self {
        case .low: "Low"
        case .medium: "Medium"
        case .high: "High"
        case .critical: "Critical"
        }
    }

    public static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }

    /// One step up for each factor of ten by which a value is above its level.
    public func raised(by ratio: Double) -> Severity {
        let steps = ratio >= 100 ? 2 : ratio >= 10 ? 1 : 0
        return Severity(rawValue: min(rawValue + steps, Severity.critical.rawValue)) ?? .critical
    }
}
