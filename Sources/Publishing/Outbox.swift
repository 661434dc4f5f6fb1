import Glibc
import Linux
import Reports
import Synchronization

/// Documents on their way to a receiver, and how it goes with them: what the sink's thread and the others share.
///
/// Bounded by number and bytes: when it is full the oldest goes, and is counted. Locks are held for assignments only.
final class Outbox: Sendable {
    /// The values of a document's fields; a flow has one.
    typealias Document = [[UInt8]]

    struct Limits {
        var count: Int
        var bytes: Int
    }

    /// What makes a batch: it goes when it is full, or when its first document has waited for long enough.
    struct Batch {
        var count: Int
        var bytes: Int
        /// Nanoseconds.
        var linger: Int64
    }

    private struct Entry {
        var document: Document
        var size: Int
        /// Monotonic, nanoseconds.
        var arrival: Int64
    }

    private struct State {
        /// Empty places up to `head`.
        var entries: [Entry?] = []
        var head = 0
        /// Of all that waits and is in flight.
        var bytes = 0
        /// What the thread has taken and not settled.
        var inFlight: [Entry] = []
        var status: SinkStatus
        /// Monotonic nanoseconds beyond which nothing is sent; nil until the end is asked for.
        var deadline: Int64?
        /// Documents that still waited at the end.
        var remainder = 0

        var count: Int { entries.count - head }
    }

    private let limits: Limits
    private let state: Mutex<State>
    /// Readable when documents arrived or the end was asked for.
    private let arrival: Event
    /// Readable from when the end was asked for.
    private let stopping: Event
    /// Readable once the thread is done.
    private let end: Event

    init(_ limits: Limits, status: SinkStatus) throws(SystemError) {
        self.limits = limits
        state = Mutex(State(status: status))
        arrival = try Event()
        stopping = try Event()
        end = try Event()
    }

    // MARK: Any thread

    var status: SinkStatus { state.withLock { $0.status } }

    func offer(_ documents: some Sequence<Document>) {
        let now = Clock.monotonic.now()
        state.withLock { state in
            for document in documents { Self.add(document, &state, limits, now) }
            state.status.waiting = UInt64(state.count + state.inFlight.count)
        }
        arrival.signal()
    }

    private static func add(_ document: Document, _ state: inout State, _ limits: Limits, _ now: Int64) {
        // An array's header counts too: a flood of small documents is bounded like one of large ones.
        let size = document.reduce(0) { $0 + $1.count + 32 } + 64
        state.status.offered += 1
        guard state.deadline == nil, size <= limits.bytes else {
            state.status.lost += 1
            return
        }
        while state.bytes + size > limits.bytes || state.count + state.inFlight.count >= limits.count {
            guard let oldest = pop(&state) else {
                // All room is taken by what is being sent.
                state.status.lost += 1
                return
            }
            state.bytes -= oldest.size
            state.status.lost += 1
        }
        state.bytes += size
        state.entries.append(Entry(document: document, size: size, arrival: now))
    }

    private static func pop(_ state: inout State) -> Entry? {
        guard state.head < state.entries.count else { return nil }
        let entry = state.entries[state.head].take()
        state.head += 1
        // Moving what is left is paid for by as many pops.
        if state.head > 64, state.head * 2 > state.entries.count {
            state.entries.removeFirst(state.head)
            state.head = 0
        }
        return entry
    }

    /// From now on nothing is taken in, and nothing sent after the deadline (monotonic, ns).
    func stop(by deadline: Int64) {
        state.withLock { state in
            if state.deadline == nil { state.deadline = deadline }
        }
        stopping.signal()
        arrival.signal()
    }

    /// Once the thread is done: whether nothing waited any more.
    var isDelivered: Bool { state.withLock { $0.remainder == 0 } }

    /// Whether the thread is done; waits for it until the deadline.
    func waitForEnd(until deadline: Int64) -> Bool { Self.wait(for: [end.descriptor.rawValue], until: deadline) == 0 }

    // MARK: The sink's thread

