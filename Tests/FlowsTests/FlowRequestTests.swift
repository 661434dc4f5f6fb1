import Packets
import Support
import Testing

@testable import Flows

@Suite struct FlowRequestTests {
    /// Segments of one connection's client, given as where they begin and what they hold, and what their flow tells of its
    /// request in the end.
    private func request(
        _ segments: [(UInt32, String)],
        hasSYN: Bool = true,
        snap: Int = .max,
        answersAfter answered: Int = .max
    ) throws -> FlowDigest {
        var settings = FlowSettings()
        settings.observes = true
        var tables = FlowTables(settings, map: ShardMap(seed: 0, workers: 1), worker: 0)
        var time: Int64 = 1_000_000_000
        func add(_ builder: PacketBuilder) {
            time += 1_000_000
            let frame = builder.bytes
            let bytes = Array(frame.prefix(snap))
            let span = unsafe bytes.span.bytes
            var packet = Packet(decoding: span, wireLength: frame.count)
            if tables.add(&packet, span, time: time, interface: 0) { tables.drain { _ in } }
        }
        let (client, server) = ("198.51.100.1", "192.0.2.1")
        let forward = PacketBuilder().ethernet().ipv4(from: client, to: server)
        let backward = PacketBuilder().ethernet().ipv4(from: server, to: client)
        if hasSYN {
            add(forward.tcp(from: 40_000, to: 80, flags: [.syn], sequence: 99))
            add(backward.tcp(from: 80, to: 40_000, flags: [.syn, .ack], sequence: 7))
        }
        for (number, segment) in segments.enumerated() {
            if number == answered { add(backward.tcp(from: 80, to: 40_000, flags: [.ack]).payload(count: 10)) }
            let tcp = forward.tcp(from: 40_000, to: 80, flags: [.psh, .ack], sequence: 100 + segment.0)
            add(tcp.payload(Array(segment.1.utf8)))
        }
        tables.stop()
        tables.drain { _ in }
        tables.endObservation()
        _ = tables.advance(to: time + 2_000_000_000)
        tables.endObservation()
        var digests: [FlowDigest] = []
        while let window = tables.takeObservation() { digests += window.flows }
        return try #require(digests.first)
    }

    private let line = "GET / HTTP/1.1\r\n"

    @Test func `A head is open until its last line has come`() throws {
        let open = try request([(0, line), (16, "Host: a\r\n")])
        #expect(open.request.kind == .http)
        #expect(open.request.isHeadOpen)
        #expect(open.isAsking)
        #expect(open.request.headBytes == 25)
        // The first packet's time.
        #expect(open.request.began == 1_003_000_000)
        let ended = try request([(0, line), (16, "Host: a\r\n"), (25, "\r\n")])
        #expect(ended.request.kind == .http)
        #expect(!ended.request.isHeadOpen)
        #expect(!ended.request.isBodyOpen)
    }

    @Test func `What is sent again is read once`() throws {
        let again = try request([(0, line), (0, line), (8, "TP/1.1\r\nHost: a\r\n"), (25, "\r")])
        #expect(again.request.headBytes == 26)
        #expect(again.request.isHeadOpen)
        // A probe for life: one byte before the next.
        let probe = try request([(0, line), (15, "\n"), (16, "\r\n")])
        #expect(!probe.request.isHeadOpen)
        #expect(probe.request.kind == .http)
    }

    @Test func `What is missing ends what is known, until the next turn`() throws {
        let gap = try request([(0, line), (30, "Host: a\r\n")])
        #expect(gap.request.isLost)
        #expect(!gap.request.isHeadOpen)
        let cut = try request([(0, line + String(repeating: "x", count: 300))], snap: 200)
        #expect(cut.request.isLost)
        let next = try request([(0, line), (30, "Host: a\r\n\r\n"), (41, line)], answersAfter: 2)
        #expect(next.request.isHeadOpen)
        #expect(next.request.headBytes == 16)
    }

    @Test func `A body is counted, and after it a new head`() throws {
        let post = "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n"
        let body = try request([(0, post), (39, "12345")])
        #expect(body.request.isBodyOpen)
        #expect(body.request.bodyBytes == 5)
        #expect(body.request.bodyAnnounced == 10)
        let next = try request([(0, post), (39, "1234567890"), (49, line)], answersAfter: 2)
        #expect(next.request.isHeadOpen)
        #expect(next.request.began == 1_006_000_000)
        // Bytes of a body that nobody saw count as well.
        let gap = try request([(0, post), (44, "67890")])
        #expect(!gap.request.isBodyOpen)
        #expect(!gap.request.isLost)
    }

    @Test func `After a body in chunks, and in the midst of a connection, a turn may begin a request`() throws {
        let chunks = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        let more = try request([(0, chunks), (46, "5\r\nhello\r\n")], answersAfter: 1)
        #expect(more.request.isBodyOpen)
        #expect(more.request.isChunked)
        let next = try request([(0, chunks), (46, line)], answersAfter: 1)
        #expect(next.request.isHeadOpen)
        let midst = try request([(0, "rest of something"), (17, line)], hasSYN: false, answersAfter: 1)
        #expect(midst.request.isHeadOpen)
        // A connection that began as another protocol stays one.
        let other = try request([(0, "HELO there\r\n"), (12, line)], answersAfter: 1)
        #expect(other.request.kind == .other)
    }

    @Test func `A flow still takes 14 cache lines`() { #expect(FlowTable.stride == 14 * FlowTable.line) }

    @Test func `TLS is told, and that it offers HTTP`() throws {
        let random = [UInt8](repeating: 1, count: 32)
        let plain: [UInt8] = [3, 3] + random + [0, 0, 2, 0x13, 1, 1, 0]
        func hello(_ body: [UInt8]) -> String {
            String(decoding: [22, 3, 1, 0, UInt8(body.count + 4), 1, 0, 0, UInt8(body.count)] + body, as: UTF8.self)
        }
        let tls = try request([(0, hello(plain))])
        #expect(tls.request.kind == .tls)
        let web = try request([(0, hello(plain + [0, 9, 0, 16, 0, 5, 0, 3, 2, 0x68, 0x32]))])
        #expect(web.request.kind == .tlsForHTTP)
        let none = try request([])
        #expect(none.request.kind == .unknown)
    }
}
