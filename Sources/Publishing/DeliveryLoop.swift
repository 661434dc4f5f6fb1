import Linux
import Reports

/// What a sink's thread does: take a batch, bring it, judge what became of it, try again in time.
struct DeliveryLoop<Destination: Receiver & ~Copyable>: ~Copyable {
    private var receiver: Destination
    private let outbox: Outbox
    private let onChange: @Sendable (SinkStatus) -> Void
    /// Monotonic nanoseconds before which nothing is tried.
    private var notBefore = Int64.min
    /// Failures in a row.
    private var failures = 0
    /// An attempt failed after the end was asked for.
    private var gaveUp = false

    init(_ receiver: consuming Destination, _ outbox: Outbox, onChange: @escaping @Sendable (SinkStatus) -> Void) {
        self.receiver = receiver
        self.outbox = outbox
        self.onChange = onChange
    }

    mutating func run() {
        while !isOver() {
            let now = Clock.monotonic.now()
            // What waits at the end does not wait for its turn, but gets no second attempt.
            if now < notBefore, outbox.deadline == nil {
                outbox.pause(until: notBefore)
                continue
            }
            let (documents, next) = outbox.take(receiver.batch, now: now)
            if let documents {
                let outcome = receiver.deliver(documents, outbox)
                outbox.settle(outcome)
                judge(outcome.failure)
            } else if outbox.rest(orFor: receiver.descriptor, until: next) {
                receiver.disconnect()
            }
        }
        receiver.disconnect()
        outbox.close()
    }

    private func isOver() -> Bool {
        guard let deadline = outbox.deadline else { return false }
        return gaveUp || outbox.isEmpty || Clock.monotonic.now() >= deadline
    }

    private mutating func judge(_ failure: DeliveryFailure?) {
        let before = outbox.status.state
        let status = outbox.update { status in
            status.state = failure?.state ?? .working
            status.cause = failure?.text ?? ""
            if let failure { status.errors[failure.label, default: 0] += 1 }
        }
        if before != status.state { onChange(status) }
        guard let failure, failure.pause != .none else {
            failures = 0
            return
        }
        failures += 1
        gaveUp = outbox.deadline != nil
        notBefore = Clock.monotonic.now() + pause(failure.pause)
    }

    /// Up to a quarter longer than asked for, so that many sensors do not come back at one moment.
    private func pause(_ pause: DeliveryFailure.Pause) -> Int64 {
        let length: Int64 =
            switch pause {
            case .none: 0
            case .seconds(let seconds): Int64(seconds * 1e9)
            case .growing: min(1_000_000_000 << Int64(min(failures - 1, 5)), 30_000_000_000)
            }
        return length + Int64.random(in: 0...length / 4)
    }
}
