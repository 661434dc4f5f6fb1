import Capture
import Glibc
import Linux
import Support
import Synchronization
import Testing

/// A ring on a veth pair, with frames of the test's own making.
@Suite(.enabled(if: geteuid() == 0, "needs root"), .serialized)
struct RingTests {
    /// Local experimental EtherType, then a number to know the frame by, then filling to `size`.
    static func frame(_ number: UInt32, size: Int = 60) -> [UInt8] {
        var bytes: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]
        bytes += (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
        return bytes + [UInt8](repeating: 0xee, count: size - bytes.count)
    }

    /// The number of one of our frames; nil for another's.
    static func number(_ bytes: RawSpan) -> UInt32? {
        let bytes = copy(bytes)
        guard bytes.count >= 18, bytes[12] == 0x88, bytes[13] == 0xb5 else { return nil }
        return bytes[14..<18].reduce(0) { $0 << 8 | UInt32($1) }
    }

    static func open(
        _ interface: String,
        blocks: Int = 16,
        filter: Int32? = nil,
        group: FanoutGroup? = nil
    ) throws(SystemError) -> Ring {
        var geometry = RingGeometry(blockSize: 64 << 10, blockCount: blocks)
        let index = try VethPair.index(of: interface)
        if let filter {
            let program = try Descriptor.filter(keeping: filter)
            let socket = try PacketSocket(interface: index, geometry: &geometry, filter: program.rawValue, group: group)
            return try Ring(socket, geometry: geometry)
        }
        let socket = try PacketSocket(interface: index, geometry: &geometry, filter: nil, group: group)
        return try Ring(socket, geometry: geometry)
    }

    /// Walks until nothing came for 300 ms, five times the time after which the kernel hands over a block.
    static func drain(_ ring: inout Ring, _ body: (FrameInfo, RawSpan) -> Void) throws(SystemError) {
        var poller = Poller()
        _ = poller.add(ring.socket.descriptor)
        var none: Void = ()
        while try poller.wait(milliseconds: 300) > 0 || ring.fill > 0 {
            if ring.walk(atMost: 100, into: &none, { _, info, bytes in body(info, bytes) }) == 0 {
                _ = try ring.socket.interfaceState()
            }
        }
    }

    @Test func framesArriveWholeInOrderAndStamped() throws {
        try VethPair.with {
            var ring = try Self.open(VethPair.far)
            let frames = (UInt32(0)..<500).map { Self.frame($0, size: 60 + Int($0) * 2) }
            let sender = try FrameSender(interface: VethPair.near, frames: frames)
            let before = Clock.realtime.now()
            try sender.send(500)
            let after = Clock.realtime.now()
            var next = 0
            var last: Int64 = 0
            try Self.drain(&ring) { info, bytes in
                guard next < 500 else { return }
                #expect(copy(bytes) == frames[next])
                #expect(info.wireLength == UInt32(frames[next].count))
                #expect(info.time >= before && info.time <= after && info.time >= last)
                #expect(info.direction == .incoming && info.link == .ethernet)
                #expect(info.tag == nil && info.segmentation == .none && info.segmentSize == 0)
                last = info.time
                next += 1
            }
            #expect(next == 500)
            try ring.updateStatistics()
            #expect(ring.statistics == RingStatistics(frames: 500, dropped: 0, freezes: 0))
            #expect(ring.frames == 500)
            #expect(ring.malformedBlocks == 0)
        }
    }

    @Test func whatTheHostSendsIsOutgoing() throws {
        try VethPair.with {
            var ring = try Self.open(VethPair.near)
            try FrameSender(interface: VethPair.near, frames: [Self.frame(1)]).send(3)
            var directions: [FrameInfo.Direction] = []
            try Self.drain(&ring) { info, _ in directions.append(info.direction) }
            #expect(directions == [.outgoing, .outgoing, .outgoing])
        }
    }

