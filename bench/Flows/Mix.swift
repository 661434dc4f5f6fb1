import Glibc
import Support

/// A capture with the Internet's proportions, the same bytes from the same seed: classic pcap in microseconds, Ethernet.
///
/// Of the flows 66 % are TCP with handshake, data and FIN, 26 % UDP, 6 % probes of one SYN, half of them answered with RST,
/// 2 % pings; 18 % are IPv6, 3 % carry a VLAN tag; now and then an ARP request. Sizes of flows follow a bounded Pareto law:
/// most last for less than a second, some until the end. Payloads are TLS, HTTP, DNS, random bytes, text, base64 and
/// zeros. Checksums, lengths and sequence numbers are right. Addresses are from 10.0.0.0/8, 198.18.0.0/15 (RFC 2544) and
/// 2001:db8::/32 (RFC 3849).
struct Mix {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private enum Content: UInt8 {
        case none, random, text, base64, zeros, record, hello, request, response, query, answer, ping, arp
    }

    private struct Event {
        /// Microseconds since the capture's start.
        var time: Int64
        var flow: UInt32
        var length: UInt16 = 0
        var flags: UInt8 = 0
        var content = Content.none
        var isForward = true
    }

    private struct Flow {
        var isIPv6: Bool
        var vlan: UInt16
        var client: [UInt8]
        var server: [UInt8]
        var mac: UInt16
        var clientPort: UInt16
        var serverPort: UInt16
        /// 6, 17; 1 for pings, whatever the family.
        var kind: UInt8
        var sequences: [2 of UInt32]
        var number: UInt16 = 0
    }

    static let seconds = 120.0
    private static let start: UInt32 = 1_760_000_000

    let flowCount: Int
    private(set) var tcp = 0
    private(set) var udp = 0
    private(set) var pings = 0
    private(set) var probes = 0
    private(set) var ipv6 = 0
    private(set) var arp = 0
    private(set) var tagged = 0
    private(set) var bytes = 0
    /// Frames of up to 128 bytes, 512, 1,024, and more.
    private(set) var sizes = [0, 0, 0, 0]

    private var random: SeededGenerator
    private var flows: [Flow] = []
    private var events: [Event] = []
    private var pools: [Content: [UInt8]] = [:]
    private var identification: UInt16 = 0
    private var frame: [UInt8] = []

    var packets: Int { events.count }

    /// - Parameter packets: about how many in all.
    init(packets: Int = 1_200_000, flows flowCount: Int = 80_000, seed: UInt64 = 7) {
        self.flowCount = flowCount
        random = SeededGenerator(seed: seed)
        fillPools()
        var clients: [[UInt8]] = []
        var servers: [[UInt8]] = []
        for _ in 0..<8000 { clients.append([10, UInt8(pick(4)), UInt8(pick(256)), UInt8(1 + pick(254))]) }
        for _ in 0..<4000 { servers.append([198, 18, UInt8(pick(256)), UInt8(1 + pick(254))]) }
        let clients6 = (0..<3000).map { _ in address6(2) }
        let servers6 = (0..<1500).map { _ in address6(1) }
        let raw = (0..<flowCount).map { _ in min(20_000, pow(1 - share(), -1 / 1.15)) }
        let scale = max(0.05, (Double(packets) - 1.6 * Double(flowCount)) / raw.reduce(0, +))
        flows.reserveCapacity(flowCount)
        events.reserveCapacity(packets)
        for number in 0..<flowCount {
            let isIPv6 = share() < 0.18
            flows.append(
                Flow(
                    isIPv6: isIPv6,
                    vlan: share() < 0.03 ? UInt16(100 + pick(4)) : 0,
                    client: isIPv6 ? clients6[pick(3000)] : clients[pick(8000)],
                    server: isIPv6 ? servers6[pick(1500)] : servers[pick(4000)],
                    mac: UInt16(pick(4096)),
                    clientPort: UInt16(1024 + pick(64_512)),
                    serverPort: 443,
                    kind: 6,
                    sequences: [UInt32(truncatingIfNeeded: random.next()), UInt32(truncatingIfNeeded: random.next())]
                )
            )
            ipv6 += isIPv6 ? 1 : 0
            plan(UInt32(number), at: share() * Self.seconds * 0.97, packets: Int(raw[number] * scale))
        }
        // Events of one time stay in the order in which they were planned.
        let order = events.indices.sorted { (events[$0].time, $0) < (events[$1].time, $1) }
        events = order.map { events[$0] }
    }

