import Flows
import Packets

/// A service where passwords are guessed, and what a session that only failed to log in looks like there.
struct LoginService: Sendable {
    /// Times that the client speaks after the server (``FlowDigest/requests``): fewer come of who only connects, more of
    /// who got in.
    let requests: ClosedRange<UInt32>
    /// Payload bytes from the server at most.
    let answer: UInt64
    /// The same of sessions with more requests than that, for several guesses at one time; nil: there are none.
    var many: (requests: UInt32, answer: UInt64)?
    /// Requests with the first guess, and more for each further one; 0: a session is one guess.
    var first: UInt32 = 0
    var further: UInt32 = 0

    /// By port. Counted in captures of guessing, and with OpenSSH 9.2, libssh (hydra) and the protocols. SSH: banner, key
    /// exchange in one or two turns, new keys, "none", then a turn for each key or password offered. Who got in opens a
    /// channel and asks for something: 10 turns with a key, and 2,900 bytes from the server (4,000 with a key exchange that
    /// is safe from quantum computers), where who failed once has 8 at most. FTP, POP3: USER, PASS, QUIT.
    ///
    /// Not judged, since failed and ordinary sessions look alike from outside: SMTP (25), LDAP (389), Redis (6379), MySQL
    /// beyond its first answer, everything in TLS but RDP, and web pages.
    static let known: [UInt16: LoginService] = [
        21: LoginService(requests: 2...7, answer: 1_000, first: 3, further: 2),
        22: ssh, 2222: ssh,
        23: LoginService(requests: 2...64, answer: 2_000),
        110: LoginService(requests: 2...3, answer: 500),
        143: LoginService(requests: 2...3, answer: 1_000),
        445: LoginService(requests: 3...4, answer: 2_000),
        587: LoginService(requests: 3...5, answer: 1_000),
        1433: LoginService(requests: 2...4, answer: 4_000),
        3306: LoginService(requests: 1...1, answer: 500),
        3389: LoginService(requests: 3...8, answer: 6_000),
        5432: LoginService(requests: 2...3, answer: 1_000),
        5900: LoginService(requests: 2...4, answer: 500),
    ]

    private static var ssh: LoginService {
        LoginService(requests: 4...8, answer: 3_200, many: (14, 2_600), first: 6, further: 1)
    }

    /// Nanoseconds: sshd gives 120 s to log in (LoginGraceTime), and then asks for six passwords at most (MaxAuthTries).
    private static let longest: Int64 = 120_000_000_000
    private static let most: UInt32 = 6

    /// Guesses of a session that looks as if none was right; 0: it does not.
    func guesses(in flow: FlowDigest) -> Double {
        guard flow.end != .interim, flow.finishes + flow.resets > 0, flow.synchronisations >= 2,
            flow.backwardPayload > 0, flow.duration <= Self.longest
        else { return 0 }
        let isOne = requests.contains(flow.requests) && flow.backwardPayload <= answer
        let isMany =
            flow.requests > requests.upperBound && flow.requests <= many?.requests ?? 0
            && flow.backwardPayload <= many?.answer ?? 0
        guard isOne || isMany else { return 0 }
        guard further > 0, flow.requests > first else { return 1 }
        return Double(min(Self.most, 1 + (flow.requests - first) / further))
    }

    /// Whether the server has said more than to someone who failed.
    func looksEntered(_ flow: FlowDigest) -> Bool {
        flow.requests > max(requests.upperBound, many?.requests ?? 0) && flow.backwardPayload > answer
    }
}

/// Who guesses where.
struct GuessEnds: RecencyKey, BitwiseCopyable {
    let source: Address
    let host: Address
    let port: UInt16

    func hash(_ seed: UInt64) -> UInt64 { (source.hash(seed) ^ UInt64(port) &+ host.hash(seed)).mixed }
}

/// Failed logins of one source at one service, or of all sources there, in the last windows: two halves of the time that is
/// looked back on, of which the older one counts by what of it is not forgotten.
struct GuessCounts: Sendable {
    let family: Family
    private var began: Int32
    /// Beginning of the first session that looked failed, in nanoseconds.
    private var first = Int64.max
    private var now = 0.0
    private var before = 0.0
    /// Sessions since the first that looked failed, and those that did not.
    private(set) var all = 0.0
    private(set) var others = 0.0
    private var bytes = 0.0
    private var seconds = 0.0
    private var sources = ScanSketch()
    private var sourcesBefore = ScanSketch()
    /// A session that looks as if a guess was right came after enough that failed.
    var isEntered = false
    /// Guesses of the window that is judged; and whether anything else of it is to be told.
    var fresh = 0.0
    var hasNews = false

    init(_ family: Family, at tick: Int32) {
        self.family = family
        began = tick
    }

    /// - Parameter half: windows.
    mutating func advance(to tick: Int32, half: Int32) {
        let age = tick &- began
        guard age >= half else { return }
        let isNext = age < 2 * half
        (before, now) = (isNext ? now : 0, 0)
        (sourcesBefore, sources) = (isNext ? sources : ScanSketch(), ScanSketch())
        began = isNext ? began &+ half : tick
        if before == 0 { (first, others, all, bytes, seconds, isEntered) = (.max, 0, 0, 0, 0, false) }
    }

    mutating func add(_ guesses: Double, _ flow: FlowDigest) {
        first = min(first, flow.first)
        now += guesses
        fresh += guesses
        all += 1
        bytes += Double(flow.backwardPayload)
        seconds += Double(flow.duration) / 1e9
        sources.add(flow.initiator.mixed)
    }

    mutating func addOther() { others += 1 }

    func isAfterGuess(_ flow: FlowDigest) -> Bool { flow.first > first }

    func guesses(at tick: Int32, half: Int32) -> Double {
        let rest = 1 - min(1, max(0, Double(tick &- began) / Double(half)))
        return now + before * rest
    }

    var sourceCount: Double {
        var merged = sources
        merged.merge(sourcesBefore)
        return merged.estimate
    }

    /// Of a session that looked failed.
    var meanBytes: Double { bytes / max(1, all) }
    var meanSeconds: Double { seconds / max(1, all) }
    /// How sure it is that sessions that look failed are: by how many there are that do not (rule of succession).
    var certainty: Double { (all + 1) / (all + others + 2) }
}
