import Linux
import Reports

/// A Redis stream: a batch is one pipeline of XADD.
struct StreamReceiver: ~Copyable, Receiver {
    private let settings: StreamSettings
    private let fields: [[UInt8]]
    /// `XADD key MAXLEN ~ n *`.
    private let command: [[UInt8]]
    private var connection: RedisConnection?

    /// For sending a batch and reading all answers.
    private static let commandPatience: Int64 = 500_000_000
    private static let connectPatience: Int64 = 500_000_000

    let batch = Outbox.Batch(count: 256, bytes: 1 << 20, linger: 0)

    init(_ settings: StreamSettings, fields: [String]) {
        self.settings = settings
        self.fields = fields.map { Array($0.utf8) }
        command = ["XADD", settings.key, "MAXLEN", "~", String(settings.length), "*"].map { Array($0.utf8) }
    }

    var descriptor: Int32 { mutating get { connection?.descriptor ?? -1 } }

    mutating func disconnect() { connection = nil }

    mutating func deliver(_ documents: [Outbox.Document], _ outbox: Outbox) -> Outcome {
        do throws(RedisFailure) {
            if connection == nil {
                let patience = Self.left(Self.connectPatience, outbox)
                connection = try RedisConnection.open(settings.address, patience: patience, answer: patience)
            }
        } catch {
            return .all(.undecided, of: documents, failure(error))
        }
        let commands = documents.map { document in
            command + zip(fields, document).flatMap { [$0, $1] }
        }
        let deadline = Clock.monotonic.now() + Self.left(Self.commandPatience, outbox)
        let (replies, broken) = connection?.pipeline(commands, deadline: deadline) ?? ([], .timeout)
        var refusal: Refusal?
        // No refusal is about an entry's content: what was refused is tried again until it has to make room.
        var fates = replies.map { reply in
            guard case .refused(let reason) = reply else { return Outcome.Fate.delivered }
            refusal = refusal ?? reason
            return .undecided
        }
        fates += [Outcome.Fate](repeating: .undecided, count: documents.count - fates.count)
        guard let cause = broken ?? refusal.map(RedisFailure.refused) else {
            return Outcome(fates: fates, failure: nil)
        }
        return Outcome(fates: fates, failure: failure(cause))
    }

    private static func left(_ patience: Int64, _ outbox: Outbox) -> Int64 {
        guard let deadline = outbox.deadline else { return patience }
        return max(min(patience, deadline - Clock.monotonic.now()), 1_000_000)
    }

    private mutating func failure(_ cause: RedisFailure) -> DeliveryFailure {
        guard case .refused(let refusal) = cause else {
            connection = nil
            return DeliveryFailure(label: cause.label, text: cause.description, state: .down, pause: .seconds(1))
        }
        let text =
            switch refusal.code {
            case .noPermission: "\(refusal.text) (the Redis user needs XADD on \(settings.key))"
            case .outOfMemory, .misconfigured: refusal.text
            default: refusal.description
            }
        let pause: DeliveryFailure.Pause
        switch refusal.action {
        case .authenticate:
            connection = nil
            pause = .growing
        case .reconnect:
            connection = nil
            pause = .seconds(1)
        case .retrySoon: pause = .seconds(0.5)
        case .goOn: pause = .seconds(1)
        }
        return DeliveryFailure(label: cause.label, text: text, state: .degraded, pause: pause)
    }
}
