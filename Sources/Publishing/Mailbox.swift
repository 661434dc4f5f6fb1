import Glibc
import Linux
import Reports
import Synchronization

/// What the publisher's thread and the others share. Locks are held for a few assignments only.
final class Mailbox: Sendable {
    private struct State {
        var waiting: [UInt8]?
        var status: RedisStatus
        var stop: Stop?
    }

    /// The end of publishing: not before the last document was tried, not after the deadline (monotonic, ns).
    struct Stop {
        let requested: Int64
        let deadline: Int64
        var hasDocument: Bool
        var delivered = false
    }

    private let state: Mutex<State>
    /// Readable when something was put into the mailbox.
    private let arrival: Event
    /// Readable once the thread is done.
    private let end: Event

    init(status: RedisStatus) throws(SystemError) {
        state = Mutex(State(status: status))
        arrival = try Event()
        end = try Event()
    }

    // MARK: Any thread

    var status: RedisStatus { state.withLock { $0.status } }

    func offer(_ document: [UInt8]) {
        state.withLock { state in
            if state.stop != nil || state.waiting != nil { state.status.lost += 1 }
            if state.stop == nil { state.waiting = document }
        }
        arrival.signal()
    }

    func stop(with document: [UInt8]?, deadline: Int64) {
        state.withLock { state in
            guard state.stop == nil else { return }
            state.stop = Stop(requested: Clock.monotonic.now(), deadline: deadline, hasDocument: document != nil)
            if let document {
                if state.waiting != nil { state.status.lost += 1 }
                state.waiting = document
            }
        }
        arrival.signal()
    }

    /// Whether the last document was delivered; nil if the thread is not done by then.
    func waitForEnd(until deadline: Int64) -> Bool? {
        let left = max(deadline - Clock.monotonic.now(), 0)
        var entry = pollfd(fd: end.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        while true {
            let ready = unsafe poll(&entry, 1, Int32(clamping: (left + 999_999) / 1_000_000))
            if ready > 0 { break }
            if ready == 0 || errno != EINTR { return nil }
        }
        return state.withLock { $0.stop.map { !$0.hasDocument || $0.delivered } ?? false }
    }

    // MARK: The publisher's thread

    var stopping: Stop? { state.withLock { $0.stop } }

    var isEmpty: Bool { state.withLock { $0.waiting == nil } }

    func take() -> [UInt8]? { state.withLock { $0.waiting.take() } }

    /// Puts back what could not be sent, unless something newer has come.
    func putBack(_ document: [UInt8]) {
        state.withLock { state in
            if state.waiting == nil { state.waiting = document } else { state.status.lost += 1 }
        }
    }

    func update(_ change: (inout RedisStatus) -> Void) -> RedisStatus {
        state.withLock { state in
            change(&state.status)
            return state.status
        }
    }

    func markDelivered() {
        state.withLock { state in
            if state.waiting == nil { state.stop?.delivered = true }
        }
    }

    /// What still waits is lost.
    func close() {
        state.withLock { state in
            if state.waiting.take() != nil { state.status.lost += 1 }
        }
        end.signal()
    }

    /// Waits until something arrives, `descriptor` (if not negative) is readable, or the deadline (monotonic, ns; nil is
    /// for ever). True if the descriptor was readable.
    func wait(orFor descriptor: Int32, until deadline: Int64?) -> Bool {
        var entries = [
            pollfd(fd: arrival.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        ]
        var timeout: Int32 = -1
        if let deadline {
            timeout = Int32(clamping: max(deadline - Clock.monotonic.now() + 999_999, 0) / 1_000_000)
        }
        _ = unsafe poll(&entries, 2, timeout)
        if entries[0].revents != 0 { arrival.clear() }
        return entries[1].revents != 0
    }
}
