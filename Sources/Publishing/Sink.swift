import Linux
public import Reports
import Synchronization

/// Brings documents to one receiver from a thread of its own.
///
/// Whatever the receiver does, the caller never waits for it: documents queue up to a bound; beyond it the oldest go,
/// and are counted. A batch whose answer does not come is sent again, so that a document may arrive twice, but none
/// gets lost unseen.
public final class Sink: Sendable {
    private let outbox: Outbox
    private let worker: Mutex<Worker?>

    /// How long `finish` waits at most.
    public static let patience: Duration = .seconds(1)

    init<Destination: Receiver & ~Copyable>(
        _ status: SinkStatus,
        _ limits: Outbox.Limits,
        onChange: @escaping @Sendable (SinkStatus) -> Void,
        _ receiver: @escaping @Sendable () -> Destination
    ) throws(SystemError) {
        let outbox = try Outbox(limits, status: status)
        self.outbox = outbox
        // The kernel keeps 15 bytes of a thread's name.
        let name = status.name.split(separator: ".").dropFirst().joined(separator: ".")
        worker = Mutex(
            try Worker(name: name) {
                var loop = DeliveryLoop(receiver(), outbox, onChange: onChange)
                loop.run()
            }
        )
    }

    deinit {
        finish()
    }

    /// Hands over documents, each encoded as this receiver takes it; returns at once.
    public func offer(_ documents: [[UInt8]]) {
        outbox.offer(documents.lazy.map { [$0] })
    }

    /// Hands over a document of several fields.
    func offer(fields: [[UInt8]]) {
        outbox.offer(CollectionOfOne(fields))
    }

    /// How it goes; returns at once.
    public var status: SinkStatus { outbox.status }

    /// Asks for the end: what waits is still brought, for `patience` at most; documents offered later are lost. Returns
    /// at once, so that several sinks may end side by side.
    public func stop() {
        outbox.stop(by: Clock.monotonic.now() + Sink.patience.nanoseconds)
    }

    /// Ends the thread, after what waits was brought if the receiver takes it now. Blocks for at most `patience`.
    /// - Returns: whether nothing that waited was lost.
    @discardableResult
    public func finish() -> Bool {
        stop()
        let deadline = outbox.deadline ?? 0
        let isOver = outbox.waitForEnd(until: deadline)
        if let worker = worker.withLock({ $0.take() }) {
            if isOver {
                worker.join()
            } else {
                // Name resolution and a disk that hangs cannot be interrupted. The thread ends by itself.
                worker.abandon()
            }
        }
        return isOver && outbox.isDelivered
    }
}
