import Support

/// Frames of a few conversations with everything that may befall them, the same from the same seed.
struct RandomTraffic {
    private var generator: SeededGenerator
    private var time: Int64
    private(set) var frames: [CapturedFrame] = []
    /// Whether a frame of several packets may carry FIN.
    private let offloadsFIN: Bool

    private struct Talk {
        let kind: Int
        let number: Int
        let vlan: UInt16?
        let interface: UInt32
        /// One in how many TCP packets ends or opens something.
        let calm: UInt64
    }

    private var talks: [Talk] = []

    /// - Parameters:
    ///   - jumps: whether time goes back, and jumps by years.
    static func frames(seed: UInt64, count: Int, jumps: Bool = true, offloadsFIN: Bool = true) -> [CapturedFrame] {
        var traffic = RandomTraffic(seed: seed, offloadsFIN: offloadsFIN)
        while traffic.frames.count < count {
            traffic.wait(jumps: jumps)
            traffic.speak()
        }
        return traffic.frames
    }

    private init(seed: UInt64, offloadsFIN: Bool) {
        generator = SeededGenerator(seed: seed)
        self.offloadsFIN = offloadsFIN
        time = 1_700_000_000_000_000_000 + Int64(generator.next() >> 20)
        for number in 0..<16 {
            talks.append(
                Talk(
                    kind: number < 9 ? number : Int(generator.next() % 4),
                    number: number,
                    vlan: number % 5 == 4 ? UInt16(number) : nil,
                    interface: number % 7 == 6 ? 1 : 0,
                    calm: [3, 10, 60, 400][number % 4]
                )
            )
        }
    }

    private mutating func pick(_ range: Range<Int64>) -> Int64 { Int64.random(in: range, using: &generator) }

    private mutating func chance(_ oneIn: UInt64) -> Bool { generator.next() % oneIn == 0 }

    private mutating func wait(jumps: Bool) {
        let (millisecond, second, year) = (Int64(1_000_000), Int64(1_000_000_000), Int64(31_557_600_000_000_000))
        switch generator.next() % 1000 {
        case 0..<60: break
        case 60..<700: time += pick(0..<5 * millisecond)
        case 700..<860: time += pick(0..<500 * millisecond)
        case 860..<920: time += pick(800 * millisecond..<4 * second)
        case 920..<950: time += pick(4 * second..<12 * second)
        case 950..<958: time += pick(20 * second..<70 * second)
        case 958..<960: time += pick(100 * second..<400 * second)
        case 960..<962: time += jumps ? pick(-10 * year..<10 * year) : 0
        case 962..<990: time -= jumps ? pick(0..<3 * second) : 0
        default: time += second
        }
    }

    /// A packet, or a few in a row, of one conversation.
    private mutating func speak() {
        let talk = talks[Int(generator.next() % UInt64(talks.count))]
        let isBack = chance(3)
        guard chance(6) else { return say(talk, isBack: isBack, payload: Int(pick(0..<1400)) * Int(pick(0..<2))) }
        for _ in 0..<pick(3..<10) {
            say(talk, isBack: isBack, payload: Int(pick(1..<1400)))
            time += pick(0..<30_000_000)
            if chance(40) { say(talk, isBack: !isBack, payload: Int(pick(0..<2))) }
        }
    }

    private mutating func say(_ talk: Talk, isBack: Bool, payload: Int) {
        switch talk.kind {
        case 0...3 where chance(12): sayOffloaded(talk, isBack: isBack)
        case 4, 5: chance(4) ? sayFragments(talk, isBack: isBack) : put(datagram(talk, isBack, payload), talk)
        case 6: put(icmp(talk, isBack, payload), talk)
        case 7: put(sctp(talk, isBack, payload), talk)
        case 8: put(network(talk, isBack).payload(count: payload, ipProtocol: 50), talk)
        default: put(segment(talk, isBack, [UInt8](repeating: 0, count: payload), flags(talk)), talk)
        }
    }

    private mutating func flags(_ talk: Talk) -> PacketBuilder.Flags {
        guard chance(talk.calm) else { return chance(4) ? [.psh, .ack] : chance(30) ? [.ack, .urg] : .ack }
        let choice: [PacketBuilder.Flags] = [
            .syn, [.syn, .ack], [.fin, .ack], [.fin, .psh, .ack], .rst, [.rst, .ack], [.fin, .rst], [.syn, .ece, .cwr],
            [.ack, .ece], [.ack, .cwr, .psh], [], [.syn, .fin], [.syn, .rst], [.fin, .ack], [.fin, .ack], .syn,
        ]
        return choice[Int(generator.next() % UInt64(choice.count))]
    }

