/// When short sessions at a login service are called guessing. What a guess looks like: ``LoginService``.
public struct BruteForceSettings: Equatable, Sendable {
    /// Guesses of one source at one service within ``span``. Zeek's ftp/detect-bruteforcing.zeek takes 20 in 15 min; fail2ban 5
    /// in 10 min, of failures that the log tells for certain.
    public var guesses = 20.0
    /// Nanoseconds in which these are counted.
    public var span: Int64 = 600_000_000_000
    /// The same of all sources of one service together, and how many sources these must be, to be found where each is
    /// below ``guesses``.
    public var sharedGuesses = 100.0
    public var sharedSources = 10.0
    /// Nanoseconds without a guess after which an incident closes: guessers wait.
    public var patience: Int64 = 120_000_000_000
    /// Sources and services that are remembered, and services.
    public var pairs = 4_096
    public var services = 256

    public init() {}
}
