import Linux

/// Why a connection or a command failed.
enum RedisFailure: Error, Equatable {
    /// The connection could not be made.
    case unreachable(String)
    /// No answer, or none complete, in time.
    case timeout
    /// The connection ended.
    case closed(String)
    /// The server answered what no Redis answers to what we asked.
    case violation(String)
    /// An error reply.
    case refused(Refusal)

    /// The name under which it is counted: one of a closed list, whatever a server sends.
    var label: String {
        switch self {
        case .unreachable: "unreachable"
        case .timeout: "timeout"
        case .closed: "closed"
        case .violation: "protocol"
        case .refused(let refusal): refusal.code.rawValue
        }
    }

    var description: String {
        switch self {
        case .unreachable(let reason): "cannot connect: \(reason)"
        case .timeout: "no answer in time"
        case .closed(let reason): "connection lost: \(reason)"
        case .violation(let reason): "not a Redis answer: \(reason)"
        case .refused(let refusal): refusal.description
        }
    }
}

/// An error reply of Redis.
struct Refusal: Error, Equatable, CustomStringConvertible {
    enum Code: String, CaseIterable {
        case outOfMemory = "OOM"
        case noAuthentication = "NOAUTH"
        case wrongPassword = "WRONGPASS"
        case noPermission = "NOPERM"
        /// Protected mode: no password is set and we are not on loopback.
        case denied = "DENIED"
        case readOnly = "READONLY"
        case loading = "LOADING"
        case misconfigured = "MISCONF"
        case busy = "BUSY"
        case moved = "MOVED"
        case clusterDown = "CLUSTERDOWN"
        case other = "ERR"
    }

    /// What the publisher does about it. Whatever else was accepted of the same document counts.
    enum Action {
        /// Other credentials are needed: slow down, up to 30 s between attempts.
        case authenticate
        /// Redis will be able in a moment: the same document again, unless a newer one comes.
        case retrySoon
        /// The name may lead to another server by now: connect anew, which resolves it again.
        case reconnect
        /// This document is done with; the next one is tried as usual.
        case goOn
    }

    let code: Code
    /// The server's words, harmless and short.
    let text: String

    /// Reads an error reply; `secrets` do not appear in `text` even if the server repeats them.
    init(reply: some Sequence<UInt8>, hiding secrets: [Secret?]) {
        var raw = String(decoding: Array(reply), as: UTF8.self)
        for secret in secrets {
            if let secret, !secret.value.isEmpty { raw = raw.replacing(secret.value, with: "***") }
        }
        let text = String(harmless: raw.utf8, limit: 120)
        let word = text.prefix { $0 != " " }
        self.code = Code(rawValue: String(word)) ?? .other
        self.text = text
    }

    init(code: Code, text: String) {
        self.code = code
        self.text = text
    }

    var action: Action {
        switch code {
        case .noAuthentication, .wrongPassword, .noPermission, .denied: .authenticate
        case .loading, .busy: .retrySoon
        case .readOnly: .reconnect
        case .outOfMemory, .misconfigured, .moved, .clusterDown, .other: .goOn
        }
    }

    var description: String { advice.map { "\(text) (\($0))" } ?? text }

    private var advice: String? {
        switch code {
        case .outOfMemory: "Redis refuses to store; free memory or raise maxmemory; live messages go on"
        case .noAuthentication: "Redis asks for a password; set one for publishing"
        case .wrongPassword: "check user and password for publishing"
        case .noPermission: "the Redis user needs SET on the keys and PUBLISH on the channel"
        case .denied: "Redis is in protected mode; set a password or use loopback"
        case .readOnly: "this is a replica; name the master"
        case .misconfigured: "Redis cannot save to its disk and refuses to store; live messages go on"
        case .moved: "this is a cluster node that does not own the key; name the node that does"
        case .loading, .busy, .clusterDown, .other: nil
        }
    }
}
