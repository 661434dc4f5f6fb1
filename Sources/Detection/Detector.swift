public import Flows

/// Judges one kind of behaviour, window by window.
///
/// A detector keeps what it must remember in bounded memory and counts what found no room. It knows no clock but the
/// windows' own; windows without traffic are not shown to it.
public protocol Detector: Sendable {
    /// Judges a window, after all before it.
    /// - Parameter findings: takes every subject that came to at least a tenth of its level.
    mutating func judge(_ window: Observation, _ scene: Scene, _ findings: inout [Finding])

    /// What found no room, since the start.
    var turnedAway: UInt64 { get }
}
