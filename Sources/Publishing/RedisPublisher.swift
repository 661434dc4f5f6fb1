public import Linux
public import Reports
import Synchronization

/// Publishes documents to Redis from a thread of its own: stored under one or two keys and sent on a channel, the same
/// bytes in each.
///
/// Whatever Redis does, the caller never waits for it: a mailbox holds the newest document only, and an older one that
/// could not be sent is counted as lost.
public final class RedisPublisher: Sendable {
    private let mailbox: Mailbox
    private let worker: Mutex<Worker?>

    /// How long `finish` waits at most.
    public static let patience: Duration = .milliseconds(1_500)

    /// Starts the thread, which connects at once and whenever the connection was lost.
    /// - Parameter onChange: called on the publisher's thread each time the state becomes another one, never per
    ///   document. The status holds no secrets.
    public init(
        _ settings: RedisSettings,
        onChange: @escaping @Sendable (RedisStatus) -> Void
    ) throws(SystemError) {
        let start = RedisStatus(state: .starting, cause: "", address: settings.address.description)
        let mailbox = try Mailbox(status: start)
        self.mailbox = mailbox
        self.worker = Mutex(
            try Worker(name: "redis") {
                var loop = PublishingLoop(settings: settings, mailbox: mailbox, onChange: onChange)
                loop.run()
            }
        )
    }

    deinit {
        finish(with: nil)
    }

    /// Hands over a document; returns at once. It replaces an older one that was not sent yet.
    public func offer(_ document: [UInt8]) {
        mailbox.offer(document)
    }

    /// How it goes; returns at once.
    public var status: RedisStatus { mailbox.status }

    /// Publishes one last document if Redis takes it now, ends the connection and the thread. Documents offered later
    /// are lost. Blocks for at most `patience`.
    /// - Returns: whether Redis took the last document, or there was none.
    @discardableResult
    public func finish(with document: [UInt8]?) -> Bool {
        let deadline = Clock.monotonic.now() + RedisPublisher.patience.nanoseconds
        mailbox.stop(with: document, deadline: deadline)
        let outcome = mailbox.waitForEnd(until: deadline)
        let worker = worker.withLock { $0.take() }
        if let worker {
            if outcome == nil {
                // Name resolution cannot be interrupted. The thread ends by itself; nobody waits for it.
                worker.abandon()
            } else {
                worker.join()
            }
        }
        return outcome ?? false
    }
}
