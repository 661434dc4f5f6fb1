import Packets

/// For whom the packets of one shard were, of which kinds, in one window. Memory that is taken once; reset by a stamp.
@safe
struct TrafficTable: ~Copyable {
    private struct Slot {
        var address = Address.zero
        var port: UInt16 = 0
        var kind = TrafficClass.other
        var family = Family.other
        /// The window in which it was written.
        var stamp: UInt32 = 0
        var volume = TrafficVolume()
    }

    static let slots = 256
    private static let probes = 8

    private let slots: UnsafeMutablePointer<Slot>
    private let seed: (UInt64, UInt64)
    private let kinds: [64 of TrafficClass]
    private var stamp: UInt32 = 1
    /// What found no room.
    private var rest = TrafficVolume()

    /// - Parameter isOn: if not, it must not be used, and takes no memory.
    init(isOn: Bool) {
        unsafe slots = .allocate(capacity: isOn ? Self.slots : 0)
        if isOn { unsafe slots.initialize(repeating: Slot(), count: Self.slots) }
        kinds = [64 of TrafficClass] { TCPFlags(rawValue: UInt8($0)).trafficClass }
        // Fixed: what finds no room must not depend on chance, so that a replay repeats itself. A shard whose places are
        // chosen to meet loses rows, never packets.
        seed = (0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03)
    }

    deinit { unsafe slots.deallocate() }

    /// - Parameters:
    ///   - isAsked: whether the packet answers one that its receiver sent before.
    ///   - weight: how many packets this one stands for.
    @inline(__always)
    mutating func count(_ packet: borrowing Packet, isAsked: Bool, weight: Double) {
        var kind = TrafficClass.other
        var port: UInt16 = 0
        var isSender = false
        switch packet.transport {
        case .tcp:
            kind = kinds[Int(packet.flags.rawValue & 63)]
            if kind == .acknowledge, packet.payloadLength > 0 { kind = .data }
            if kind == .synchronize { port = packet.destinationPort }
            if kind == .answer {
                port = packet.sourcePort
                isSender = isAsked
                if !isAsked { kind = .reflection }
            }
        case .udp:
            kind = .udp
            if !isAsked, packet.sourcePort.isOfReflectors {
                kind = .reflection
                port = packet.sourcePort
            }
        case .icmp: kind = .icmp
        case .other, .none: break
        }
        // Large answers of reflectors come in fragments.
        if packet.fragment == .later, kind != .reflection { (kind, port) = (.fragment, 0) }
        let volume = TrafficVolume(
            packets: weight * Double(packet.segments),
            bytes: weight * Double(packet.bytes),
            isAsked: isAsked
        )
        add(volume, isSender ? packet.source : packet.destination, packet.family, kind, port)
    }

    @inline(__always)
    mutating func add(
        _ volume: TrafficVolume,
        _ address: Address,
        _ family: Family,
        _ kind: TrafficClass,
        _ port: UInt16
    ) {
        let detail = UInt64(port) << 16 | UInt64(kind.rawValue) << 8 | UInt64(family.rawValue)
        let home = fold(address.low ^ seed.0, address.high &+ detail &* seed.1)
        for probe in 0..<UInt64(Self.probes) {
            let slot = unsafe slots + Int((home &+ probe) & UInt64(Self.slots - 1))
            if unsafe slot.pointee.stamp != stamp {
                unsafe slot.pointee = Slot(
                    address: address,
                    port: port,
                    kind: kind,
                    family: family,
                    stamp: stamp,
                    volume: volume
                )
                return
            }
            let isSame =
                unsafe slot.pointee.address == address && slot.pointee.kind == kind && slot.pointee.port == port
                && slot.pointee.family == family
            if isSame {
                unsafe slot.pointee.volume += volume
                return
            }
        }
        addCrowded(volume, address, family, kind, port)
    }

    /// Without its port, then not at all.
    @inline(never)
    private mutating func addCrowded(
        _ volume: TrafficVolume,
        _ address: Address,
        _ family: Family,
        _ kind: TrafficClass,
        _ port: UInt16
    ) {
        if port != 0 { add(volume, address, family, kind, 0) } else { rest += volume }
    }

    /// Hands over what was counted, and begins the next window.
    mutating func drain(into observation: inout Observation) {
        for place in 0..<Self.slots where unsafe slots[place].stamp == stamp {
            let slot = unsafe slots[place]
            let key = TrafficKey(address: slot.address, port: slot.port, kind: slot.kind, family: slot.family)
            observation.volumes.append((key, slot.volume))
        }
        observation.missed.traffic += rest
        rest = TrafficVolume()
        stamp &+= 1
    }
}

extension UInt16 {
    /// Whether services on this UDP port are known to answer with more than they are asked (US-CERT TA14-017A, and what was
    /// abused since; 47808, BACnet: Gasser et al. 2017).
    @inline(__always)
    public var isOfReflectors: Bool {
        switch self {
        case 17, 19, 53, 69, 111, 123, 137, 161, 389, 427, 520, 1900, 3283, 3702, 5353, 5683, 10_001, 11_211, 27_015,
            37_810, 47_808:
            true
        default: false
        }
    }
}
