public import Linux

/// Finds the processes behind sockets. Needs the right to look into other users' processes (CAP_SYS_PTRACE and
/// CAP_DAC_READ_SEARCH); without it their sockets have no owner.
///
/// The kernel has no index from socket to process, so all of /proc/PID/fd is walked, but only when a socket appears
/// that the last walk did not show. A walk waits until ten times the last one's duration has passed, so that one who
/// opens sockets all the time cannot keep us walking; until then the new ones have no owner.
public struct SocketOwners: ~Copyable, Sendable {
    /// How many descriptors one walk looks at, and how many processes it keeps for one socket.
    static let descriptorLimit = 1 << 20
    static let ownersLimit = 16
    /// After how long a socket that no process held is looked for again, in nanoseconds: the kernel's own sockets and
    /// those of other namespaces never have one.
    private static let retryPeriod: Int64 = 30_000_000_000

    private var owners: [UInt32: [SocketOwner]] = [:]
    /// When each inode without owner was looked for.
    private var unowned: [UInt32: Int64] = [:]
    private var nextWalk: Int64 = 0
    /// How often /proc was walked.
    public private(set) var walks: UInt64 = 0
    /// How many descriptors were not looked at, because a walk had reached its bound, at least.
    public private(set) var turnedAway: UInt64 = 0

    public init() {}

    /// The processes that hold each socket, by inode; the one that serves it first, at most 16.
    public mutating func find(_ sockets: [ListeningSocket]) -> [UInt32: [SocketOwner]] {
        let now = Clock.monotonic.now()
        var wanted: Set<UInt32> = []
        wanted.reserveCapacity(sockets.count)
        for socket in sockets where socket.inode != 0 { wanted.insert(socket.inode) }
        forget(all: wanted)
        let isUnknown = wanted.contains { inode in
            guard owners[inode] == nil else { return false }
            return unowned[inode].map { now - $0 >= Self.retryPeriod } ?? true
        }
        if isUnknown, now >= nextWalk {
            walk(wanted, now)
            let end = Clock.monotonic.now()
            nextWalk = end + 10 * (end - now)
        }
        return owners
    }

    /// Drops sockets that are gone, and processes that are gone or have become another program.
    private mutating func forget(all wanted: Set<UInt32>) {
        owners = owners.filter { wanted.contains($0.key) }
        unowned = unowned.filter { wanted.contains($0.key) }
        var judged: [SocketOwner: Bool] = [:]
        for (inode, holders) in owners {
            let alive = holders.filter { owner in
                if let known = judged[owner] { return known }
                let same = owner.isUnchanged
                judged[owner] = same
                return same
            }
            if alive.count != holders.count { owners[inode] = alive.isEmpty ? nil : alive }
        }
    }

    private mutating func walk(_ wanted: Set<UInt32>, _ now: Int64) {
        walks += 1
        var holders: [UInt32: [Int32]] = [:]
        var left = Self.descriptorLimit
        var turnedAway: UInt64 = 0
        guard let processes = try? Directory("/proc") else { return }
        processes.forEachNumber { pid in
            // A process that vanishes meanwhile holds nothing any more.
            guard let descriptors = try? Directory("/proc/\(pid)/fd") else { return true }
            descriptors.forEachSocket { inode in
                left -= 1
                if left < 0 {
                    turnedAway += 1
                    return false
                }
                if let inode, wanted.contains(inode), holders[inode, default: []].count < Self.ownersLimit,
                    holders[inode]?.last != pid
                {
                    holders[inode, default: []].append(pid)
                }
                return true
            }
            return true
        }
        self.turnedAway += turnedAway
        var looked: [Int32: SocketOwner?] = [:]
        owners.removeAll(keepingCapacity: true)
        unowned.removeAll(keepingCapacity: true)
        for inode in wanted {
            let found = (holders[inode] ?? []).compactMap { pid in
                if let known = looked[pid] { return known }
                let owner = SocketOwner(pid: pid)
                looked[pid] = .some(owner)
                return owner
            }
            if found.isEmpty { unowned[inode] = now } else { owners[inode] = Self.ordered(found) }
        }
    }

    /// The oldest first, since children inherit; the first process last, since it only opens sockets for others.
    static func ordered(_ owners: [SocketOwner]) -> [SocketOwner] {
        owners.sorted { ($0.pid == 1 ? 1 : 0, $0.startTime, $0.pid) < ($1.pid == 1 ? 1 : 0, $1.startTime, $1.pid) }
    }
}
