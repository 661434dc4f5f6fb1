/// Every level of every detector. Each detector's own stand with it.
public struct DetectionSettings: Equatable, Sendable {
    public var incidents = IncidentSettings()
    public var floods = FloodSettings()
    public var edos = EDoSSettings()
    public var beacon = BeaconSettings()
    public var exfiltration = ExfiltrationSettings()
    public var change = ChangeSettings()
    /// Multiplies the levels of all detectors: 0.5 finds twice as much.
    public var scale = 1.0
    /// Whom to leave out.
    public var allow: [AllowRule] = []
    public var scans = ScanSettings()
    public var bruteForce = BruteForceSettings()
    public var slow = SlowSettings()
    public var dnsTunnel = DNSTunnelSettings()

    public init() {}
}
