import Packets

@testable import Detection
@testable import Flows

/// Contacts and sessions put together by hand, and the windows that they fall in.
struct ScanTraffic {
    /// Begins within a window, so that edges of windows fall between packets.
    static let start: Int64 = 1_700_000_000_300_000_000
    static let second: Int64 = 1_000_000_000

    private(set) var contacts: [Contact] = []
    private var flows: [(at: Int64, digest: FlowDigest)] = []
    private var sourcePort: UInt16 = 33_000

    enum Outcome {
        case refused
        case unreachable
        case silent
        /// A connection with data; of other protocols an answer.
        case answered
        /// SYN, SYN with ACK, RST.
        case halfOpen
        /// A connection that its initiator closes without having sent anything.
        case empty
    }

    static func address(_ text: UInt32) -> Address { Address(ipv4: text) }

    /// - Parameter seconds: since ``start``.
    mutating func probe(
        _ host: UInt32,
        _ port: UInt16,
        from source: UInt32,
        at seconds: Double,
        _ outcome: Outcome = .refused,
        flags: TCPFlags = .syn,
        protocolNumber: UInt8 = 6,
        icmpType: UInt8 = 0,
        sourcePort given: UInt16? = nil,
        payload: UInt16 = 0,
        headerLength: UInt8 = 24
    ) {
        let time = Self.start + Int64(seconds * 1e9)
        let own = given ?? nextSourcePort()
        func add(_ step: Contact.Step, _ delay: Int64, _ flags: TCPFlags, _ payload: UInt16 = 0) {
            contacts.append(
                Contact(
                    step,
                    time: time + delay,
                    initiator: Address(ipv4: source),
                    responder: Address(ipv4: host),
                    initiatorPort: own,
                    responderPort: port,
                    family: .ipv4,
                    protocolNumber: protocolNumber,
                    flags: protocolNumber == 6 ? flags : [],
                    payload: payload,
                    icmpType: icmpType,
                    headerLength: headerLength
                )
            )
        }
        add(.opened, 0, flags, payload)
        switch outcome {
        case .silent: break
        case .refused: add(.answered, 200_000, [.rst, .ack], 4)
        case .unreachable: add(.unreachable, 200_000, [])
        case .answered:
            add(.answered, 200_000, [.syn, .ack], 100)
            add(.wentOn, 400_000, .ack)
        case .halfOpen:
            add(.answered, 200_000, [.syn, .ack])
            add(.wentOn, 400_000, .rst)
        case .empty:
            add(.answered, 200_000, [.syn, .ack])
            add(.wentOn, 400_000, .ack)
            session(
                source,
                host,
                port,
                at: seconds,
                sourcePort: own,
                requests: 0,
                forward: 0,
                backward: 0,
                length: 0.01
            )
        }
    }

    private mutating func nextSourcePort() -> UInt16 {
        sourcePort = sourcePort == 60_999 ? 33_000 : sourcePort + 1
        return sourcePort
    }

    /// A TCP session from SYN to FIN, told two seconds after its end.
    mutating func session(
        _ source: UInt32,
        _ host: UInt32,
        _ port: UInt16,
        at seconds: Double,
        sourcePort: UInt16 = 40_000,
        requests: UInt32,
        forward: UInt64,
        backward: UInt64,
        length: Double
    ) {
        var digest = FlowDigest(FlowRecord())
        digest.initiator = Address(ipv4: source)
        digest.responder = Address(ipv4: host)
        digest.initiatorPort = sourcePort
        digest.responderPort = port
        digest.family = .ipv4
        digest.protocolNumber = 6
        digest.end = .closed
        digest.isAnswered = true
        digest.isFirst = true
        digest.first = Self.start + Int64(seconds * 1e9)
        digest.last = digest.first + Int64(length * 1e9)
        digest.requests = requests
        digest.forwardPayload = forward
        digest.backwardPayload = backward
        digest.synchronisations = 2
        digest.finishes = 2
        flows.append((digest.last + 2 * Self.second, digest))
    }

    /// Those with packets.
    var windows: [Observation] {
        var contactsOf: [Int64: [Contact]] = [:]
        for contact in contacts { contactsOf[contact.time >> 30, default: []].append(contact) }
        var flowsOf: [Int64: [FlowDigest]] = [:]
        for flow in flows { flowsOf[flow.at >> 30, default: []].append(flow.digest) }
        return Set(contactsOf.keys).union(flowsOf.keys).sorted().map {
            Observation(number: $0, contacts: contactsOf[$0] ?? [], flows: flowsOf[$0] ?? [])
        }
    }

    /// What is made of it, and of ten seconds of silence after it.
    func detected(_ settings: DetectionSettings = DetectionSettings(), _ scene: Scene = Scene()) -> Detected {
        var windows = windows
        if let last = windows.last { windows.append(Observation(number: last.number + 11)) }
        return Detected(windows, settings, scene)
    }

    /// Seconds since ``start`` until the first incident opened.
    static func delay(_ detected: Detected) -> Double? {
        detected.events.first { $0.incident.state == .opened }.map { Double($0.time - start) / 1e9 }
    }

    /// Ports a to b of one host.
    static func ports(
        _ ports: ClosedRange<UInt16>,
        of host: UInt32 = 0xC000_0201,
        from source: UInt32 = 0xC633_6407,
        every gap: Double,
        _ outcome: Outcome = .refused
    ) -> ScanTraffic {
        var traffic = ScanTraffic()
        for (place, port) in ports.enumerated() {
            traffic.probe(host, port, from: source, at: Double(place) * gap, outcome)
        }
        return traffic
    }

    /// One port of so many hosts in a row.
    static func hosts(
        _ count: Int,
        _ port: UInt16,
        first: UInt32 = 0xC000_0201,
        from source: UInt32 = 0xC633_6407,
        every gap: Double,
        _ outcome: Outcome = .refused
    ) -> ScanTraffic {
        var traffic = ScanTraffic()
        for place in 0..<count {
            traffic.probe(first + UInt32(place), port, from: source, at: Double(place) * gap, outcome)
        }
        return traffic
    }
}

extension Scene {
    /// 192.0.2.0/24 is ours.
    static var atHome: Scene {
        var scene = Scene()
        scene.home = [Prefix(Address(ipv4: 0xC000_0200), .ipv4, bits: 24)]
        return scene
    }
}