    @Test(arguments: [UInt16(0x8100), 0x88a8])
    func aStrippedTagIsTold(tpid: UInt16) throws {
        try VethPair.with {
            var ring = try Self.open(VethPair.far)
            let plain = Self.frame(7)
            let tag = [UInt8(tpid >> 8), UInt8(tpid & 0xff), 0xa0, 0x2a]  // priority 5, number 42
            let inner: [UInt8] = [0x81, 0x00, 0x00, 0x07]
            let sender = try FrameSender(
                interface: VethPair.near,
                frames: [
                    Array(plain[..<12]) + tag + plain[12...],
                    Array(plain[..<12]) + tag + inner + plain[12...],
                    plain,
                ]
            )
            try sender.send(3)
            var seen: [Seen] = []
            try Self.drain(&ring) { info, bytes in seen.append(Seen(info: info, bytes: copy(bytes))) }
            let told = VLANTag(protocolID: tpid, control: 0xa02a)
            #expect(told.number == 42)
            #expect(seen.map(\.info.tag) == [told, told, nil])
            #expect(seen.map(\.info.wireLength) == [60, 64, 60])
            // The outer tag is gone from the bytes, the inner one stands there.
            #expect(seen.map(\.bytes) == [plain, Array(plain[..<12]) + inner + plain[12...], plain])
        }
    }

    @Test func aFilterCutsFrames() throws {
        try VethPair.with {
            var ring = try Self.open(VethPair.far, filter: 20)
            try FrameSender(interface: VethPair.near, frames: [Self.frame(9, size: 1000)]).send(2)
            var seen: [Seen] = []
            try Self.drain(&ring) { info, bytes in seen.append(Seen(info: info, bytes: copy(bytes))) }
            #expect(seen.map(\.bytes) == [Array(Self.frame(9)[..<20]), Array(Self.frame(9)[..<20])])
            #expect(seen.map(\.info.wireLength) == [1000, 1000])
        }
    }

    /// Overrun on purpose: what is lost is told to the frame, and what is kept is the oldest.
    @Test func theLedgerOfASleepingReaderIsExact() throws {
        try VethPair.with {
            var ring = try Self.open(VethPair.far, blocks: 4)
            let sent: UInt32 = 20_000
            let sender = try FrameSender(
                interface: VethPair.near,
                frames: (0..<sent).map { Self.frame($0, size: 256) }
            )
            #expect(ring.fill == 0)
            try sender.send(Int(sent))
            #expect(ring.fill == 1)
            var next: UInt32 = 0
            try Self.drain(&ring) { _, bytes in
                #expect(Self.number(bytes) == next)
                next += 1
            }
            #expect(ring.fill == 0)
            try ring.updateStatistics()
            #expect(ring.statistics.frames == UInt64(sent))
            #expect(ring.statistics.dropped == UInt64(sent) - ring.frames)
            #expect(ring.statistics.dropped > 0 && ring.frames > 0)
            #expect(ring.statistics.freezes > 0)
            #expect(ring.frames == UInt64(next))
            // It goes on without loss afterwards, and totals add up over several readings.
            try sender.send(100)
            try Self.drain(&ring) { _, _ in }
            try ring.updateStatistics()
            #expect(ring.statistics.frames == UInt64(sent) + 100)
            #expect(ring.statistics.frames == ring.statistics.dropped + ring.frames)
        }
    }

    @Test func theLedgerOfAReaderUnderLoadIsExact() throws {
        try VethPair.with {
            var ring = try Self.open(VethPair.far, blocks: 32)
            let sent: UInt32 = 300_000
            let isDone = Flag()
            let sender = try FrameSender(interface: VethPair.near, frames: (0..<64).map { Self.frame($0) })
            let worker = try Worker(name: "sender", owning: sender) { (sender: consuming FrameSender) in
                do { try sender.send(Int(sent)) } catch { Issue.record(error) }
                isDone.set()
            }
            var poller = Poller()
            _ = poller.add(ring.socket.descriptor)
            var bytes = 0
            while !isDone.isSet {
                try poller.wait(milliseconds: 50)
                ring.walk(atMost: 8, into: &bytes) { bytes, _, span in bytes += span.byteCount }
            }
            worker.join()
            try Self.drain(&ring) { _, span in bytes += span.byteCount }
            try ring.updateStatistics()
            #expect(ring.statistics.frames == UInt64(sent))
            #expect(ring.statistics.frames == ring.statistics.dropped + ring.frames)
            #expect(bytes == Int(ring.frames) * 60)
        }
    }

