import Glibc
import Support
import Testing

/// The built program, on real traffic in network namespaces. One after the other: they measure time, and share two
/// cores with everything else.
@Suite(
    "End to end",
    .serialized,
    .enabled(if: geteuid() == 0, "needs root"),
    .enabled(if: RunningSensor.isBuilt, "needs the weir binary beside the tests"),
    .timeLimit(.minutes(3))
) enum EndToEnd {
    static let noRedis = ["--redis", "unix:///nonexistent/redis.sock"]
}