    private mutating func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }

    /// 0 ..< 1.
    private mutating func share() -> Double { Double.random(in: 0..<1, using: &random) }

    private mutating func address6(_ net: UInt8) -> [UInt8] {
        [0x20, 0x01, 0x0D, 0xB8, 0, net] + (0..<10).map { _ in UInt8(pick(256)) }
    }

    private mutating func fillPools() {
        let size = 1 << 20
        pools[.random] = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next() >> 32) }
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        pools[.base64] = (0..<size).map { _ in letters[pick(64)] }
        let words = [
            "error", "info", "user", "session", "login", "failed", "accepted", "GET", "POST", "HTTP/1.1", "200", "404",
            "index", "html", "static", "timeout", "kernel", "service", "started", "connection", "from", "address",
        ]
        var text: [UInt8] = []
        while text.count < size { text += Array((words[pick(words.count)] + " ").utf8) }
        pools[.text] = text
        pools[.zeros] = [UInt8](repeating: 0, count: size)
    }
}

// MARK: - What is sent when

extension Mix {
    /// Payload of one packet, in bytes.
    private mutating func segment() -> Int {
        let law = share()
        return law < 0.30 ? 1 + pick(119) : law < 0.70 ? 420 + pick(220) : 1428
    }

    private mutating func send(
        _ flow: UInt32,
        _ seconds: Double,
        _ content: Content = .none,
        _ length: Int = 0,
        flags: UInt8 = 0,
        isForward: Bool = true
    ) {
        events.append(
            Event(
                time: Int64(min(seconds, Self.seconds) * 1e6),
                flow: flow,
                length: UInt16(length),
                flags: flags,
                content: content,
                isForward: isForward
            )
        )
    }

    private mutating func plan(_ flow: UInt32, at start: Double, packets: Int) {
        let roundTrip = 0.0005 + share() * 0.0795
        switch share() {
        case ..<0.06:
            probes += 1
            flows[Int(flow)].serverPort = UInt16(1 + pick(9999))
            send(flow, start, flags: 0x02)
            if share() < 0.5 { send(flow, start + roundTrip, flags: 0x14, isForward: false) }
        case ..<0.72:
            tcp += 1
            planConnection(flow, start, roundTrip, packets)
        case ..<0.98:
            udp += 1
            flows[Int(flow)].kind = 17
            planDatagrams(flow, start, roundTrip, packets)
        default:
            pings += 1
            flows[Int(flow)].kind = 1
            for number in 0...min(packets, 30) {
                send(flow, start + Double(number), .ping, 56)
                send(flow, start + Double(number) + roundTrip, .ping, 56, isForward: false)
            }
        }
        if flow % 4300 == 0 {
            arp += 1
            send(flow, start, .arp)
        }
    }

