/// From when on what one client asks about one domain is a tunnel.
public struct DNSTunnelSettings: Equatable, Sendable {
    /// Bytes that may have been carried below one domain in a minute, and in an hour. Paxson et al. (USENIX Security 2013)
    /// bound what names can carry to 4 kB a day and find few other reasons for more; here that is allowed in a minute, and
    /// eight times that in an hour, which iodine exceeds while it only keeps its tunnel open.
    public var bytesOfMinute = 4_096.0
    public var bytesOfHour = 32_768.0
    /// Different names in a minute, and in an hour. One check of a mail's sender may ask 10 (RFC 7208 section 4.6.4); a tunnel
    /// needs a new one for each message, or caches answer.
    public var namesOfMinute = 10.0
    public var namesOfHour = 60.0
    /// Mean bytes of a name below its domain from which on names count as carried whatever type of record is asked for: longer
    /// than requests for hosts are (52; Farnham, SANS 2013).
    public var nameLength = 52.0
    /// Share of the questions for record types that hold what their owner likes (TXT, NULL, CNAME, ...) from which on their
    /// names and answers count as carried, however short.
    public var carrierShare = 0.5
    /// Clients and domains that are watched at one time.
    public var capacity = 4_096
    /// Domains by which programs look up what they have found (blocklists, virus scanners, networks' owners): long names and TXT
    /// without end, and in nobody's hands but their operators'.
    public var lookups = [
        "abuseat.org", "barracudacentral.org", "cymru.com", "dnswl.org", "e5.sk", "hostkarma.junkemailfilter.com",
        "mailspike.net", "mcafee.com", "msbl.org", "rspamd.com", "sophosxl.net", "spamcop.net", "spamhaus.net",
        "spamhaus.org", "surbl.org", "uribl.com",
    ]
    /// Domains that lead to no name server of a stranger's: reverse lookups (RFC 1035 section 3.5), and names that are for local
    /// use or were never given away (RFC 6761, RFC 6762, RFC 7686; ICANN on `internal`, `corp`, `home`, `mail`).
    public var local = [
        "arpa", "corp", "example", "home", "internal", "invalid", "lan", "local", "localdomain", "localhost", "mail",
        "onion", "test",
    ]

    public init() {}
}
