import Flows
import Host
import Keeper
import KernelABI
import Linux
import Logging
import Publishing
import Reports

extension Coordinator {
    func report() {
        scanPorts()
        do throws(HostError) {
            sampleOfHost = try host.sample()
        } catch {
            logger.warning("cannot read the host's load: \(error)")
        }
        snapshot()
        publisher.offer(currentReport(isConnected: isConnected).json())
    }

    /// The last document: it says that nobody watches any more.
    func finish() {
        flowPublisher.stop()
        threatPublisher.stop()
        let delivered = publisher.finish(with: currentReport(isConnected: false).json())
        flowPublisher.finish()
        threatPublisher.finish()
        logger.info(delivered ? "stopped" : "stopped; Redis did not take the last document")
    }

    var isConnected: Bool {
        isMonitoring && watches.values.contains { $0.link.isUp && ($0.rings > 0 || $0.source != .proc) }
    }

    func currentReport(isConnected: Bool) -> Report {
        let threats = shared.openThreats(Report.mostThreats)
        return Report(
            time: .now,
            isConnected: isConnected,
            speeds: speeds.points,
            metrics: SystemMetrics(sampleOfHost),
            ports: portRows.tcp,
            udpPorts: portRows.udp,
            interfaces: interfaceTotals,
            threats: threats.newest,
            openThreats: threats.total,
            ledger: LedgerCounts(ledger),
            sampling: samplingStatus,
            cgroup: sampleOfHost.limits.report
        )
    }

    var interfaceTotals: [InterfaceTotals] {
        // The busiest first: when room is short the quiet ones are left out.
        watches.values.map(\.report).sorted {
            ($0.rx.total.bytes + $0.tx.total.bytes, $1.index) > ($1.rx.total.bytes + $1.tx.total.bytes, $0.index)
        }
    }

    var samplingStatus: SamplingStatus {
        let isLowering = overload.history.last.map { $0.to < $0.from } ?? false
        return SamplingStatus(
            oneIn: overload.oneIn,
            state: !overload.isOverloaded ? .normal : isLowering ? .recovering : .overload
        )
    }

    /// Lists what listens, with what was counted there.
    func scanPorts() {
        do throws(KeeperError) {
            let snapshot = try keeper.listeners()
            if snapshot != listening {
                listening = snapshot
                ports = snapshot.ports(configuration.ports.policy)
                counting?.setServices(snapshot.sockets)
            }
            if portsFailure != nil { logger.info("listing ports works again") }
            portsFailure = nil
        } catch {
            if portsFailure == nil { logger.warning("cannot list the ports: \(error)") }
            portsFailure = "\(error)"
        }
        let rows = ports.map { port in
            OpenPort(
                port,
                traffic: counting?.port(port.transport, port.port),
                connections: port.transport == .tcp ? counting?.connections(of: port.port) : nil,
                clients: counting?.clients(of: port.transport, port.port)
            )
        }
        portRows = (rows.filter { $0.transport == .tcp }, rows.filter { $0.transport == .udp })
    }

    /// Lays out what HTTP shows; it never asks this thread.
    func snapshot() {
        let losses = counting?.losses
        let status = SensorStatus(
            time: counted,
            version: shared.version,
            monitoringActive: isMonitoring,
            modelsTrained: false,
            uptime: UInt64(max(0, Clock.monotonic.now() - started) / Self.second),
            interfaces: interfaceTotals,
            unwatched: unwatched + missing.map { .init(name: $0, reason: "it is not there") },
            ledger: LedgerCounts(ledger),
            sampling: samplingStatus,
            samplingHistory: overload.history.map { SamplingChange($0, lowest: overload.lowest) },
            redis: publisher.status,
            kernelMemory: .init(
                maps: (counting?.memory ?? 0) + sampling.values.reduce(0) { $0 + $1.memory },
                rings: shared.ringBytes,
                clientsTurnedAway: losses?.clients_full ?? 0,
                unknownInterface: losses?.interface_unknown ?? 0
            ),
            flows: workers.reduce(into: FlowCounters()) { $0 += $1.flowCounters },
            sinks: flowPublisher.statuses + threatPublisher.statuses
        )
        let names = watches.values.map { ($0.index, $0.link.name) }
        shared.update(status, PortList(time: .now, tcp: portRows.tcp, udp: portRows.udp), names: names)
    }
}
