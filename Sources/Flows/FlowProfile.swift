/// How flows are cut and their features counted.
public enum FlowProfile: String, CaseIterable, Sendable {
    /// By the definitions, with the known defects of CICFlowMeter corrected.
    case corrected
    /// As CICFlowMeter 4.0 (Java) does it, defects included: for models that were trained on its numbers.
    case cic
}
