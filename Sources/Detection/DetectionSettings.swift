/// Every level of every detector. Each detector's own stand with it.
public struct DetectionSettings: Equatable, Sendable {
    public var incidents = IncidentSettings()
    public var floods = FloodSettings()
    /// Multiplies the levels of all detectors: 0.5 finds twice as much.
    public var scale = 1.0
    /// Whom to leave out.
    public var allow: [AllowRule] = []

    public init() {}
}
