public import Detection
import Flows
import Packets

/// What is known of this host beside the incidents: names for their numbers.
public struct ThreatContext: Sendable {
    /// Names of interfaces, by the kernel's number. One that is not there is shown by its number.
    public var interfaces: [UInt32: String]
    /// What listens on this host.
    public var ports: PortList?
    /// This host's own addresses: a process can be named for these alone.
    public var home: [Prefix]

    public init(interfaces: [UInt32: String] = [:], ports: PortList? = nil, home: [Prefix] = []) {
        self.interfaces = interfaces
        self.ports = ports
        self.home = home
    }

    /// Who listens where an incident is.
    func process(of incident: Incident) -> Threat.Process? {
        let subject = incident.subject
        guard let ports, subject.port != 0, subject.isHost,
            home.contains(where: { $0.contains(subject.address, subject.family) })
        else { return nil }
        let rows = incident.threat.isOfDatagrams ? [ports.udp, ports.tcp] : [ports.tcp, ports.udp]
        guard let row = rows.joined().first(where: { $0.port == subject.port && $0.status == .open }) else {
            return nil
        }
        return Threat.Process(program: row.program, pid: row.pid, unit: row.unit)
    }
}

extension ThreatClass {
    fileprivate var isOfDatagrams: Bool {
        switch self {
        case .flood(.udp), .reflection, .dnsTunnel, .scan(_, .udp, _): true
        default: false
        }
    }
}

extension Threat {
    /// Stands for many addresses, where one is wanted.
    public static let multiple = "multiple"

    private static let mostSources = (brief: 3, whole: 20)
    private static let mostMeasures = 32
    private static let mostPorts = 32
    private static let mostPackets = 20

    /// - Parameters:
    ///   - context: names for the numbers in it.
    ///   - detail: how much of the evidence is shown.
    public init(_ incident: Incident, _ context: ThreatContext = ThreatContext(), _ detail: Detail = .whole) {
        let top = incident.topSources
        let subject = incident.subject
        id = incident.id
        type = incident.threat.type
        threatClass = incident.threat.name
        state = incident.state
        sequence = incident.sequence
        severity = incident.severity
        confidence = Int((min(max(incident.confidence, 0), 1) * 100).rounded())
        source = Self.source(top, incident)
        let isSource = subject.isHost && top.first?.address == subject.address && incident.distinctSources <= 1
        destination = isSource || subject.prefixLength == 0 ? Self.multiple : subject.hosts
        began = WallTime(nanoseconds: incident.began)
        opened = WallTime(nanoseconds: incident.opened)
        last = WallTime(nanoseconds: incident.last)
        closed = incident.closed.map { WallTime(nanoseconds: $0) }
        self.subject = subject
        ratio = incident.peak
        findings = incident.findings
        folded = incident.folded
        distinctSources = UInt64(max(incident.distinctSources, 0))
        countedAs = incident.worst.countedAs
        topSources = top.prefix(detail == .brief ? Self.mostSources.brief : Self.mostSources.whole).map {
            Source(address: $0.address.text(as: $0.family), count: $0.count)
        }
        summary = incident.worst.summary
        advice = incident.worst.advice
        process = context.process(of: incident)
        evidence = detail == .brief ? nil : Evidence(incident, context, hasPackets: detail == .whole)
    }

    /// As an event is told: one that only says that an incident goes on leaves the packets out.
    public init(event: IncidentEvent, _ context: ThreatContext = ThreatContext()) {
        self.init(event.incident, context, event.incident.state == .ongoing ? .numbers : .whole)
    }

    private static func source(_ top: [FoundEvidence.Source], _ incident: Incident) -> String {
        guard let first = top.first else { return "" }
        let isMost = incident.distinctSources <= 1 || first.count > incident.countOfSources / 2
        return isMost ? first.address.text(as: first.family) : multiple
    }
}

private typealias FoundEvidence = Evidence

extension Threat.Evidence {
    fileprivate init(_ incident: Incident, _ context: ThreatContext, hasPackets: Bool) {
        let (worst, latest) = (incident.worst, incident.latest)
        measures = worst.measures.prefix(Threat.mostMeasures).map { measure in
            Measure(
                name: measure.name,
                value: measure.value,
                latest: latest[measure.name] ?? 0,
                level: measure.level,
                baseline: measure.baseline,
                unit: measure.unit
            )
        }
        ports = worst.ports.prefix(Threat.mostPorts).map { Port(port: $0.port, count: $0.count) }
        // It grows as long as the incident lasts.
        cost = (latest.cost ?? worst.cost).map { Cost(total: $0.total, perHour: $0.perHour, unit: $0.unit) }
        sampling = worst.sampling.map { Sampling(offered: $0.offered, kept: $0.kept) }
        packets =
            hasPackets
            ? worst.samples.prefix(Threat.mostPackets).enumerated().map { place, summary in
                PacketView(
                    summary,
                    sequence: UInt64(place) + 1,
                    interface: context.interfaces[summary.interface] ?? "\(summary.interface)"
                )
            } : nil
    }
}

extension Subject {
    /// Without the port.
    fileprivate var hosts: String {
        let text = address.text(as: family)
        return isHost ? text : "\(text)/\(prefixLength)"
    }
}
