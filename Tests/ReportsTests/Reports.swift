import Reports

/// 2025-12-08T10:30:00Z.
let noon = WallTime(nanoseconds: 1_765_189_800_000_000_000)

let gibibyte: UInt64 = 1_073_741_824

func metrics() -> SystemMetrics {
    SystemMetrics(
        cpuUsage: 45.249,
        cores: 8,
        processes: 203,
        memoryTotal: 16 * gibibyte,
        memoryAvailable: 15 * gibibyte / 2,
        diskTotal: 1_000 * gibibyte,
        diskUsed: 450 * gibibyte,
        diskReadRate: 120_500_000,
        diskWriteRate: 85_300_000
    )
}

func port(
    _ number: UInt16,
    _ transport: OpenPort.Transport = .tcp,
    risk: Risk = .low,
    program: String = "sshd"
) -> OpenPort {
    OpenPort(
        port: number,
        transport: transport,
        service: "SSH",
        program: program,
        status: .open,
        risk: risk,
        riskReason: "port 22 is medium; open to every address",
        riskByPort: risk,
        addresses: ["0.0.0.0", "::"],
        pid: 812,
        unit: "ssh.service",
        traffic: .init(incoming: Volume(packets: 4, bytes: 320), outgoing: Volume(packets: 3, bytes: 240))
    )
}

func interface(_ index: UInt32) -> InterfaceTotals {
    let volume = Volume(packets: .max, bytes: .max)
    let detail = DirectionTotals.Detail(
        ipv4: volume,
        ipv6: volume,
        otherFamily: volume,
        tcp: volume,
        udp: volume,
        icmp: volume,
        otherProtocol: volume,
        syn: 1,
        synAck: 2,
        fin: 3,
        rst: 4,
        sizes: [1, 2, 3, 4, 5, 6, 7, 8],
        fragments: 5,
        malformed: 6
    )
    let totals = DirectionTotals(total: volume, frames: .max, detail: detail)
    return InterfaceTotals(
        name: "eth\(index)",
        index: index,
        epoch: 1,
        source: .tcx,
        isUp: true,
        rx: totals,
        tx: totals
    )
}

func points(_ count: Int) -> [SpeedPoint] {
    (0..<count).map { index in
        let time = WallTime(nanoseconds: noon.nanoseconds - Int64(count - index) * 2_000_000_000)
        return SpeedPoint(time: time, download: Double(index) + 0.123, upload: 23.2)
    }
}

func report(
    points speeds: [SpeedPoint] = [SpeedPoint(time: noon, download: 85.5, upload: 23.2)],
    ports: [OpenPort] = [port(22, risk: .medium)],
    udpPorts: [OpenPort] = [],
    interfaces: [InterfaceTotals] = [],
    threats: [Threat] = []
) -> Report {
    Report(
        time: noon,
        isConnected: true,
        speeds: speeds,
        metrics: metrics(),
        ports: ports,
        udpPorts: udpPorts,
        interfaces: interfaces,
        threats: threats,
        ledger: LedgerCounts(offered: 10, skipped: 4, kept: 6, dropped: 1, read: 5, decoded: 3, malformed: 1, shed: 1),
        sampling: SamplingStatus(oneIn: 1, state: .normal)
    )
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
