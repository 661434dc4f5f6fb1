import Detection
import Flows
import Packets
import Support

@testable import Reports

/// 192.0.2.x.
func host(_ number: UInt32) -> Address { Address(ipv4: 0xC000_0200 + number) }

/// 203.0.113.x and beyond.
func stranger(_ number: UInt32) -> Address { Address(ipv4: 0xCB00_7100 + number) }

func finding(
    _ threat: ThreatClass = .scan(.vertical, .syn, isOutbound: false),
    _ subject: Subject = Subject(host(1), .ipv4, port: 22),
    ratio: Double = 2,
    severity: Severity = .high,
    sources: [(address: Address, count: Double)] = [(stranger(7), 30)],
    _ change: (inout Evidence) -> Void = { _ in }
) -> Finding {
    var evidence = Evidence()
    evidence.sources = sources.map { Evidence.Source($0.address, .ipv4, count: $0.count) }
    evidence.countedAs = "probes"
    evidence.summary = "30 ports of 192.0.2.1 were tried."
    evidence.advice = "Look whether it is yours."
    change(&evidence)
    return Finding(threat, subject, ratio: ratio, severity: severity, confidence: 0.874, evidence: evidence)
}

/// What detection makes of findings, one in each second from noon on, and of a time without any.
func events(_ findings: [Finding], quietFor seconds: Int64 = 0) -> [IncidentEvent] {
    var table = IncidentTable(IncidentSettings(), sensor: "test")
    var events: [IncidentEvent] = []
    for (second, finding) in findings.enumerated() {
        events += table.take([finding], at: noon.nanoseconds + Int64(second) * 1_000_000_000)
    }
    if seconds > 0 { events += table.advance(to: noon.nanoseconds + seconds * 1_000_000_000) }
    return events
}

/// A SYN to port 22, half a second before noon.
func sample(_ number: UInt16 = 0) -> PacketSummary {
    let frame = PacketBuilder().ethernet().ipv4(from: "203.0.113.7", to: "192.0.2.1")
        .tcp(from: 40_000 + number, to: 22, flags: .syn).bytes
    let packet = unsafe Packet(decoding: frame.span.bytes, wireLength: frame.count)
    return PacketSummary(packet, time: UInt64(noon.nanoseconds - 500_000_000), interface: 2, direction: .rx)
}

/// An open incident for each number, the higher ones newer.
func openThreats(_ count: Int, _ change: (inout Evidence) -> Void = { _ in }) -> [Threat] {
    (0..<count).reversed().compactMap { number in
        let subject = Subject(host(UInt32(number)), .ipv4)
        return events([finding(.flood(.syn), subject, change)]).first.map { Threat($0.incident, .init(), .brief) }
    }
}
