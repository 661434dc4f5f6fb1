import Linux

extension Worker {
    /// Lets the thread end by itself; nobody waits for it.
    consuming func abandon() {
        _ = unsafe Unmanaged.passRetained(Abandoned(worker: self))
    }
}

/// Keeps a worker from being joined.
private final class Abandoned: Sendable {
    private let worker: Worker

    init(worker: consuming Worker) {
        self.worker = worker
    }
}

extension Duration {
    /// Whole nanoseconds.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
