import Linux
import Reports

/// The original system's prediction service: a batch is one POST. What it predicts is not read here: it tells its own
/// consumers.
struct PredictionReceiver: ~Copyable, Receiver {
    private let settings: PredictionSettings
    private var connection: HTTPConnection?
    /// When the connection was last used; monotonic, nanoseconds.
    private var lastUse = Int64.min / 2
    /// Answers in a row that put the same batch off.
    private var refusals = 0

    private static let connectPatience: Int64 = 5_000_000_000
    /// Servers close connections that rest for seconds; one used longer ago is not used again.
    private static let keepAlive: Int64 = 1_000_000_000
    /// A batch that the service failed at so often is given up: what it fails at may be in there.
    private static let refusalLimit = 4

    let batch: Outbox.Batch

    init(_ settings: PredictionSettings) {
        self.settings = settings
        batch =
            switch settings.mode {
            case .batch: Outbox.Batch(count: 500, bytes: 1 << 20, linger: 5_000_000_000)
            case .buffered: Outbox.Batch(count: 1, bytes: 1 << 20, linger: 0)
            }
    }

    /// The end of a connection is noticed when the next request needs it.
    let descriptor: Int32 = -1

    mutating func disconnect() { connection = nil }

    mutating func deliver(_ documents: [Outbox.Document], _ outbox: Outbox) -> Outcome {
        do throws(DeliveryFailure) {
            if Clock.monotonic.now() - lastUse > Self.keepAlive { connection = nil }
            let connection =
                if let connection, connection.isOpen { connection } else {
                    try HTTPConnection.open(settings.address, within: Self.connectPatience, outbox)
                }
            let answer = try connection.post(body(of: documents), within: settings.patience.nanoseconds, outbox)
            lastUse = Clock.monotonic.now()
            self.connection = connection.isOpen ? connection : nil
            return judge(answer, of: documents)
        } catch {
            connection = nil
            return .all(.undecided, of: documents, error)
        }
    }

    private func body(of documents: [Outbox.Document]) -> [UInt8] {
        if settings.mode == .buffered { return documents[0][0] }
        var body = Array(#"{"flows":["#.utf8)
        body.append(contentsOf: documents.map { $0[0] }.joined(separator: [UInt8(ascii: ",")]))
        body.append(
            contentsOf: #"],"include_confidence":true,"client_id":"\#(settings.clientID)","#.utf8
        )
        body.append(contentsOf: #""resource_id":"\#(settings.resourceID)"}"#.utf8)
        return body
    }

    /// What is wrong with the request (4xx) does not get right by sending it again, save where the service says later
    /// (408, 429); what is wrong with the service may.
    private mutating func judge(_ answer: HTTPConnection.Answer, of documents: [Outbox.Document]) -> Outcome {
        if (200..<300).contains(answer.status) {
            refusals = 0
            return .all(.delivered, of: documents)
        }
        let said = answer.excerpt.isEmpty ? "" : ": " + String(harmless: answer.excerpt, limit: 120)
        var failure = DeliveryFailure(
            label: "http_\(min(max(answer.status / 100, 1), 5))xx",
            text: "the service answered \(answer.status)\(said)",
            state: .degraded,
            pause: .growing
        )
        let isPutOff = answer.status >= 500 || answer.status == 408 || answer.status == 429
        if isPutOff, refusals + 1 < Self.refusalLimit {
            refusals += 1
            return .all(.undecided, of: documents, failure)
        }
        refusals = 0
        if !isPutOff { failure.pause = .none }
        return .all(.refused, of: documents, failure)
    }
}
