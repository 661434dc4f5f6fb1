import Support
import Testing

@testable import Protocols

@Suite struct HTTPRequestTests {
    private let slow = "GET / HTTP/1.1\r\nHost: example.org\r\nX-a: 1\r\n"

    @Test func `A head is open until its empty line, and then the request is complete`() {
        var request = HTTPRequest()
        request.read(slow)
        #expect(request.phase == .head)
        #expect(request.isHeadOpen)
        #expect(request.method == .get)
        request.read("X-b: 2\r\n")
        #expect(request.phase == .head)
        request.read("\r\n")
        #expect(request.phase == .complete)
        #expect(!request.isHeadOpen)
        #expect(Int(request.headBytes) == slow.utf8.count + 10)
        #expect(request.bodyAnnounced == nil)
    }

    @Test func `However a request is cut into pieces, it is read alike`() {
        let whole = "POST /form HTTP/1.1\r\nCookie: c\r\nCONTENT-Length:\t 11 \r\nTE: trailers\r\n\r\nhello worldPUT /x"
        let bytes = Array(whole.utf8)
        var expected = HTTPRequest()
        expected.read(bytes)
        #expect(expected.phase == .head)
        #expect(expected.method == .put)
        var random = SeededGenerator(seed: 11)
        for _ in 0..<500 {
            var request = HTTPRequest()
            var start = 0
            while start < bytes.count {
                let size = min(bytes.count - start, 1 + Int(random.next() % 9))
                request.read(Array(bytes[start..<start + size]))
                start += size
            }
            #expect(request == expected)
        }
    }

    @Test func `A body is awaited to its last byte`() {
        var request = HTTPRequest()
        request.read("POST / HTTP/1.1\r\nContent-Length: 4096\r\n\r\nabc")
        #expect(request.phase == .body)
        #expect(request.bodyAnnounced == 4096)
        #expect(request.bodyReceived == 3)
        // Of a packet that was cut in the capture, too, all bytes count.
        request.read("x", length: 4092)
        #expect(request.phase == .body)
        request.read("y")
        #expect(request.phase == .complete)
        #expect(request.bodyReceived == 4096)
        request.read(slow)
        #expect(request.phase == .head)
        #expect(request.bodyReceived == 0)
    }

    @Test(arguments: ["Transfer-Encoding: chunked", "transfer-encoding:gzip, chunked\r\nContent-Length: 5"])
    func `Of a body in chunks nobody knows the end`(field: String) {
        var request = HTTPRequest()
        request.read("POST / HTTP/1.1\r\n\(field)\r\n\r\n5\r\nhello\r\n")
        #expect(request.phase == .body)
        #expect(request.isChunked)
        #expect(request.bodyAnnounced == nil)
        #expect(request.bodyReceived == 10)
    }

    @Test(
        arguments: [
            ("GET / HTTP/1.0", .get), ("HEAD /x", .head), ("POST /x", .post), ("PUT /x", .put), ("DELETE /x", .delete),
            ("CONNECT host:443", .connect), ("OPTIONS * HTTP/1.1", .options), ("TRACE /", .trace), ("PATCH /", .patch),
            ("PROPFIND /dav", .other), ("M-SEARCH *", .other), ("VERSION-CONTROL /", .other),
            ("GET http://example.org/", .get), ("\r\nGET /", .get), ("\nGET /", .get),
        ] as [(String, HTTPRequest.Method)]
    )
    func `Requests are told by their first line`(line: String, method: HTTPRequest.Method) {
        var request = HTTPRequest()
        request.read(line)
        #expect(request.phase == .head)
        #expect(request.method == method)
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH_9.2\r\n", "EHLO mail.example.org\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "get / HTTP/1.1",
        "OPTIONS rtsp://example.org/ RTSP/1.0", "REGISTER sip:example.org SIP/2.0", "\u{16}\u{3}\u{1}", "A / HTTP/1.1",
        "ABCDEFGHIJKLMNOPQ /", "GET  /", "*1\r\n$4\r\nPING\r\n", "NICK someone\r\n",
    ])
    func `Other protocols are not taken for HTTP`(text: String) {
        var request = HTTPRequest()
        request.read(text)
        #expect(request.phase == .foreign)
        request.read(slow)
        #expect(request.phase == .foreign)
    }

    @Test func `Bytes that nobody saw end what is known of a head, not of a body`() {
        var request = HTTPRequest()
        request.read("GET / HTTP/1.1\r\nHost: e", length: 100)
        #expect(request.phase == .lost)
        var body = HTTPRequest()
        body.read("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n1", length: 49)
        #expect(body.phase == .complete)
        // What follows the body was not seen.
        var more = HTTPRequest()
        more.read("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n1", length: 50)
        #expect(more.phase == .lost)
    }

    @Test func `A head without end is followed no further than its limit`() {
        var request = HTTPRequest()
        request.read("GET / HTTP/1.1\r\n")
        var pieces = 0
        while request.phase == .head, pieces < 1_000 {
            request.read(String(repeating: "x", count: 998) + "\r\n")
            pieces += 1
        }
        #expect(request.phase == .lost)
        #expect(pieces == 66)
    }

    @Test func `A length that no number holds is no length to overflow on`() {
        var request = HTTPRequest()
        request.read("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999999\r\n\r\n")
        #expect((request.bodyAnnounced ?? 0) > 1 << 59)
        request.read("abc")
        #expect(request.phase == .body)
        var none = HTTPRequest()
        none.read("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        #expect(none.phase == .complete)
        // Signs and names are no digits.
        none.read("POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n")
        #expect(none.phase == .complete)
        none.read("POST / HTTP/1.1\r\nContent-Lengthy: 5\r\nXContent-Length: 6\r\n\r\n")
        #expect(none.phase == .complete)
    }
}

extension HTTPRequest {
    mutating func read(_ text: String, length: Int? = nil) { read(Array(text.utf8), length: length) }

    mutating func read(_ bytes: [UInt8], length: Int? = nil) {
        unsafe read(bytes.span.bytes, length: length ?? bytes.count)
    }
}
