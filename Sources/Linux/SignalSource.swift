import CLinux
import Glibc

/// Signals as something to read instead of an interruption: a signalfd.
public struct SignalSource: ~Copyable, Sendable {
    public let descriptor: Descriptor

    /// Blocks these signals in the calling thread, and so in every thread it starts from now on; they then arrive here.
    ///
    /// Call it in `main` before the first thread starts: one thread that does not block a signal gets it the usual way.
    public init(_ signals: [Int32]) throws(SystemError) {
        var set = sigset_t()
        _ = unsafe sigemptyset(&set)
        for number in signals {
            try check("sigaddset(\(number))") { unsafe sigaddset(&set, number) }
            // A shell starts its background jobs with some signals ignored, and an ignored one arrives nowhere.
            _ = signal(number, SIG_DFL)
        }
        let code = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        guard code == 0 else { throw SystemError("pthread_sigmask", Errno(rawValue: code)) }
        let flags = Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK)
        descriptor = Descriptor(owning: try check("signalfd") { unsafe signalfd(-1, &set, flags) })
    }

    /// Gives the signals their usual effect again, in the calling thread: the next one ends the process at once.
    public func restore(_ signals: [Int32]) {
        var set = sigset_t()
        _ = unsafe sigemptyset(&set)
        for number in signals {
            _ = unsafe sigaddset(&set, number)
            _ = signal(number, SIG_DFL)
        }
        _ = unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    /// The number of the next signal; nil when none waits. Never blocks.
    public func next() throws(SystemError) -> Int32? {
        var info = signalfd_siginfo()
        let number = descriptor.rawValue
        do throws(SystemError) {
            try check("read(signalfd)") { unsafe read(number, &info, MemoryLayout<signalfd_siginfo>.size) }
            return Int32(bitPattern: info.ssi_signo)
        } catch {
            if error.errno.rawValue == EAGAIN { return nil }
            throw error
        }
    }
}