    /// Frames that pass while a ring is opened never get around its filter.
    @Test func nothingArrivesBeforeTheFilter() throws {
        try VethPair.with {
            let isDone = Flag()
            let sender = try FrameSender(interface: VethPair.near, frames: [Self.frame(1)])
            let worker = try Worker(name: "sender", owning: sender) { (sender: consuming FrameSender) in
                do { while !isDone.isSet { try sender.send(64) } } catch { Issue.record(error) }
            }
            defer { isDone.set() }
            for _ in 0..<40 {
                var closed = try Self.open(VethPair.far, blocks: 4, filter: 0)
                // The traffic is there: a ring opened at the same time sees it.
                var open = try Self.open(VethPair.far, blocks: 4)
                var poller = Poller()
                _ = poller.add(open.socket.descriptor)
                try poller.wait(milliseconds: 1000)
                try open.updateStatistics()
                #expect(open.statistics.frames > 0)
                try closed.updateStatistics()
                #expect(closed.statistics == RingStatistics())
                #expect(closed.fill == 0)
            }
            isDone.set()
            worker.join()
        }
    }

    @Test func twoRingsTellOneTime() throws {
        try VethPair.with {
            var first = try Self.open(VethPair.far)
            var second = try Self.open(VethPair.far)
            try FrameSender(interface: VethPair.near, frames: (0..<64).map { Self.frame($0) }).send(64)
            var times: [[Int64]] = [[], []]
            try Self.drain(&first) { info, _ in times[0].append(info.time) }
            try Self.drain(&second) { info, _ in times[1].append(info.time) }
            #expect(times[0].count == 64)
            #expect(times[0] == times[1])
        }
    }

    /// Both directions of each flow reach one ring, and every frame exactly one ring.
    @Test func aGroupKeepsFlowsTogether() throws {
        try VethPair.with {
            var first = try Self.open(VethPair.far, group: .new)
            var second = try Self.open(VethPair.far, group: first.socket.fanoutGroup())
            let flows = 200
            let frames: [[UInt8]] = (0..<flows).flatMap { (flow: Int) -> [[UInt8]] in
                let client = "198.18.0.\(flow % 250 + 1)"
                let port = UInt16(1024 + flow * 7)
                let out = PacketBuilder().ethernet().ipv4(from: client, to: "198.18.1.1")
                let back = PacketBuilder().ethernet().ipv4(from: "198.18.1.1", to: client)
                return [
                    out.udp(from: port, to: 53).payload([UInt8(flow), 0]).bytes,
                    back.udp(from: 53, to: port).payload([UInt8(flow), 1]).bytes,
                    out.tcp(from: port, to: 443, flags: [.syn]).payload([UInt8(flow), 2]).bytes,
                    back.tcp(from: 443, to: port, flags: [.syn, .ack]).payload([UInt8(flow), 3]).bytes,
                ]
            }
            try FrameSender(interface: VethPair.near, frames: frames).send(frames.count)
            var rings: [[UInt8]: [Int]] = [:]
            for ring in 0..<2 {
                let body = { (_: FrameInfo, bytes: RawSpan) in
                    let bytes = copy(bytes)
                    guard bytes.count >= 44, bytes[12] == 8 else { return }
                    // Protocol and the flow's number: the key both directions share.
                    let payload = bytes[23] == 17 ? 42 : 54
                    rings[[bytes[23], bytes[payload]], default: []].append(ring)
                }
                if ring == 0 { try Self.drain(&first, body) } else { try Self.drain(&second, body) }
            }
            #expect(rings.count == 2 * flows)
            for (key, rings) in rings {
                #expect(rings == [0, 0] || rings == [1, 1], "flow \(key)")
            }
            let share = rings.values.filter { $0 == [0, 0] }.count
            #expect(share > flows / 2 && share < 2 * flows - flows / 2)
        }
    }

    /// A flow of its own for each number, so that a group has something to share.
    static func numberedDatagram(_ number: Int) -> [UInt8] {
        let (high, low) = (UInt8(number >> 8 & 0xff), UInt8(number & 0xff))
        return PacketBuilder().ethernet()
            .ipv4(from: "198.18.\(high).\(low)", to: "198.18.1.1")
            .udp(from: UInt16(number), to: 9)
            .payload([0, UInt8(number >> 16), high, low]).bytes
    }

