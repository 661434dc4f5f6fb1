import Detection
import Flows
import Packets

/// Windows made of packets that are told one by one.
struct FloodWindows {
    static let second: Int64 = 1_000_000_000
    /// The start of a window, long after 1970.
    static let epoch = Int64(1_583_000_000) << 30
    static let victim = Address(ipv4: 0xC000_0201)

    private var rows: [Int64: [TrafficKey: TrafficVolume]] = [:]
    private var contacts: [Int64: [Contact]] = [:]
    private var samples: [Int64: [PacketSummary]] = [:]

    /// Nanoseconds of the packets' clock at so many seconds.
    static func time(_ seconds: Double) -> Int64 { epoch + Int64(seconds * 1e9) }

    static func window(of time: Int64) -> Int64 { time >> 30 }

    /// One of many addresses.
    static func source(_ number: Int) -> Address { Address(ipv4: 0x6440_0000 + UInt32(number)) }

    /// Calls back for every packet of a steady rate.
    static func each(_ rate: Double, _ seconds: Range<Double>, _ body: (Double, Int) -> Void) {
        let count = Int((seconds.upperBound - seconds.lowerBound) * rate)
        for number in 0..<count { body(seconds.lowerBound + Double(number) / rate, number) }
    }

    mutating func row(
        _ kind: TrafficClass,
        at time: Double,
        to address: Address = victim,
        port: UInt16 = 0,
        packets: Double = 1,
        size: Double = 60,
        family: Family = .ipv4,
        isAsked: Bool = false
    ) {
        let key = TrafficKey(address: address, port: port, kind: kind, family: family)
        let volume = TrafficVolume(packets: packets, bytes: packets * size, isAsked: isAsked)
        rows[Self.window(of: Self.time(time)), default: [:]][key, default: TrafficVolume()] += volume
    }

    mutating func contact(
        _ step: Contact.Step,
        at time: Double,
        from initiator: Address,
        _ initiatorPort: UInt16,
        to responder: Address = victim,
        _ responderPort: UInt16,
        family: Family = .ipv4,
        protocol number: UInt8 = 6,
        flags: TCPFlags = []
    ) {
        let contact = Contact(
            step,
            time: Self.time(time),
            initiator: initiator,
            responder: responder,
            initiatorPort: initiatorPort,
            responderPort: responderPort,
            family: family,
            protocolNumber: number,
            flags: flags
        )
        contacts[Self.window(of: Self.time(time)), default: []].append(contact)
    }

    mutating func sample(_ packet: Packet, at time: Double) {
        let summary = PacketSummary(packet, time: UInt64(Self.time(time)), interface: 1, direction: .rx)
        samples[Self.window(of: Self.time(time)), default: []].append(summary)
    }

    /// What becomes of a SYN.
    enum Fate {
        case dropped
        case refused
        /// The handshake's third packet never comes.
        case answered
        /// It comes after so many seconds.
        case completed(Double)
    }

    mutating func synchronize(
        at time: Double,
        from source: Address,
        _ sourcePort: UInt16,
        to target: Address = victim,
        _ port: UInt16,
        _ fate: Fate,
        isFirst: Bool = true
    ) {
        row(.synchronize, at: time, to: target, port: port)
        if isFirst { contact(.opened, at: time, from: source, sourcePort, to: target, port, flags: .syn) }
        switch fate {
        case .dropped: break
        case .refused:
            contact(.answered, at: time, from: source, sourcePort, to: target, port, flags: [.rst, .ack])
            row(.reset, at: time, to: source, isAsked: true)
        case .answered, .completed:
            row(.answer, at: time, to: target, port: port)
            contact(.answered, at: time, from: source, sourcePort, to: target, port, flags: [.syn, .ack])
        }
        guard case .completed(let delay) = fate else { return }
        row(.completed, at: time + delay, to: target, port: port, size: 0, isAsked: true)
        contact(.wentOn, at: time + delay, from: source, sourcePort, to: target, port, flags: .ack)
    }

    /// A flood of packets that open a flow each.
    mutating func unsolicited(
        _ kind: TrafficClass,
        rate: Double,
        _ seconds: Range<Double>,
        to target: Address = victim,
        port: UInt16 = 9,
        sources: Int = 1_000,
        size: Double = 60
    ) {
        let (number, flags): (UInt8, TCPFlags) =
            switch kind {
            case .acknowledge: (6, .ack)
            case .reset: (6, .rst)
            case .finish: (6, [.fin, .ack])
            case .irregular: (6, [.fin, .psh, .urg])
            case .udp, .reflection, .fragment: (17, [])
            case .icmp: (1, [])
            default: (132, [])
            }
        Self.each(rate, seconds) { time, place in
            row(kind, at: time, to: target, port: kind == .reflection ? port : 0, size: size)
            guard kind != .fragment else { return }
            let other = UInt16(truncatingIfNeeded: 1_024 + place)
            contact(
                .opened,
                at: time,
                from: Self.source(place % sources),
                kind == .reflection ? port : other,
                to: target,
                kind == .reflection ? other : port,
                protocol: number,
                flags: flags
            )
        }
    }

    var windows: [Observation] {
        Set(rows.keys).union(contacts.keys).sorted().map { number in
            Observation(
                number: number,
                volumes: (rows[number] ?? [:]).map { ($0.key, $0.value) },
                contacts: contacts[number] ?? [],
                samples: samples[number] ?? []
            )
        }
    }
}
