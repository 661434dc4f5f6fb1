import Glibc

/// The kernel's clocks, in nanoseconds.
public enum Clock: Sendable {
    /// Never steps; stands still while the host sleeps. Rates and windows are measured with it.
    case monotonic
    /// Wall time since 1970-01-01 UTC; may step. For display, and to map packet times.
    case realtime
    /// As monotonic, but goes on while the host sleeps: time since boot.
    case boottime
    /// Processor time that the calling thread has used.
    case thread

    public func now() -> Int64 {
        var time = timespec()
        let clock =
            switch self {
            case .monotonic: CLOCK_MONOTONIC
            case .realtime: CLOCK_REALTIME
            case .boottime: CLOCK_BOOTTIME
            case .thread: CLOCK_THREAD_CPUTIME_ID
            }
        let result = unsafe clock_gettime(clock, &time)
        precondition(result == 0, "clock_gettime")
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
