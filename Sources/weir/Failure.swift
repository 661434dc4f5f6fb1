import ArgumentParser
import Glibc
import Linux
import Sensor

/// Exit statuses with a meaning (sysexits.h).
enum ExitStatus: Int32 {
    case badData = 65
    case noInput = 66
    case unavailable = 69
    case software = 70
    case cannotCreate = 73
    case inputOutput = 74
    case noPermission = 77
    case configuration = 78
}

/// Tells on standard error what happened, and ends the command with a status.
func failure(_ status: ExitStatus, _ message: String) -> ExitCode {
    say("weir: \(message)")
    return ExitCode(status.rawValue)
}

/// Progress and messages: standard error, so that standard output holds the answer alone.
func say(_ message: String) {
    let bytes = Array((message + "\n").utf8)
    _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
}

extension ExitStatus {
    /// What a failed call means to the caller.
    init(_ errno: Errno) {
        switch errno.rawValue {
        case EPERM, EACCES: self = .noPermission
        default: self = .inputOutput
        }
    }
}
