import Linux

extension PortSnapshot {
    /// The rows to show: TCP first, then UDP, each sorted by port, one row per port and transport.
    public func ports(_ policy: PortPolicy = PortPolicy()) -> [ListeningPort] {
        let isListed = { (key: PortKey) in
            policy.ranges.isEmpty || policy.ranges.contains(key.port, key.transport)
        }
        let groups = Dictionary(grouping: sockets) { PortKey(transport: $0.transport, port: $0.port) }
        var rows = groups.filter { isListed($0.key) }.map { key, sockets in row(key, sockets, policy) }
        for key in policy.expected.keys where groups[key] == nil && isListed(key) { rows.append(Self.closed(key)) }
        return rows.sorted { ($0.transport, $0.port) < ($1.transport, $1.port) }
    }

    private func row(_ key: PortKey, _ unsorted: [ListeningSocket], _ policy: PortPolicy) -> ListeningPort {
        let sockets = unsorted.sorted { ($0.address, $0.inode) < ($1.address, $1.inode) }
        var holders = Set<SocketOwner>()
        for socket in sockets { holders.formUnion(owners[socket.inode] ?? []) }
        let first = SocketOwners.ordered(Array(holders)).first
        let exposure = sockets.map { Exposure(of: $0, on: addresses) }.max() ?? .any
        let byPort = Risk(port: key.port)
        let judgement = RiskJudgement(port: key.port, exposure: exposure, program: first?.program)
        var bound = sockets.map(\.address)
        bound = bound.indices.filter { $0 == 0 || bound[$0] != bound[$0 - 1] }.map { bound[$0] }
        return ListeningPort(
            port: key.port,
            transport: key.transport,
            service: ServiceNames.name(port: key.port, key.transport),
            program: first?.program ?? ServiceNames.usualProgram(port: key.port) ?? "unknown",
            status: .open,
            risk: policy.risk == .seed ? byPort : judgement.risk,
            riskByPort: byPort,
            riskReason: policy.risk == .seed ? "\(byPort.rawValue) by port \(key.port)" : judgement.reason,
            exposure: exposure,
            addresses: bound,
            pids: holders.map(\.pid).sorted(),
            unit: first?.unit,
            userID: sockets.first?.userID
        )
    }

    private static func closed(_ key: PortKey) -> ListeningPort {
        ListeningPort(
            port: key.port,
            transport: key.transport,
            service: ServiceNames.name(port: key.port, key.transport),
            program: ServiceNames.usualProgram(port: key.port) ?? "unknown",
            status: .closed,
            risk: .low,
            riskByPort: Risk(port: key.port),
            riskReason: "expected to listen, but nothing does",
            exposure: nil,
            addresses: [],
            pids: [],
            unit: nil,
            userID: nil
        )
    }
}

/// What makes one row.
struct PortKey: Hashable {
    var transport: SocketTransport
    var port: UInt16
}
