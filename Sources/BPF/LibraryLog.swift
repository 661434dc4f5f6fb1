import CLibBPF
import Glibc
import Synchronization

/// What libbpf prints, kept instead of printed.
enum LibraryLog {
    /// Bytes kept of one call's messages.
    static let limit = 65_536

    /// One caller at a time: libbpf has one callback for the whole process.
    private static let turn = Mutex(())
    private static let text = Mutex<String?>(nil)

    /// Silences libbpf for good. What it says outside of `collecting` is dropped.
    private static let silenced: Void = {
        _ = unsafe libbpf_set_print { level, format, arguments in
            guard level != LIBBPF_DEBUG, let format = unsafe format else { return 0 }
            var buffer = [CChar](repeating: 0, count: LibraryLog.limit)
            guard let arguments = unsafe arguments, unsafe vsnprintf(&buffer, buffer.count, format, arguments) > 0
            else {
                return 0
            }
            let message = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            LibraryLog.text.withLock { text in
                guard let said = text, said.utf8.count < LibraryLog.limit else { return }
                text = said + message
            }
            return 0
        }
    }()

    static func silence() { _ = silenced }

    /// Runs calls of libbpf; answers what they printed beside their result.
    static func collecting<Result>(_ body: () -> Result) -> (Result, log: String) {
        silence()
        return turn.withLock { _ in
            text.withLock { $0 = "" }
            let result = body()
            return (
                result,
                text.withLock { text in
                    defer { text = nil }
                    return text ?? ""
                }
            )
        }
    }
}