    private func network(_ talk: Talk, _ isBack: Bool, moreFragments: Bool = false, offset: UInt16 = 0, id: UInt16 = 1)
        -> PacketBuilder
    {
        var link = PacketBuilder().ethernet()
        if let vlan = talk.vlan { link = link.vlan(vlan) }
        if [1, 5].contains(talk.kind) {
            let (near, far) = ("2001:db8::\(talk.number + 1)", "2001:db8:ffff::9")
            return link.ipv6(from: isBack ? far : near, to: isBack ? near : far)
        }
        // One of them talks to itself.
        let (near, far) = ("10.0.0.\(talk.number + 1)", talk.kind == 2 ? "10.0.0.\(talk.number + 1)" : "9.0.0.9")
        return link.ipv4(
            from: isBack ? far : near,
            to: isBack ? near : far,
            identification: id,
            moreFragments: moreFragments,
            fragmentOffset: offset
        )
    }

    private func ports(_ talk: Talk, _ isBack: Bool) -> (UInt16, UInt16) {
        isBack ? (443, UInt16(5000 + talk.number)) : (UInt16(5000 + talk.number), 443)
    }

    private mutating func segment(_ talk: Talk, _ isBack: Bool, _ payload: [UInt8], _ flags: PacketBuilder.Flags)
        -> PacketBuilder
    {
        let (from, to) = ports(talk, isBack)
        let options = [UInt8](repeating: 1, count: chance(3) ? Int(pick(0..<40)) : 12)
        return network(talk, isBack).tcp(
            from: from,
            to: to,
            flags: flags,
            window: UInt16(truncatingIfNeeded: generator.next()),
            options: options,
            checksum: 0
        ).payload(payload)
    }

    private func datagram(_ talk: Talk, _ isBack: Bool, _ payload: Int) -> PacketBuilder {
        let (from, to) = ports(talk, isBack)
        return network(talk, isBack).udp(from: from, to: to).payload([UInt8](repeating: 7, count: payload))
    }

    private func icmp(_ talk: Talk, _ isBack: Bool, _ payload: Int) -> PacketBuilder {
        network(talk, isBack).icmp(type: isBack ? 0 : 8).payload([UInt8](repeating: 7, count: payload))
    }

    private func sctp(_ talk: Talk, _ isBack: Bool, _ payload: Int) -> PacketBuilder {
        let (from, to) = ports(talk, isBack)
        return network(talk, isBack).sctp(from: from, to: to).payload([UInt8](repeating: 7, count: payload))
    }

    /// Several packets in one frame, cut in the capture.
    private mutating func sayOffloaded(_ talk: Talk, isBack: Bool) {
        let size = chance(2) ? 1448 : 536
        let length = size * Int(pick(1..<6)) + Int(pick(0..<Int64(size)))
        let choice: [PacketBuilder.Flags] = [.ack, [.ack, .psh], [.ack, .ece], [.ack, .cwr], [.ack, .psh, .urg]]
        var flags = choice[Int(generator.next() % 5)]
        if offloadsFIN, chance(20) { flags.insert(.fin) }
        let builder = segment(talk, isBack, [UInt8](repeating: 0, count: length), flags)
        put(builder, talk, segmentSize: UInt16(size))
    }

    /// A datagram in pieces, which may come in any order or not at all.
    private mutating func sayFragments(_ talk: Talk, isBack: Bool) {
        let id = UInt16(truncatingIfNeeded: generator.next() % 50)
        let pieces = (0..<3).map { piece -> PacketBuilder in
            let isLast = piece == 2
            let content = [UInt8](repeating: 1, count: 80)
            let (from, to) = ports(talk, isBack)
            let isV6 = [1, 5].contains(talk.kind)
            var builder = network(talk, isBack, moreFragments: !isLast, offset: UInt16(11 * piece), id: id)
            if isV6 {
                builder = builder.ipv6Fragment(
                    offset: UInt16(11 * piece),
                    moreFragments: !isLast,
                    identification: UInt32(id),
                    nextHeader: 17
                )
            }
            return piece == 0
                ? builder.udp(from: from, to: to, length: 256).payload(content)
                : builder.payload(content, ipProtocol: 17)
        }
        if chance(3) {
            for piece in pieces.reversed() { put(piece, talk) }
        } else {
            for piece in pieces where !chance(10) { put(piece, talk) }
        }
    }

    private mutating func put(_ builder: PacketBuilder, _ talk: Talk, segmentSize: UInt16 = 0) {
        let whole = builder.bytes
        frames.append(
            CapturedFrame(
                bytes: Array(whole.prefix(200)),
                time: time,
                wireLength: whole.count,
                interface: talk.interface,
                segmentSize: segmentSize
            )
        )
    }
}
