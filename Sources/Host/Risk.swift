/// How much a listening port invites an attack. A coarse aid for the eye, not an assessment.
public enum Risk: String, Comparable, Sendable, CaseIterable {
    case low
    case medium
    case high

    public static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

    /// One class up, where there is one.
    var raised: Risk { self == .low ? .medium : .high }
    /// One class down, where there is one.
    var lowered: Risk { self == .high ? .medium : .low }

    private var rank: Int { self == .low ? 0 : self == .medium ? 1 : 2 }

    /// The plain class of a port number, TCP or UDP.
    public init(port: UInt16) {
        switch port {
        case 21, 23, 135, 137...139, 445, 3389: self = .high
        case 22, 25, 110, 143, 465, 587, 993, 995: self = .medium
        case _ where Self.databasePorts.contains(port): self = .medium
        default: self = .low
        }
    }

    static let databasePorts: Set<UInt16> = [1433, 3306, 5432, 6379, 9200, 11211, 27017]
}

/// Who can reach a listening port, judged by its bind address and the host's own addresses; narrowest first.
///
/// - `loopback`: bound to 127.0.0.0/8, ::1 or the loopback link; or bound to all addresses of a host that has only
///   loopback ones.
/// - `private`: bound to one address that the internet does not route (RFC 1918, RFC 6598, RFC 4193, link-local), to
///   a multicast group, or to a link that has only such addresses.
/// - `public`: bound to an address that the internet routes.
/// - `any`: bound to all addresses. Counts as open to the world even where the host has private addresses only, since a
///   cloud's address translation in front of it, or its next address, cannot be seen from here.
public enum Exposure: String, Comparable, Sendable, CaseIterable {
    case loopback
    case `private`
    case `public`
    case any

    public static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

    /// Strangers on the internet may reach it.
    public var isWorld: Bool { self >= .public }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