    private mutating func planConnection(_ flow: UInt32, _ start: Double, _ roundTrip: Double, _ packets: Int) {
        var content = Content.record
        let kind = share()
        if kind >= 0.80 {
            let ports: [UInt16] = [22, 25, 53, 3306, 6379, 5432, 8080, 8443, 9200, 27017]
            flows[Int(flow)].serverPort = ports[pick(ports.count)]
            content = [.random, .text, .base64, .zeros][pick(4)]
        } else if kind >= 0.55 {
            flows[Int(flow)].serverPort = 80
            content = [.text, .text, .base64, .random][pick(4)]
        }
        send(flow, start, flags: 0x02)
        send(flow, start + roundTrip, flags: 0x12, isForward: false)
        var time = start + 1.1 * roundTrip
        send(flow, time, flags: 0x10)
        let gap = min(-0.05 * log(1 - share()), (Self.seconds - time) / Double(packets + 4))
        var rest = packets
        while rest > 0 {
            time = min(time + gap * (0.2 + 1.6 * share()), Self.seconds - 0.01)
            if rest == packets {
                let first: Content = kind < 0.55 ? .hello : kind < 0.80 ? .request : content
                send(flow, time, first, first == content ? segment() : 0, flags: 0x18)
                if first == .request, rest > 1 {
                    send(flow, time + roundTrip, .response, 100 + pick(900), flags: 0x18, isForward: false)
                    rest -= 1
                }
            } else if share() < 0.36 {
                send(flow, time, flags: 0x10)
            } else {
                send(flow, time, content, segment(), flags: 0x18, isForward: share() < 0.25)
            }
            rest -= 1
        }
        guard share() < 0.85, time + roundTrip < Self.seconds else { return }
        send(flow, time + 0.001, flags: 0x11)
        send(flow, time + 0.001 + roundTrip, flags: 0x11, isForward: false)
        send(flow, time + 0.002 + roundTrip, flags: 0x10)
    }

    private mutating func planDatagrams(_ flow: UInt32, _ start: Double, _ roundTrip: Double, _ packets: Int) {
        var time = start
        if share() < 0.6 || packets < 2 {
            flows[Int(flow)].serverPort = 53
            send(flow, time, .query)
            send(flow, time + roundTrip, .answer, isForward: false)
            for _ in 0..<max(0, min(packets, 6) - 2) {
                time += 0.2
                send(flow, time, .query)
            }
            return
        }
        let ports: [UInt16] = [443, 443, 123, 5060, 4500, 51820, 1194]
        flows[Int(flow)].serverPort = ports[pick(ports.count)]
        let gap = min(-0.05 * log(1 - share()), (Self.seconds - time) / Double(packets + 2))
        for _ in 0..<packets {
            time += gap * (0.2 + 1.6 * share())
            send(flow, time, .random, min(1200, segment()), isForward: share() < 0.4)
        }
    }
}

// MARK: - Frames

extension Mix {
    /// Writes the capture, anew.
    mutating func write(to path: String) throws {
        guard let file = unsafe fopen(path, "we") else { throw Failure(description: "cannot write \(path): \(errno)") }
        var header = ByteWriter()
        for word: UInt32 in [0xA1B2_C3D4, 4 << 16 | 2, 0, 0, 65_535, 1] { header.put(word) }
        var isWritten = unsafe fwrite(header.bytes, header.bytes.count, 1, file) == 1
        var record: [UInt8] = []
        for event in events {
            build(event)
            var lengths = ByteWriter()
            lengths.put(Self.start + UInt32(event.time / 1_000_000))
            lengths.put(UInt32(event.time % 1_000_000))
            lengths.put(UInt32(frame.count))
            lengths.put(UInt32(frame.count))
            record.removeAll(keepingCapacity: true)
            record += lengths.bytes
            record += frame
            isWritten = unsafe isWritten && fwrite(record, record.count, 1, file) == 1
            bytes += frame.count
            sizes[frame.count <= 128 ? 0 : frame.count <= 512 ? 1 : frame.count <= 1024 ? 2 : 3] += 1
        }
        guard unsafe fclose(file) == 0, isWritten else {
            throw Failure(description: "cannot write \(path): \(errno)")
        }
    }

    private mutating func put(_ value: UInt16) {
        frame.append(UInt8(value >> 8))
        frame.append(UInt8(value & 0xFF))
    }

    private mutating func put(_ value: UInt32) {
        put(UInt16(value >> 16))
        put(UInt16(value & 0xFFFF))
    }