    /// A ring that joins a group under traffic sees no frame that another of the group has seen.
    @Test func joiningAGroupSeesNothingTwice() throws {
        try VethPair.with {
            let isDone = Flag()
            let sender = try FrameSender(
                interface: VethPair.near,
                frames: (0..<60_000).map(Self.numberedDatagram)
            )
            let worker = try Worker(name: "sender", owning: sender) { (sender: consuming FrameSender) in
                do { try sender.send(60_000) } catch { Issue.record(error) }
                isDone.set()
            }
            var first = try Self.open(VethPair.far, blocks: 128, group: .new)
            var second = try Self.open(VethPair.far, blocks: 128, group: first.socket.fanoutGroup())
            worker.join()
            var seen = [UInt8](repeating: 0, count: 60_000)
            let body = { (_: FrameInfo, bytes: RawSpan) in
                let bytes = copy(bytes)
                seen[bytes[42..<46].reduce(0) { $0 << 8 | Int($1) }] += 1
            }
            try Self.drain(&first, body)
            try Self.drain(&second, body)
            #expect(first.frames > 0 && second.frames > 0)
            #expect(!seen.contains { $0 > 1 })
        }
    }

    @Test func downAndUpIsToldAndSurvived() throws {
        try VethPair.with {
            var ring = try Self.open(VethPair.far)
            var poller = Poller()
            let place = poller.add(ring.socket.descriptor)
            #expect(try ring.socket.interfaceState() == .up)
            try VethPair.ip("link set far down")
            #expect(try poller.wait(milliseconds: 1000) == 1)
            #expect(poller[place].hasFailed)
            #expect(try ring.socket.interfaceState() == .down)
            // Read once, the error is gone: waiting does not spin.
            #expect(try poller.wait(milliseconds: 100) == 0)
            #expect(try ring.socket.interfaceState() == .down)
            try VethPair.ip("link set far up")
            #expect(try ring.socket.interfaceState() == .up)
            try FrameSender(interface: VethPair.near, frames: [Self.frame(5)]).send(10)
            var numbers: [UInt32?] = []
            try Self.drain(&ring) { _, bytes in numbers.append(Self.number(bytes)) }
            #expect(numbers.compactMap { $0 } == [UInt32](repeating: 5, count: 10))
        }
    }

    @Test func aRenamedInterfaceStaysWatched() throws {
        try VethPair.with {
            var ring = try Self.open(VethPair.far)
            try VethPair.ip("link set far down")
            try VethPair.ip("link set far name other")
            try VethPair.ip("link set other up")
            #expect(try ring.socket.interfaceState() == .up)
            try FrameSender(interface: VethPair.near, frames: [Self.frame(5)]).send(10)
            var count = 0
            try Self.drain(&ring) { _, bytes in count += Self.number(bytes) == 5 ? 1 : 0 }
            #expect(count == 10)
        }
    }

    @Test func aDeletedInterfaceIsGoneForGood() throws {
        try VethPair.with {
            var ring = try Self.open(VethPair.far)
            var poller = Poller()
            _ = poller.add(ring.socket.descriptor)
            try VethPair.ip("link del near")
            #expect(try ring.socket.interfaceState() == .gone)
            // The name returns; this socket stays blind and says so, a new one sees.
            try VethPair.add()
            #expect(try ring.socket.interfaceState() == .gone)
            #expect(try poller.wait(milliseconds: 100) == 0)
            var again = try Self.open(VethPair.far)
            try FrameSender(interface: VethPair.near, frames: [Self.frame(5)]).send(10)
            try Self.drain(&ring) { _, _ in }
            var count = 0
            try Self.drain(&again) { _, bytes in count += Self.number(bytes) == 5 ? 1 : 0 }
            #expect(ring.frames == 0)
            #expect(count == 10)
        }
    }

