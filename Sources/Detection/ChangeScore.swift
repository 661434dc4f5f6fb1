/// How far values have been from what is expected, added up (one-sided CUSUM: Page 1954).
///
/// Each value adds its distance in standard deviations, less a slack; the sum never goes below 0. With a slack of 0.5 and a
/// level of 20, independent normal values cross it once in 3.1 billion (Siegmund's approximation), so that thousands of
/// series may be watched; a shift by one standard deviation takes 40 values, by two 14. Traffic has heavy tails, so no
/// single value may add more than three.
struct ChangeScore: Sendable {
    static let slack = 0.5
    static let clamp = 3.0

    private(set) var sum = 0.0
    /// When it last left 0.
    private(set) var onset: Int64 = 0

    /// - Parameters:
    ///   - distance: in standard deviations.
    ///   - ceiling: of the sum, so that it comes down again.
    mutating func add(_ distance: Double, at time: Int64, ceiling: Double) {
        if sum == 0 { onset = time }
        sum = min(ceiling, max(0, sum + max(-Self.clamp, min(Self.clamp, distance)) - Self.slack))
    }
}
