import Glibc
public import Linux

/// The space of one filesystem, in bytes.
public struct DiskSpace: Equatable, Sendable {
    public let total: UInt64
    /// What files take; the blocks kept for root are not counted as used.
    public let used: UInt64

    /// Asks the filesystem that holds `path` (statvfs(3)). A network filesystem that hangs makes the caller wait.
    public init(path: String) throws(SystemError) {
        var answer = statvfs()
        try check("statvfs(\(path))") { () -> Int32 in unsafe statvfs(path, &answer) }
        let unit = UInt64(answer.f_frsize)
        total = UInt64(answer.f_blocks).multipliedReportingOverflow(by: unit).partialValue
        used = UInt64(answer.f_blocks - min(answer.f_blocks, answer.f_bfree)) &* unit
    }
}