    @Test func openingWithoutAnInterfaceIsAnError() throws {
        try VethPair.with {
            var geometry = RingGeometry(blockSize: 64 << 10, blockCount: 4)
            #expect(throws: SystemError("bind(AF_PACKET, interface 4711)", Errno(rawValue: ENODEV))) {
                _ = try PacketSocket(interface: 4711, geometry: &geometry, filter: nil).release().rawValue
            }
            #expect(throws: SystemError("bind(interface 0)", Errno(rawValue: ENODEV))) {
                _ = try PacketSocket(interface: 0, geometry: &geometry, filter: nil).release().rawValue
            }
        }
    }

    /// The socket crosses as a mere descriptor, as from a process that has the right to open it.
    @Test func aRingWorksOverAHandedDescriptor() throws {
        try VethPair.with {
            var geometry = RingGeometry(blockSize: 64 << 10, blockCount: 4)
            let socket = try PacketSocket(
                interface: VethPair.index(of: VethPair.far),
                geometry: &geometry,
                filter: nil
            )
            let handed = try socket.release().duplicate()
            var ring = try Ring(PacketSocket(owning: handed), geometry: geometry)
            try FrameSender(interface: VethPair.near, frames: [Self.frame(5)]).send(10)
            var count = 0
            try Self.drain(&ring) { _, bytes in count += Self.number(bytes) == 5 ? 1 : 0 }
            #expect(count == 10)
            try ring.updateStatistics()
            #expect(ring.statistics.frames == 10)
        }
    }

    /// TCP over `lo`: frames larger than a packet tell how they are to be cut, and every frame comes out and in.
    @Test func segmentedFramesAreToldAndLoShowsFramesTwice() throws {
        try VethPair.with {
            var ring = try Self.open("lo", blocks: 64)
            try sendOverLoopback(bytes: 1 << 20)
            var counts: [FrameInfo.Direction: Int] = [:]
            var segmented = 0
            try Self.drain(&ring) { info, bytes in
                counts[info.direction, default: 0] += 1
                if info.wireLength > 65_550 { Issue.record("a frame of \(info.wireLength) bytes") }
                if info.segmentation != .none {
                    segmented += 1
                    #expect(info.segmentation == .tcpv4)
                    #expect(info.segmentSize > 500 && UInt32(info.segmentSize) < info.wireLength)
                }
            }
            #expect(segmented > 0)
            #expect(counts[.outgoing] ?? 0 > 0)
            #expect(counts[.outgoing] == counts[.incoming])
        }
    }
}

/// True once and for ever.
final class Flag: Sendable {
    private let value = Atomic(false)
    func set() { value.store(true, ordering: .releasing) }
    var isSet: Bool { value.load(ordering: .acquiring) }
}

/// Moves bytes through a TCP connection of this namespace's `lo`.
private func sendOverLoopback(bytes total: Int) throws {
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let listener = Descriptor(owning: try check("socket") { socket(AF_INET, kind, 0) })
    let client = Descriptor(owning: try check("socket") { socket(AF_INET, kind, 0) })
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(4711).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = Int32(1000)
    // An MSS below the MTU of lo, so that what TCP hands down must be cut.
    _ = unsafe setsockopt(client.rawValue, Int32(IPPROTO_TCP), TCP_MAXSEG, &size, 4)
    _ = unsafe setsockopt(listener.rawValue, Int32(IPPROTO_TCP), TCP_MAXSEG, &size, 4)
    let (server, number) = (listener.rawValue, client.rawValue)
    try unsafe withUnsafePointer(to: &address) { address in
        try unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            try check("bind") { unsafe bind(server, address, size) }
            try check("listen") { listen(server, 1) }
            try check("connect") { unsafe connect(number, address, size) }
        }
    }
    let accepted = Descriptor(owning: try check("accept") { accept(server, nil, nil) })
    let reader = try Worker(name: "reader", owning: accepted) { (accepted: consuming Descriptor) in
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while unsafe read(accepted.rawValue, &buffer, buffer.count) > 0 {}
    }
    let chunk = [UInt8](repeating: 7, count: 1 << 16)
    var sent = 0
    while sent < total {
        sent += try check("write") { unsafe write(number, chunk, chunk.count) }
    }
    shutdown(number, Int32(SHUT_WR))
    reader.join()
}
