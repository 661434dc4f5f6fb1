import Glibc

/// Asks again and again until the answer is yes.
/// - Returns: false when `seconds` have passed without it.
public func eventually(
    within seconds: Double,
    every milliseconds: UInt32 = 50,
    _ condition: () throws -> Bool
) rethrows -> Bool {
    let deadline = monotonicSeconds() + seconds
    while true {
        if try condition() { return true }
        if monotonicSeconds() > deadline { return false }
        usleep(milliseconds * 1_000)
    }
}

/// Seconds of CLOCK_MONOTONIC.
public func monotonicSeconds() -> Double {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
