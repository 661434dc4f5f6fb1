import Reports

/// Where documents are brought to. Lives on its sink's thread.
protocol Receiver: ~Copyable, SendableMetatype {
    /// What is brought at once.
    var batch: Outbox.Batch { get }

    /// Brings a batch, after connecting if that is needed, and waits no longer than `outbox` allows.
    mutating func deliver(_ documents: [Outbox.Document], _ outbox: Outbox) -> Outcome

    /// Readable while nothing is under way: the connection ended. Negative: nothing to watch.
    var descriptor: Int32 { mutating get }

    /// Lets the connection go.
    mutating func disconnect()
}

/// What became of a batch.
struct Outcome {
    enum Fate {
        case delivered
        /// Will never be taken.
        case refused
        /// To be tried again.
        case undecided
    }

    /// One for each document, in order.
    var fates: [Fate]
    var failure: DeliveryFailure?

    static func all(_ fate: Fate, of documents: [Outbox.Document], _ failure: DeliveryFailure? = nil) -> Outcome {
        Outcome(fates: documents.map { _ in fate }, failure: failure)
    }
}

/// Why a batch, or a part of it, was not delivered.
struct DeliveryFailure: Error, Equatable {
    /// Until the next attempt.
    enum Pause: Equatable {
        case none
        case seconds(Double)
        /// 1, 2, 4 ... 30 s while failures follow one another.
        case growing
    }

    /// Under which it is counted: one of a closed list, whatever a receiver sends.
    var label: String
    /// For people.
    var text: String
    var state: SinkStatus.State
    var pause: Pause
}
