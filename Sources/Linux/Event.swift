import CLinux
import Glibc

/// A wake-up that one thread sends and another waits for: an eventfd. Signals that nobody took yet merge into one.
public final class Event: Sendable {
    public let descriptor: Descriptor

    public init() throws(SystemError) {
        let flags = Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK)
        descriptor = Descriptor(owning: try check("eventfd") { eventfd(0, flags) })
    }

    /// Makes the descriptor readable. Never blocks; callable from every thread.
    public func signal() {
        var one: UInt64 = 1
        // The only failure left is a full counter, and that is a signalled event.
        _ = unsafe write(descriptor.rawValue, &one, 8)
    }

    /// Takes the signals sent so far; true if there were any.
    @discardableResult
    public func clear() -> Bool {
        var count: UInt64 = 0
        return unsafe read(descriptor.rawValue, &count, 8) == 8
    }
}
