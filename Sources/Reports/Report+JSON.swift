extension Report {
    /// The most a document may take, in bytes: Redis cuts off subscribers for whom too much piles up.
    public static let sizeLimit = 65_536

    /// Points that stay when room is short.
    private static let leastPoints = 30

    /// Threats that are shown.
    public static let mostThreats = 20

    /// More rows than this cannot fit, so no more are written: no row takes less than 64 bytes.
    private static let mostRows = Report.sizeLimit / 64

    /// The document that consumers read: JSON of at most `sizeLimit` bytes.
    ///
    /// When the host has more to tell than fits, it is cut in this order: points above 30 (the oldest go), interfaces
    /// (the last go), ports (the lowest risks go), threats (the oldest go). The full count then stands beside each list,
    /// as `openPortsTotal`.
    public func json() -> [UInt8] {
        var points = speeds.suffix(Report.mostRows).map { point in Report.row { point.write(to: &$0) } }[...]
        var watched = interfaces.prefix(Report.mostRows).map { item in Report.row { item.write(to: &$0) } }[...]
        var listening = riskiest(most: Report.mostRows).map { port in
            PortRow(port: port.port, transport: port.transport, bytes: Report.row { port.write(to: &$0) })
        }[...]

        var incidents = threats.prefix(Report.mostThreats).map { threat in Report.row { threat.write(to: &$0) } }[...]

        // The frame with empty lists has every total in it, so it is as large as it gets.
        let frame = document(points: [], watched: [], listening: [], incidents: []).count
        var excess = frame - Report.sizeLimit
        excess += (points + watched + incidents).reduce(0) { $0 + $1.count + 1 }
        excess += listening.reduce(0) { $0 + $1.bytes.count + 1 }
        while excess > 0, points.count > Report.leastPoints { excess -= points.removeFirst().count + 1 }
        while excess > 0, let row = watched.popLast() { excess -= row.count + 1 }
        while excess > 0, let row = listening.popLast() { excess -= row.bytes.count + 1 }
        while excess > 0, let row = incidents.popLast() { excess -= row.count + 1 }
        return document(points: points, watched: watched, listening: listening, incidents: incidents)
    }

    private struct PortRow {
        let port: UInt16
        let transport: OpenPort.Transport
        let bytes: [UInt8]
    }

    private static func row(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
        var json = JSONWriter()
        write(&json)
        return json.bytes
    }

    /// The highest risks first, TCP before UDP within one risk; linear in the number of ports. Rows are read in place,
    /// since to copy one costs more than to judge it.
    private func riskiest(most: Int) -> [OpenPort] {
        var chosen: [OpenPort] = []
        for risk in [Risk.high, .medium, .low] {
            for rows in [ports, udpPorts] {
                for index in rows.indices where chosen.count < most && rows[index].risk == risk {
                    chosen.append(rows[index])
                }
            }
        }
        return chosen
    }

    /// The whole document with the rows given; a list shorter than what there is gets its total.
    private func document(
        points: ArraySlice<[UInt8]>,
        watched: ArraySlice<[UInt8]>,
        listening: ArraySlice<PortRow>,
        incidents: ArraySlice<[UInt8]>
    ) -> [UInt8] {
        func rows(_ transport: OpenPort.Transport) -> [[UInt8]] {
            listening.filter { $0.transport == transport }.sorted { $0.port < $1.port }.map(\.bytes)
        }
        let tcp = rows(.tcp)
        let udp = rows(.udp)
        var json = JSONWriter()
        json.object { json in
            json.array("networkSpeeds") { json in json.values(points) }
            json.object("systemMetrics") { json in metrics.write(to: &json) }
            json.array("openPorts") { json in json.values(tcp[...]) }
            json.field("isConnected", isConnected)
            json.field("lastUpdate", time, digits: .milliseconds)
            json.field("schema", 1)
            json.array("interfaces") { json in json.values(watched) }
            json.object("ledger") { json in ledger.write(to: &json) }
            json.array("threats") { json in json.values(incidents) }
            json.object("sampling") { json in sampling.writeFields(to: &json) }
            json.array("udpPorts") { json in json.values(udp[...]) }
            if let cgroup { json.object("cgroup") { json in cgroup.write(to: &json) } }
            if points.count < speeds.count { json.field("networkSpeedsTotal", speeds.count) }
            if watched.count < interfaces.count { json.field("interfacesTotal", interfaces.count) }
            if tcp.count < ports.count { json.field("openPortsTotal", ports.count) }
            if incidents.count < openThreats { json.field("threatsTotal", openThreats) }
            if udp.count < udpPorts.count { json.field("udpPortsTotal", udpPorts.count) }
        }
        return json.bytes
    }
}