    private mutating func build(_ event: Event) {
        let flow = flows[Int(event.flow)]
        frame.removeAll(keepingCapacity: true)
        if event.content == .arp { return buildARP(flow) }
        let macs: [[UInt8]] = [
            [2, 0, 0, 0, UInt8(flow.mac >> 8), UInt8(flow.mac & 0xFF)], [2, 0, 0, 1, 0, 1],
        ]
        frame += macs[event.isForward ? 1 : 0] + macs[event.isForward ? 0 : 1]
        if flow.vlan != 0 {
            put(UInt16(0x8100))
            put(flow.vlan)
            tagged += 1
        }
        put(UInt16(flow.isIPv6 ? 0x86DD : 0x0800))
        let ip = frame.count
        let number = flow.kind == 1 && flow.isIPv6 ? 58 : flow.kind
        let (source, destination) = event.isForward ? (flow.client, flow.server) : (flow.server, flow.client)
        if flow.isIPv6 {
            put(UInt32(0x6000_0000))
            put(UInt16(0))
            frame += [number, 64]
        } else {
            identification &+= 1
            put(UInt16(0x4500))
            put(UInt16(0))
            put(identification)
            frame += [0x40, 0, event.isForward ? 64 : 57, number, 0, 0]
        }
        frame += source
        frame += destination
        let transport = frame.count
        switch flow.kind {
        case 6: buildTCP(event)
        case 17: buildUDP(event)
        default: buildPing(event)
        }
        let length = frame.count - transport
        set(UInt16(flow.isIPv6 ? length : frame.count - ip), at: flow.isIPv6 ? ip + 4 : ip + 2)
        if flow.kind == 17 { set(UInt16(length), at: transport + 4) }
        // The addresses stand right before the transport header; an IPv4 ping has no pseudo header.
        let isBare = flow.kind == 1 && !flow.isIPv6
        let sum = checksum(
            from: isBare ? transport : transport - (flow.isIPv6 ? 32 : 8),
            plus: isBare ? 0 : UInt64(number) + UInt64(length)
        )
        let place = flow.kind == 6 ? 16 : flow.kind == 17 ? 6 : 2
        set(sum == 0 && flow.kind == 17 ? 0xFFFF : sum, at: transport + place)
        if !flow.isIPv6 { set(checksum(from: ip, to: transport), at: ip + 10) }
        while frame.count < 60 { frame.append(0) }
    }

    private mutating func set(_ value: UInt16, at place: Int) {
        frame[place] = UInt8(value >> 8)
        frame[place + 1] = UInt8(value & 0xFF)
    }

    /// RFC 1071.
    private func checksum(from start: Int, to end: Int? = nil, plus other: UInt64 = 0) -> UInt16 {
        let end = end ?? frame.count
        var sum = other
        var place = start
        while place + 1 < end {
            sum += UInt64(frame[place]) << 8 | UInt64(frame[place + 1])
            place += 2
        }
        if place < end { sum += UInt64(frame[place]) << 8 }
        while sum >> 16 != 0 { sum = sum & 0xFFFF + sum >> 16 }
        return ~UInt16(sum)
    }

    private mutating func buildARP(_ flow: Flow) {
        frame += [UInt8](repeating: 0xFF, count: 6) + [2, 0, 0, 0]
        put(flow.mac)
        frame += [0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1, 2, 0, 0, 0]
        put(flow.mac)
        frame += [10, 0, 0, 1] + [UInt8](repeating: 0, count: 6) + [10, 0, 0, 2]
        while frame.count < 60 { frame.append(0) }
    }

    private mutating func buildTCP(_ event: Event) {
        let flow = flows[Int(event.flow)]
        let side = event.isForward ? 0 : 1
        let milliseconds = UInt32(truncatingIfNeeded: event.time / 1000)
        put(event.isForward ? flow.clientPort : flow.serverPort)
        put(event.isForward ? flow.serverPort : flow.clientPort)
        put(flow.sequences[side])
        put(event.flags & 0x10 == 0 ? 0 : flow.sequences[1 - side])
        let (isSYN, isRST) = (event.flags & 2 != 0, event.flags & 4 != 0)
        frame += [isSYN ? 0xA0 : isRST ? 0x50 : 0x80, event.flags]
        put(UInt16(isSYN ? 64_240 : 501))
        put(UInt32(0))
        if isSYN {
            frame += [2, 4, 5, 0xB4, 4, 2, 8, 10]
            put(milliseconds)
            frame += [0, 0, 0, 0, 1, 3, 3, 7]
        } else if !isRST {
            frame += [1, 1, 8, 10]
            put(milliseconds)
            put(UInt32(1))
        }
        let header = frame.count
        buildPayload(event)
        let sent = UInt32(frame.count - header) + (event.flags & 3 == 0 ? 0 : 1)
        flows[Int(event.flow)].sequences[side] &+= sent
    }

