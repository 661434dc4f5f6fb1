import Linux
import Reports

/// What the publisher's thread does: connect, publish what waits, judge the answers, try again in time.
struct PublishingLoop: ~Copyable {
    private let settings: RedisSettings
    private let mailbox: Mailbox
    private let onChange: @Sendable (RedisStatus) -> Void

    private var connection: RedisConnection?
    /// All times are monotonic nanoseconds.
    private var lastAttempt = Int64.min / 2
    private var nextAttempt = Int64.min / 2
    /// Nothing is sent before: Redis asked for a moment.
    private var notBefore = Int64.min / 2
    /// Attempts in a row that failed for want of the right credentials.
    private var authFailures = 0
    private var hasConnected = false

    /// For one document: sending it and reading all answers.
    private static let commandPatience: Int64 = 500_000_000
    private static let connectPatience: Int64 = 1_000_000_000
    /// Attempts begin at most `retry` + `retryJitter` after the one before, and an attempt takes no longer than that,
    /// so that publishing resumes within two seconds of Redis's return.
    private static let retry: Int64 = 1_000_000_000
    private static let retryJitter: Int64 = 350_000_000
    private static let authRetryLimit: Int64 = 30_000_000_000

    init(settings: RedisSettings, mailbox: Mailbox, onChange: @escaping @Sendable (RedisStatus) -> Void) {
        self.settings = settings
        self.mailbox = mailbox
        self.onChange = onChange
    }

    mutating func run() {
        while !isOver() {
            let now = Clock.monotonic.now()
            if connection == nil {
                // The last document does not wait for its turn, but gets no more than one attempt.
                if let stop = mailbox.stopping, lastAttempt < stop.requested { nextAttempt = now }
                if now >= nextAttempt {
                    connect()
                    continue
                }
            } else if now >= notBefore, let document = mailbox.take() {
                publish(document)
                continue
            }
            rest(now)
        }
        connection = nil
        mailbox.close()
    }

    private func isOver() -> Bool {
        guard let stop = mailbox.stopping else { return false }
        if mailbox.isEmpty || Clock.monotonic.now() >= stop.deadline { return true }
        return connection == nil && lastAttempt >= stop.requested
    }

    private mutating func rest(_ now: Int64) {
        let idle = connection?.descriptor ?? -1
        var until: Int64?
        if connection == nil { until = nextAttempt } else if now < notBefore { until = notBefore }
        if let stop = mailbox.stopping { until = min(until ?? stop.deadline, stop.deadline) }
        guard mailbox.wait(orFor: idle, until: until) else { return }
        if let failure = connection?.whyReadable() { drop(failure) }
    }

    // MARK: Connecting

    private mutating func connect() {
        lastAttempt = Clock.monotonic.now()
        nextAttempt = lastAttempt + PublishingLoop.retry + Int64.random(in: 0...PublishingLoop.retryJitter)
        do throws(RedisFailure) {
            connection = try RedisConnection.open(
                settings.address,
                patience: PublishingLoop.connectPatience,
                answer: PublishingLoop.retry + PublishingLoop.retryJitter - PublishingLoop.connectPatience
            )
            if hasConnected { _ = mailbox.update { $0.reconnects += 1 } }
            hasConnected = true
        } catch {
            if case .refused(let refusal) = error, refusal.action == .authenticate {
                slowDown()
                report(.authFailed, error)
            } else {
                report(.down, error)
            }
        }
    }

    /// Wrong credentials seldom become right by themselves: 1 s, 2 s, 4 s, ... 30 s, each up to a quarter longer.
    private mutating func slowDown() {
        let pause = min(1_000_000_000 << Int64(min(authFailures, 5)), PublishingLoop.authRetryLimit)
        authFailures += 1
        nextAttempt = lastAttempt + min(pause + Int64.random(in: 0...pause / 4), PublishingLoop.authRetryLimit)
    }

    private mutating func drop(_ failure: RedisFailure) {
        connection = nil
        report(.down, failure)
    }

    // MARK: Publishing

    private mutating func publish(_ document: [UInt8]) {
        let expiry = Array(String(settings.timeToLive).utf8)
        var keys = [settings.key]
        if let id = settings.resourceID { keys.append("\(settings.key):\(id)") }
        var commands = keys.map { [Array("SET".utf8), Array($0.utf8), document, Array("EX".utf8), expiry] }
        commands.append([Array("PUBLISH".utf8), Array(settings.channel.utf8), document])

        var deadline = Clock.monotonic.now() + PublishingLoop.commandPatience
        if let stop = mailbox.stopping { deadline = min(deadline, stop.deadline) }
        var refusals: [Refusal] = []
        do throws(RedisFailure) {
            guard let replies = try connection?.run(commands, deadline: deadline) else { return }
            for reply in replies {
                if case .refused(let refusal) = reply { refusals.append(refusal) }
            }
        } catch {
            drop(error)
            mailbox.putBack(document)
            return
        }
        judge(refusals, of: document, accepted: commands.count - refusals.count)
    }

    private mutating func judge(_ refusals: [Refusal], of document: [UInt8], accepted: Int) {
        if accepted > 0 {
            _ = mailbox.update { $0.published += 1 }
            mailbox.markDelivered()
        }
        guard let refusal = refusals.first else {
            authFailures = 0
            report(.connected, nil)
            return
        }
        for other in refusals.dropFirst() where other.code != refusal.code { count(.refused(other)) }
        report(refusal.action == .authenticate ? .authFailed : .degraded, .refused(refusal))
        switch refusal.action {
        case .authenticate where accepted == 0:
            connection = nil
            slowDown()
            mailbox.putBack(document)
        case .retrySoon where accepted == 0:
            notBefore = Clock.monotonic.now() + PublishingLoop.commandPatience
            mailbox.putBack(document)
        case .reconnect:
            connection = nil
            if accepted == 0 { _ = mailbox.update { $0.lost += 1 } }
        case .authenticate, .retrySoon, .goOn:
            if accepted == 0 { _ = mailbox.update { $0.lost += 1 } }
        }
    }

    // MARK: State

    private func count(_ failure: RedisFailure) {
        _ = mailbox.update { $0.errors[failure.label, default: 0] += 1 }
    }

    /// Notes the state and its cause; tells others when the state is another than before.
    private func report(_ state: RedisStatus.State, _ failure: RedisFailure?) {
        if let failure { count(failure) }
        let before = mailbox.status.state
        let status = mailbox.update { status in
            status.state = state
            status.cause = failure?.description ?? ""
        }
        if before != state { onChange(status) }
    }
}
