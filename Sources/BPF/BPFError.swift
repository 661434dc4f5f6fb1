import Glibc
public import Linux

/// Why a kernel program could not be loaded, attached, run or read.
public enum BPFError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kernel refuses for want of privilege: which call, and the capabilities that allow it.
    case notPermitted(call: String, needs: Capabilities)
    /// The verifier or loader refused an object; `log` is what it said, in full, up to 64 KiB.
    case rejected(object: String, error: Errno, log: String)
    /// The kernel lacks something; `since` is the version that has it.
    case unsupported(what: String, since: String)
    /// An object has no program, map or variable of that name.
    case missing(what: String, name: String, object: String)
    /// A name stands for something of another size than the caller's type.
    case mismatch(name: String, expected: Int, found: Int)
    /// Another living process counts on that interface already.
    case inUse(program: String, interface: Int32, process: Int32)
    /// A filter that is not ours sits on our priority and handle.
    case occupied(program: String, interface: Int32)
    case system(SystemError)

    public var description: String {
        switch self {
        case .notPermitted(let call, let needs):
            "\(call) is not permitted: run as root, or grant \(needs)"
        case .rejected(let object, let error, let log):
            "the kernel rejected \(object): \(error)\(Self.lastLine(of: log))"
        case .unsupported(let what, let since):
            "this kernel has no \(what): it needs Linux \(since) or later"
        case .missing(let what, let name, let object):
            "\(object) has no \(what) named \(name)"
        case .mismatch(let name, let expected, let found):
            "\(name) has \(found) bytes where \(expected) were expected"
        case .inUse(let program, let interface, let process):
            "\(program) already runs on interface \(interface) for process \(process): stop that sensor first"
        case .occupied(let program, let interface):
            "interface \(interface) has the foreign tc filter \(program) on the sensor's priority and handle: remove it"
        case .system(let error):
            "\(error)"
        }
    }

    /// The line that tells the reason: the verifier's comes before its statistics.
    private static func lastLine(of log: String) -> String {
        let lines = log.split(separator: "\n").filter { !$0.hasPrefix("libbpf:") && !$0.hasPrefix("--") }
        let telling = lines.last {
            !$0.hasPrefix("processed") && !$0.hasPrefix("verification time") && !$0.hasPrefix("stack depth")
        }
        return telling.map { " (\($0))" } ?? ""
    }

    /// The error behind a failed call's number.
    static func from(_ call: String, _ errno: Errno, needs: Capabilities = [.bpf, .networkAdmin]) -> BPFError {
        switch errno.rawValue {
        case EPERM, EACCES: .notPermitted(call: call, needs: needs)
        default: .system(SystemError(call, errno))
        }
    }
}

/// Bytes of one of libbpf's option structs up to and with a field.
///
/// libbpf refuses set bytes behind the last field it knows, and Swift leaves padding as it was: so the size given ends
/// with a field.
func size<Options, Field>(through field: KeyPath<Options, Field>) -> Int {
    guard let offset = MemoryLayout<Options>.offset(of: field) else { preconditionFailure("not a stored field") }
    return offset + MemoryLayout<Field>.size
}

/// Runs a call of libbpf, which answers a negative error number.
@discardableResult
func attempt(_ call: @autoclosure () -> String, _ body: () -> Int32) throws(BPFError) -> Int32 {
    let result = body()
    if result < 0 { throw .from(call(), Errno(rawValue: 0 &- result)) }
    return result
}
