import Packets

/// What one shard keeps for the detectors until the window ends. Bounded, whatever arrives.
struct TrafficWatch: ~Copyable {
    /// At most so many of each in one window; what comes above is counted.
    private static let contacts = 1_024
    private static let flows = 512
    private static let samples = 16

    private var table: TrafficTable
    private var domains: DomainTable
    private var contacts: [Contact] = []
    private var flows: [FlowDigest] = []
    private var samples: [PacketSummary] = []
    private var missed = Observation.Missed()
    /// Packets from one sample to the next; doubled when there is no more room, and every other sample dropped.
    private var stride: UInt32 = 1
    private var untilSample: UInt32 = 1

    /// - Parameter isOn: if not, it must not be used.
    init(isOn: Bool) {
        table = TrafficTable(isOn: isOn)
        domains = DomainTable(isOn: isOn)
    }

    /// - Parameters:
    ///   - isAsked: whether the packet answers one that its receiver sent before.
    ///   - weight: how many packets this one stands for.
    @inline(__always)
    mutating func count(
        _ packet: inout Packet,
        isAsked: Bool,
        weight: Double,
        time: Int64,
        interface: UInt32
    ) {
        table.count(packet, isAsked: isAsked, weight: weight)
        untilSample &-= 1
        if untilSample == 0 { sample(&packet, time, interface) }
    }

    /// A connection came about.
    @inline(never)
    mutating func countCompleted(_ packet: inout Packet, weight: Double) {
        let volume = TrafficVolume(packets: weight, bytes: 0)
        table.add(volume, packet.destination, packet.family, .completed, packet.destinationPort)
    }

    /// A request over TCP.
    @inline(never)
    mutating func countRequest(_ packet: inout Packet, weight: Double) {
        let volume = TrafficVolume(packets: weight, bytes: weight * Double(packet.bytes))
        table.add(volume, packet.destination, packet.family, .request, packet.destinationPort)
    }

    @inline(never)
    private mutating func sample(_ packet: inout Packet, _ time: Int64, _ interface: UInt32) {
        if samples.count == Self.samples {
            for place in 0..<Self.samples / 2 { samples[place] = samples[2 * place + 1] }
            samples.removeLast(Self.samples / 2)
            stride &*= 2
        }
        untilSample = stride
        samples.append(
            PacketSummary(packet, time: UInt64(bitPattern: time), interface: interface, direction: .rx)
        )
    }

    @inline(never)
    mutating func add(_ step: Contact.Step, _ record: borrowing FlowRecord, _ packet: inout Packet, at time: Int64) {
        guard contacts.count < Self.contacts else {
            missed.contacts &+= 1
            return
        }
        contacts.append(
            Contact(
                step,
                time: time,
                initiator: record.initiator,
                responder: record.responder,
                initiatorPort: record.initiatorPort,
                responderPort: record.responderPort,
                family: record.key.family,
                protocolNumber: record.key.protocolNumber,
                flags: step == .unreachable ? [] : packet.flags,
                payload: step == .unreachable ? 0 : UInt16(clamping: packet.payloadLength),
                interface: record.key.interface,
                icmpType: record.icmpType,
                headerLength: step == .unreachable ? 0 : packet.transportHeaderLength
            )
        )
    }

    /// A packet to or from a name server, with its payload.
    @inline(never)
    mutating func countName(_ payload: RawSpan, _ packet: inout Packet, weight: Double) {
        domains.count(payload, packet, weight: weight)
    }

    /// A fragment whose first was not seen.
    @inline(never)
    mutating func countStray(_ packet: inout Packet, weight: Double) {
        table.count(packet, isAsked: false, weight: weight)
    }

    /// Flows of a single packet are told by their contact alone.
    @inline(never)
    mutating func add(_ record: borrowing FlowRecord) {
        guard record.features.packets > 1 else { return }
        guard flows.count < Self.flows else {
            missed.flows &+= 1
            return
        }
        flows.append(FlowDigest(record))
    }

    /// Hands over the window, and begins the next.
    mutating func drain(into observation: inout Observation) {
        table.drain(into: &observation)
        domains.drain(into: &observation)
        observation.contacts += contacts
        observation.flows += flows
        observation.samples += samples
        observation.missed.contacts += missed.contacts
        observation.missed.flows += missed.flows
        contacts.removeAll(keepingCapacity: true)
        flows.removeAll(keepingCapacity: true)
        samples.removeAll(keepingCapacity: true)
        missed = .init()
        (stride, untilSample) = (1, 1)
    }
}