    private mutating func buildUDP(_ event: Event) {
        let flow = flows[Int(event.flow)]
        put(event.isForward ? flow.clientPort : flow.serverPort)
        put(event.isForward ? flow.serverPort : flow.clientPort)
        put(UInt32(0))
        buildPayload(event)
    }

    private mutating func buildPing(_ event: Event) {
        let flow = flows[Int(event.flow)]
        let type: UInt8 = flow.isIPv6 ? (event.isForward ? 128 : 129) : event.isForward ? 8 : 0
        frame += [type, 0, 0, 0]
        put(flow.clientPort)
        put(flow.number)
        if !event.isForward { flows[Int(event.flow)].number &+= 1 }
        buildPayload(event)
    }

    private mutating func buildPayload(_ event: Event) {
        let length = Int(event.length)
        let host = "h\(event.flow % 2000).example.com"
        switch event.content {
        case .none, .arp: break
        case .random, .text, .base64, .zeros: fill(event.content, length)
        case .ping: fill(.text, length)
        case .record:
            if length >= 5 {
                frame += [23, 3, 3]
                put(UInt16(length - 5))
            }
            fill(.random, length >= 5 ? length - 5 : length)
        case .hello: buildHello(host)
        case .request:
            let id = String(random.next(), radix: 16)
            frame += Array("GET /\(id) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n\r\n".utf8)
        case .response:
            frame += Array("HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Length: \(length)\r\n\r\n".utf8)
            fill(.text, length)
        case .query, .answer: buildName(event, host)
        }
    }

    private mutating func fill(_ content: Content, _ count: Int) {
        guard let pool = pools[content], count > 0 else { return }
        let start = pick(pool.count - count)
        frame += pool[start..<start + count]
    }

    /// A TLS ClientHello (RFC 8446 section 4.1.2) with a server's name.
    private mutating func buildHello(_ host: String) {
        let name = Array(host.utf8)
        let extensions = 9 + name.count + 7
        let body = 2 + 32 + 33 + 8 + 2 + 2 + extensions
        frame += [22, 3, 1]
        put(UInt16(body + 4))
        frame += [1, 0]
        put(UInt16(body))
        frame += [3, 3]
        fill(.random, 32)
        frame.append(32)
        fill(.random, 32)
        frame += [0, 6, 0x13, 1, 0x13, 2, 0x13, 3, 1, 0]
        put(UInt16(extensions))
        frame += [0, 0]
        put(UInt16(name.count + 5))
        put(UInt16(name.count + 3))
        frame.append(0)
        put(UInt16(name.count))
        frame += name
        frame += [0, 43, 0, 3, 2, 3, 4]
    }

    /// A DNS question, and its answer (RFC 1035 section 4).
    private mutating func buildName(_ event: Event, _ host: String) {
        let isAnswer = event.content == .answer
        put(UInt16(truncatingIfNeeded: event.flow))
        frame += isAnswer ? [0x81, 0x80, 0, 1, 0, 1] : [1, 0, 0, 1, 0, 0]
        frame += [0, 0, 0, 0]
        // Now and then a name that carries data.
        let first = event.flow % 50 == 0 ? String(repeating: "7f3a9c1e", count: 6) + ".t." : ""
        for label in (first + host).split(separator: ".") {
            frame.append(UInt8(label.utf8.count))
            frame += Array(label.utf8)
        }
        frame += [0, 0, 1, 0, 1]
        if isAnswer { frame += [0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 0x2C, 0, 4, 198, 18, UInt8(pick(256)), 1] }
    }
}
