import Packets
import Protocols

/// Which domains' names one shard's packets ask for, in one window. Memory that is taken once, and touched where it is
/// written; reset by a stamp.
@safe
struct DomainTable: ~Copyable {
    private static let slots = 64
    private static let probes = 8

    private let rows: UnsafeMutablePointer<DomainQueries>
    /// The window in which each row was written.
    private let stamps: UnsafeMutablePointer<UInt32>
    private var stamp: UInt32 = 1
    private var isEmpty = true
    /// Questions in rows that made room for others.
    private var missed: UInt64 = 0

    /// - Parameter isOn: if not, it must not be used, and takes no memory.
    init(isOn: Bool) {
        let slots = isOn ? Self.slots : 0
        unsafe rows = .allocate(capacity: slots)
        unsafe stamps = .allocate(capacity: slots)
        unsafe stamps.initialize(repeating: 0, count: slots)
    }

    deinit {
        unsafe rows.deallocate()
        unsafe stamps.deallocate()
    }

    /// Counts the first question of a packet's payload.
    mutating func count(_ payload: RawSpan, _ packet: borrowing Packet, weight: Double) {
        var length = Int(packet.segments == 1 ? packet.payloadLength : UInt32(packet.segmentSize))
        var start = 0
        // Over TCP a message stands behind its length (RFC 1035 section 4.2.2). One that begins elsewhere in a packet than at
        // its start is not found.
        if packet.transport == .tcp { (start, length) = (2, length - 2) }
        guard start < payload.byteCount, length > 0 else { return }
        let bytes = payload.extracting(start..<min(payload.byteCount, start + length))
        do throws(DNSMessage.Failure) {
            let message = try DNSMessage(bytes, length: length)
            count(message, bytes, packet, length: length, weight)
        } catch {
            countUnread(error, bytes, packet, length: length, weight)
        }
    }

    private mutating func countUnread(
        _ failure: DNSMessage.Failure,
        _ bytes: RawSpan,
        _ packet: borrowing Packet,
        length: Int,
        _ weight: Double
    ) {
        let isQuestion = packet.destinationPort == 53
        if failure == .cut(isResponse: false), isQuestion {
            let place = find(packet.source, packet.family, DomainQueries.cut)
            unsafe rows[place].queries += weight
            // Header, type and class are not the name's.
            unsafe rows[place].nameBytes += weight * Double(max(0, length - 17))
            unsafe rows[place].names.add(DNSMessage.hash(ofUnread: bytes))
        } else if failure.isForeign, packet.transport == .udp {
            let place = find(isQuestion ? packet.source : packet.destination, packet.family, DomainQueries.foreign)
            if isQuestion {
                unsafe rows[place].queries += weight
                unsafe rows[place].carriers += weight
                unsafe rows[place].nameBytes += weight * Double(length)
                unsafe rows[place].names.add(DNSMessage.hash(ofUnread: bytes))
            } else {
                unsafe rows[place].answers += weight
                unsafe rows[place].answerBytes += weight * Double(length)
                unsafe rows[place].carrierBytes += weight * Double(length)
            }
        }
    }

    private mutating func count(
        _ message: DNSMessage,
        _ bytes: RawSpan,
        _ packet: borrowing Packet,
        length: Int,
        _ weight: Double
    ) {
        let name = message.name
        guard name.bytesBelow > 0, (message.isResponse ? packet.sourcePort : packet.destinationPort) == 53 else {
            return
        }
        let client = message.isResponse ? packet.destination : packet.source
        // Even numbers stand for what has no domain.
        let place = find(client, packet.family, name.hashOfDomain(bytes) | 1)
        if unsafe rows[place].queries + rows[place].answers == 0 {
            let count = name.end - name.domain - 2
            var position = DomainQueries.nameCapacity - max(count, DomainQueries.nameCapacity)
            name.writeDomain(bytes) { unsafe rows[place].put($0, at: &position, of: count) }
        }
        let carries = !name.isUnderscored && message.type.carriesAnything
        if message.isResponse {
            let records = weight * Double(length - message.questionEnd)
            unsafe rows[place].answers += weight
            unsafe rows[place].answerBytes += records
            if carries { unsafe rows[place].carrierBytes += records }
            if message.responseCode == 3 { unsafe rows[place].failures += weight }
        } else {
            unsafe rows[place].queries += weight
            unsafe rows[place].nameBytes += weight * Double(name.bytesBelow)
            if carries { unsafe rows[place].carriers += weight }
            unsafe rows[place].names.add(name.hashBelow(bytes))
        }
    }

    /// The row of a client and a domain; the one that says least makes room for it where there is none.
    private mutating func find(_ client: Address, _ family: Family, _ hash: UInt64) -> Int {
        let home = fold(client.low ^ hash, client.high &+ 0x9E37_79B9_7F4A_7C15)
        var least = Int(home & UInt64(Self.slots - 1))
        for probe in 0..<UInt64(Self.probes) {
            let place = Int((home &+ probe) & UInt64(Self.slots - 1))
            if unsafe stamps[place] != stamp { return start(client, family, hash, at: place) }
            let isSame =
                unsafe rows[place].hash == hash && rows[place].client == client && rows[place].family == family
            if isSame { return place }
            if unsafe rows[place].weight < rows[least].weight { least = place }
        }
        missed &+= unsafe UInt64(rows[least].queries)
        return start(client, family, hash, at: least)
    }

    private mutating func start(_ client: Address, _ family: Family, _ hash: UInt64, at place: Int) -> Int {
        unsafe (rows + place).initialize(to: DomainQueries(client: client, family, hash: hash))
        unsafe stamps[place] = stamp
        isEmpty = false
        return place
    }

    /// Hands over what was counted, and begins the next window.
    mutating func drain(into observation: inout Observation) {
        if isEmpty { return }
        for place in 0..<Self.slots where unsafe stamps[place] == stamp {
            observation.domains.append(unsafe rows[place])
        }
        observation.missed.questions &+= missed
        (missed, isEmpty) = (0, true)
        stamp &+= 1
    }
}

extension DomainQueries {
    /// Bytes that may have been carried: by this, rows make room.
    fileprivate var weight: Double { nameBytes + carrierBytes }
}

extension UInt16 {
    /// Whether records of this type hold what their owner likes: those that iodine, dns2tcp and dnscat2 use, but addresses.
    fileprivate var carriesAnything: Bool {
        switch self {
        case DNSMessage.RecordType.cname, DNSMessage.RecordType.null, DNSMessage.RecordType.mailExchange,
            DNSMessage.RecordType.text, DNSMessage.RecordType.key, DNSMessage.RecordType.service,
            DNSMessage.RecordType.spf, DNSMessage.RecordType.privateUse:
            true
        default: false
        }
    }
}