    /// When sending must end, if that was asked for; monotonic, nanoseconds.
    var deadline: Int64? { state.withLock { $0.deadline } }

    var isEmpty: Bool { state.withLock { $0.count == 0 } }

    /// What is to be sent now; else, nil and when to look again (nil: when something arrives).
    func take(_ batch: Batch, now: Int64) -> (documents: [Document]?, next: Int64?) {
        state.withLock { state in
            guard state.count > 0, let oldest = state.entries[state.head] else { return (nil, nil) }
            let due = oldest.arrival + batch.linger
            guard state.count >= batch.count || now >= due || state.deadline != nil else { return (nil, due) }
            var bytes = 0
            while state.inFlight.count < batch.count, let next = state.entries[safe: state.head] ?? nil {
                bytes += next.size
                if bytes > batch.bytes, !state.inFlight.isEmpty { break }
                if let entry = Self.pop(&state) { state.inFlight.append(entry) }
            }
            return (state.inFlight.map(\.document), nil)
        }
    }

    /// The account of what was taken: the first `delivered` arrived, the next `refused` never will, the rest waits again.
    func settle(_ outcome: Outcome) {
        state.withLock { state in
            let taken = state.inFlight
            state.inFlight = []
            var rest: [Entry] = []
            for (entry, fate) in zip(taken, outcome.fates) {
                switch fate {
                case .delivered: state.status.delivered += 1
                case .refused: state.status.refused += 1
                case .undecided: rest.append(entry)
                }
                if fate != .undecided { state.bytes -= entry.size }
            }
            if state.head >= rest.count {
                for (offset, entry) in rest.enumerated() { state.entries[state.head - rest.count + offset] = entry }
                state.head -= rest.count
            } else {
                state.entries.insert(contentsOf: rest.map(Optional.some), at: state.head)
            }
            state.status.waiting = UInt64(state.count)
        }
    }

    func update(_ change: (inout SinkStatus) -> Void) -> SinkStatus {
        state.withLock { state in
            change(&state.status)
            return state.status
        }
    }

    /// What still waits is lost.
    func close() {
        state.withLock { state in
            state.remainder = state.count
            state.status.lost += UInt64(state.count)
            state.status.waiting = 0
            state.entries = []
            state.head = 0
            state.bytes = 0
        }
        end.signal()
    }

    /// Waits until documents arrive or the end is asked for, `descriptor` (if not negative) is readable, or until the
    /// time (monotonic, ns; nil is for ever). True if the descriptor was readable.
    func rest(orFor descriptor: Int32, until time: Int64?) -> Bool {
        let ready = Self.wait(for: [descriptor, arrival.descriptor.rawValue], until: time)
        if ready == 1 { arrival.clear() }
        return ready == 0
    }

    /// Waits for nothing but the end, or the time.
    func pause(until time: Int64) { _ = Self.wait(for: [stopping.descriptor.rawValue], until: time) }

    /// Waits for an event, not longer than `limit` nanoseconds and than the end allows. False when time is over.
    func wait(for event: Event, within limit: Int64) -> Bool {
        let time = Clock.monotonic.now() + limit
        if deadline == nil {
            let ready = Self.wait(for: [event.descriptor.rawValue, stopping.descriptor.rawValue], until: time)
            if ready != 1 { return ready == 0 }
        }
        return Self.wait(for: [event.descriptor.rawValue], until: min(time, deadline ?? time)) == 0
    }

    /// The first of the descriptors that is readable; nil when there is none by then.
    private static func wait(for descriptors: [Int32], until time: Int64?) -> Int? {
        var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while true {
            var timeout: Int32 = -1
            // Rounded up, so that the last part of a millisecond is not spent in a busy loop.
            if let time { timeout = Int32(clamping: (max(time - Clock.monotonic.now(), 0) + 999_999) / 1_000_000) }
            let ready = unsafe poll(&entries, nfds_t(entries.count), timeout)
            if ready > 0 { return entries.firstIndex { $0.revents != 0 } }
            if ready == 0 || errno != EINTR { return nil }
        }
    }
}

extension Array {
    fileprivate subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
