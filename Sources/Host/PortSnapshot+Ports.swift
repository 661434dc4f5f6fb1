import Linux

extension PortSnapshot {
    /// The rows to show: TCP first, then UDP, each sorted by port, one row per port and transport.
    public func ports(_ policy: PortPolicy = PortPolicy()) -> [ListeningPort] {
        let isListed = { (key: PortKey) in policy.ranges.isEmpty || policy.ranges.contains(key.port, key.transport) }
        var rows: [ListeningPort] = []
        // Sorted once, the sockets of a row stand together, in the order of their addresses.
        let sockets = self.sockets.sorted {
            ($0.transport.rawValue, $0.port, $0.address, $0.inode) < (
                $1.transport.rawValue, $1.port, $1.address, $1.inode
            )
        }
        var missing = policy.expected.keys.filter(isListed)
        var start = 0
        while start < sockets.count {
            let key = PortKey(sockets[start])
            var end = start + 1
            while end < sockets.count, PortKey(sockets[end]) == key { end += 1 }
            missing.remove(key)
            if isListed(key) { rows.append(row(key, sockets[start..<end], policy)) }
            start = end
        }
        guard !missing.isEmpty else { return rows }
        rows += missing.map(Self.closed)
        return rows.sorted { ($0.transport, $0.port) < ($1.transport, $1.port) }
    }

    private func row(_ key: PortKey, _ sockets: ArraySlice<ListeningSocket>, _ policy: PortPolicy) -> ListeningPort {
        var holders = Set<SocketOwner>()
        for socket in sockets { holders.formUnion(owners[socket.inode] ?? []) }
        let first = SocketOwners.ordered(Array(holders)).first
        let exposure = sockets.map { Exposure(of: $0, on: addresses) }.max() ?? .any
        let byPort = Risk(port: key.port)
        let judgement = RiskJudgement(port: key.port, exposure: exposure, program: first?.program)
        var bound = sockets.map(\.address)
        if bound.count > 1 { bound = bound.indices.filter { $0 == 0 || bound[$0] != bound[$0 - 1] }.map { bound[$0] } }
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

extension PortKey {
    init(_ socket: ListeningSocket) {
        self.init(transport: socket.transport, port: socket.port)
    }
}
