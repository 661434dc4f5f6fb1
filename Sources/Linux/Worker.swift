import CLinux
import Glibc

/// A thread that this value owns. When the value ends, it waits for the thread to end.
///
/// Signals are blocked in the thread: they are the business of `SignalSource`.
// Sendable: a thread's handle may be joined by any thread, and only once, since it cannot be copied.
public struct Worker: ~Copyable, @unchecked Sendable {
    private let thread: pthread_t

    /// Starts a thread that owns `state` and runs `body` on it.
    /// - Parameters:
    ///   - name: shown by top and gdb; the kernel keeps 15 bytes.
    ///   - processor: the processor to stay on; nil leaves it to the scheduler. One that is absent or not allowed is
    ///     passed over.
    public init<State: ~Copyable>(
        name: String,
        processor: Int? = nil,
        owning state: consuming sending State,
        _ body: @escaping @Sendable (consuming State) -> Void
    ) throws(SystemError) {
        let start: Start = Launch(name: name, processor: processor, state: state, body: body)
        let argument = unsafe Unmanaged.passRetained(start).toOpaque()
        var all = sigset_t()
        var before = sigset_t()
        _ = unsafe sigfillset(&all)
        _ = unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            },
            argument
        )
        _ = unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        guard code == 0 else {
            unsafe Unmanaged<Start>.fromOpaque(argument).release()
            throw SystemError("pthread_create(\(name))", Errno(rawValue: code))
        }
        self.thread = thread
    }

    /// Starts a thread that owns nothing.
    public init(
        name: String,
        processor: Int? = nil,
        _ body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        try self.init(name: name, processor: processor, owning: ()) { _ in body() }
    }

    /// Waits for the thread to end.
    public consuming func join() {}

    deinit {
        let code = pthread_join(thread, nil)
        precondition(code == 0, "pthread_join")
    }
}

/// What crosses into the new thread; runs once.
private class Start {
    func run() {}
}

private final class Launch<State: ~Copyable>: Start {
    private let name: String
    private let processor: Int?
    private var state: State?
    private let body: @Sendable (consuming State) -> Void

    init(name: String, processor: Int?, state: consuming State, body: @escaping @Sendable (consuming State) -> Void) {
        self.name = name
        self.processor = processor
        self.state = consume state
        self.body = body
    }

    override func run() {
        _ = unsafe clinux_name_thread(name)
        if let processor { _ = clinux_pin_thread(UInt32(clamping: processor)) }
        if let state = state.take() { body(state) }
    }
}
