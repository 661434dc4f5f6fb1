import Glibc

/// Waits until one of a few descriptors has something to read.
public struct Poller: ~Copyable {
    /// What `poll` said about a descriptor.
    public struct Readiness: Equatable, Sendable {
        public let isReadable: Bool
        /// An error waits to be read, the peer hung up, or the descriptor is closed.
        public let hasFailed: Bool
    }

    private var entries: [pollfd] = []

    public init() {}

    /// Watches a descriptor, which must stay open until it is removed.
    /// - Returns: its place, for the subscript and `remove`.
    public mutating func add(_ descriptor: borrowing Descriptor) -> Int { add(watching: descriptor.rawValue) }

    /// The same for a descriptor that someone else keeps open.
    public mutating func add(watching number: Int32) -> Int {
        let entry = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        if let free = entries.firstIndex(where: { $0.fd < 0 }) {
            entries[free] = entry
            return free
        }
        entries.append(entry)
        return entries.count - 1
    }

    /// Watches the descriptor at a place no longer. The place may be given out again.
    public mutating func remove(_ place: Int) {
        entries[place] = pollfd(fd: -1, events: 0, revents: 0)
    }

    /// Waits, at most `milliseconds` (below 0: without end); a signal ends it early.
    /// - Returns: how many descriptors are ready.
    @discardableResult
    public mutating func wait(milliseconds: Int) throws(SystemError) -> Int {
        let count = nfds_t(entries.count)
        let ready = unsafe poll(&entries, count, Int32(clamping: milliseconds))
        if ready >= 0 { return Int(ready) }
        let error = Errno.current
        guard error.rawValue == EINTR else { throw SystemError("poll", error) }
        for index in entries.indices { entries[index].revents = 0 }
        return 0
    }

    /// What the last `wait` found at a place.
    public subscript(place: Int) -> Readiness {
        let events = Int32(entries[place].revents)
        return Readiness(isReadable: events & POLLIN != 0, hasFailed: events & (POLLERR | POLLHUP | POLLNVAL) != 0)
    }
}
