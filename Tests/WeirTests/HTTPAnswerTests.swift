import Testing

@testable import weir

@Suite struct HTTPAnswerTests {
    private func answer(_ text: String) throws -> HTTPAnswer { try HTTPAnswer(Array(text.utf8)) }

    @Test func bodiesByLength() throws {
        let answer = try answer("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\nX: y\r\n\r\nabcrest")
        #expect(answer.status == 404)
        #expect(answer.body == Array("abc".utf8))
    }

    @Test func bodiesInChunks() throws {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"
        #expect(try answer(text).body == Array("abc0123456789".utf8))
    }

    @Test func bodiesUntilTheEnd() throws {
        #expect(try answer("HTTP/1.0 200 OK\r\n\r\nall").body == Array("all".utf8))
    }

    @Test(arguments: [
        "", "HTTP/1.1 200 OK\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 x\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFFF\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7FFFFFFFFFFFFFFF\r\nab\r\n",
    ])
    func whatIsNoAnswerIsRefused(text: String) {
        #expect(throws: SensorClient.ClientError.self) { try answer(text) }
    }
}
