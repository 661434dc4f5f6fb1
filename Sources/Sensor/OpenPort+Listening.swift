import Flows
import Host
import Linux
import Packets
import Reports

extension OpenPort {
    /// A row of the port list together with what was counted on the port.
    init(
        _ port: ListeningPort,
        traffic: PortCounters?,
        connections: ServiceCounters? = nil,
        clients: ServiceClients? = nil
    ) {
        self.init(
            port: port.port,
            transport: port.transport == .tcp ? .tcp : .udp,
            service: port.service,
            program: port.program,
            status: port.status == .open ? .open : .closed,
            risk: .init(port.risk),
            riskReason: port.riskReason,
            riskByPort: .init(port.riskByPort),
            addresses: port.addresses.map(\.description),
            pid: port.pids.first,
            unit: port.unit,
            traffic: traffic.map(Traffic.init),
            connections: connections.map {
                Connections(offered: $0.offered, answered: $0.answered, completed: $0.completed)
            },
            clients: clients.map(Clients.init)
        )
    }
}

extension OpenPort.Traffic {
    init(_ counters: PortCounters) {
        self.init(incoming: .init(counters.received), outgoing: .init(counters.sent))
    }
}

extension OpenPort.Clients {
    init(_ clients: ServiceClients) {
        self.init(
            count: clients.count,
            top: clients.busiest.map { client in
                // IPv4 addresses stand in the table as mapped ones.
                let family: Family = client.address.isMapped ? .ipv4 : .ipv6
                return Client(
                    address: client.address.text(as: family),
                    traffic: .init(client.counters),
                    connections: client.connections
                )
            },
            others: .init(clients.others)
        )
    }
}

extension Reports.Risk {
    init(_ risk: Host.Risk) {
        switch risk {
        case .low: self = .low
        case .medium: self = .medium
        case .high: self = .high
        }
    }
}

extension SystemMetrics {
    /// The host's load as published; what cannot be read is 0.
    init(_ sample: HostSample) {
        self.init(
            cpuUsage: sample.processorUsage,
            cores: sample.cores,
            processes: sample.processes,
            memoryTotal: sample.memory.total,
            memoryAvailable: sample.memory.available,
            diskTotal: sample.diskSpace?.total ?? 0,
            diskUsed: sample.diskSpace?.used ?? 0,
            diskReadRate: sample.diskRates?.read ?? 0,
            diskWriteRate: sample.diskRates?.written ?? 0
        )
    }
}

extension ControlGroupLimits {
    /// As shown outside; nil where nothing is limited.
    var report: CgroupLimits? {
        guard memory != nil || processors != nil else { return nil }
        return CgroupLimits(path: "", memoryLimit: memory, cpuLimit: processors)
    }
}
