import Flows
import Packets

/// A connection that may be held open, as far as the records of its flow have told.
struct SlowConnection: Sendable {
    /// Both ends, whatever the interface.
    struct Key: Hashable, Sendable {
        var client: Address
        var server: Address
        var clientPort: UInt16
        var serverPort: UInt16
        var family: Family

        init(_ flow: FlowDigest) {
            client = flow.initiator
            server = flow.responder
            clientPort = flow.initiatorPort
            serverPort = flow.responderPort
            family = flow.family
        }

        /// Seen from the other end: of a flow that began in the midst of a connection.
        init(reversed flow: FlowDigest) {
            client = flow.responder
            server = flow.initiator
            clientPort = flow.responderPort
            serverPort = flow.initiatorPort
            family = flow.family
        }

        var service: Subject { Subject(server, family, port: serverPort) }
        var source: SourceKey { SourceKey(address: client, family: family) }
    }

    let key: Key
    private(set) var hold: ThreatClass.Slow
    /// Whether its bytes, or its window, have told so; else only how many bytes went by.
    private(set) var isKnown: Bool
    private(set) var isChunked: Bool
    /// Nanoseconds: since when it is held, its latest packet, and the latest record.
    private(set) var since: Int64
    private(set) var last: Int64
    private(set) var heard: Int64
    /// Whether it would stay as it is without another packet.
    private var isStuck: Bool
    private var requests: UInt32
    private var forward: UInt64
    private var backward: UInt64
    private var body: UInt32

    /// Payload bytes, of what comes slowly.
    var bytes: UInt64 { hold == .read ? backward : forward }

    /// - Parameters:
    ///   - before: as it was at its flow's record before this one.
    ///   - now: the end of the window in which the record was told.
    /// - Returns: nil: nothing is held.
    init?(_ flow: FlowDigest, after before: SlowConnection?, at now: Int64, _ settings: SlowSettings) {
        key = Key(flow)
        (last, heard) = (flow.last, now)
        requests = flow.requests
        (forward, backward) = (flow.forwardPayload, flow.backwardPayload)
        body = flow.request.bodyBytes
        isChunked = flow.request.isChunked
        (hold, isKnown, isStuck, since) = (.headers, true, true, now)
        let request = flow.request
        if request.isHeadOpen, flow.isAsking {
            since = request.began
        } else if request.isBodyOpen, flow.isAsking {
            guard Self.trickles(flow, after: before, at: now, settings) else { return nil }
            (hold, since) = (.body, request.began)
        } else if Self.leavesNoRoom(flow, after: before, settings) {
            (hold, isStuck) = (.read, flow.lastWindow == 0)
            if let before, before.isHardlyRead(flow, at: now, settings) { since = before.since }
        } else if let before, before.hold != .read, flow.isContinued, flow.isAsking, flow.backwardPayload == 0 {
            // The flow had ended in silence; its connection had not.
            (hold, isKnown, isChunked, since) = (before.hold, before.isKnown, before.isChunked, before.since)
        } else if Self.mayBeUnread(flow, settings), flow.isAsking, flow.newRequests == 0 || flow.isFirst {
            isKnown = false
            if let before, !before.isKnown, before.backward == backward, before.requests == requests {
                guard forward > before.forward, forward - before.forward <= settings.trickle else { return nil }
                since = before.since
            }
        } else {
            return nil
        }
    }

    /// A record of the other direction's flow, which began in the midst of the connection.
    mutating func goOn(_ flow: FlowDigest, at now: Int64) -> Bool {
        guard flow.isContinued, hold == .read || flow.forwardPayload == 0 else { return false }
        (last, heard) = (flow.last, now)
        return true
    }

    func isHeld(at now: Int64, _ settings: SlowSettings) -> Bool {
        let isSilent = isStuck && now - heard >= settings.silence
        let age = (isSilent ? now : heard) - since
        switch hold {
        case .headers: return age >= (isKnown ? settings.headers.age : settings.trickleAge)
        case .body: return age >= settings.body.age
        case .read: return age >= settings.read.age
        }
    }

    private static func trickles(
        _ flow: FlowDigest,
        after before: SlowConnection?,
        at now: Int64,
        _ settings: SlowSettings
    ) -> Bool {
        // Since the record before, if that was of the same request.
        if let before, before.hold == .body, before.since == flow.request.began {
            let bytes = Double(flow.request.bodyBytes - min(flow.request.bodyBytes, before.body))
            return bytes < settings.bodyRate * Double(max(1, now - before.heard)) / 1e9
        }
        return Double(flow.request.bodyBytes) < settings.bodyRate * Double(max(1, now - flow.request.began)) / 1e9
    }

    /// Whether the client leaves no room for the answer, or next to none. Where there is some, something must come, or the
    /// connection only rests.
    private static func leavesNoRoom(
        _ flow: FlowDigest,
        after before: SlowConnection?,
        _ settings: SlowSettings
    ) -> Bool {
        if flow.newZeroWindows > 0 { return true }
        guard flow.synchronisations > 0, flow.firstWindow < settings.firstWindow, !flow.isAsking else { return false }
        return flow.backwardPayload > before?.backward ?? 0
    }

    /// Whether it is still the same answer of which next to nothing is taken.
    private func isHardlyRead(_ flow: FlowDigest, at now: Int64, _ settings: SlowSettings) -> Bool {
        guard hold == .read, requests == flow.requests, backward <= flow.backwardPayload else { return false }
        let bytes = Double(flow.backwardPayload - backward)
        return bytes < settings.readRate * Double(max(1, now - heard)) / 1e9
    }

    private static func mayBeUnread(_ flow: FlowDigest, _ settings: SlowSettings) -> Bool {
        switch flow.request.kind {
        case .tlsForHTTP: true
        case .unknown, .tls: settings.ports.contains(flow.responderPort)
        case .http: flow.request.isLost
        case .other: false
        }
    }
}

extension FlowDigest {
    /// Whether it began in the midst of a connection.
    fileprivate var isContinued: Bool { synchronisations == 0 }
}
