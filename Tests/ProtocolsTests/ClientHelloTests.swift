import Testing

@testable import Protocols

@Suite struct ClientHelloTests {
    @Test func `Server name and protocols are read`() throws {
        let hello = Hello(host: "example.org", protocols: ["spdy/1", "http/1.1"]).bytes
        let read = try #require(ClientHello(hello))
        let name = try #require(read.serverName)
        #expect(String(decoding: hello[name], as: UTF8.self) == "example.org")
        #expect(read.offersHTTP)
        #expect(read.isWhole)
        #expect(ClientHello(Hello(host: nil, protocols: ["h2"]).bytes)?.offersHTTP == true)
        let other = try #require(ClientHello(Hello(host: nil, protocols: ["imap", "http/1.0", "h3"]).bytes))
        #expect(!other.offersHTTP)
        #expect(other.serverName == nil)
    }

    @Test func `Cut anywhere, what is there is read and the rest is missed`() throws {
        let whole = Hello(host: "example.org", protocols: ["h2"]).bytes
        for count in 0..<whole.count {
            let part = Array(whole[..<count])
            guard let read = ClientHello(part) else {
                #expect(count < 43)
                continue
            }
            #expect(!read.isWhole)
            if let name = read.serverName { #expect(name.upperBound <= count) }
        }
    }

    @Test func `Other records are no client hello`() {
        let whole = Hello(host: "example.org", protocols: ["h2"]).bytes
        for (place, value) in [(0, UInt8(23)), (1, 2), (5, 2), (9, 2)] {
            var other = whole
            other[place] = value
            #expect(ClientHello(other) == nil)
        }
        #expect(ClientHello([UInt8]("GET / HTTP/1.1\r\nHost: example.org\r\nA: b\r\n\r\n".utf8)) == nil)
    }
}

extension ClientHello {
    fileprivate init?(_ bytes: [UInt8]) { unsafe self.init(bytes.span.bytes) }
}

/// A client hello, built field by field.
private struct Hello {
    let bytes: [UInt8]

    init(host: String?, protocols: [String]) {
        var extensions: [UInt8] = [0xFF, 0x01] + Self.list([0], 2)
        if let host { extensions += [0, 0] + Self.list(Self.list([0] + Self.list(Array(host.utf8), 2), 2), 2) }
        let names = protocols.flatMap { Self.list(Array($0.utf8), 1) }
        extensions += [0, 16] + Self.list(Self.list(names, 2), 2)
        var body: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32)
        body += Self.list([UInt8](repeating: 9, count: 32), 1) + Self.list([0x13, 1, 0x13, 2], 2) + Self.list([0], 1)
        body += Self.list(extensions, 2)
        let message = [1, 0] + Self.list(body, 2)
        bytes = [22, 3, 1] + Self.list(message, 2)
    }

    private static func list(_ bytes: [UInt8], _ lengthBytes: Int) -> [UInt8] {
        (lengthBytes == 2 ? [UInt8(bytes.count >> 8)] : []) + [UInt8(bytes.count & 0xFF)] + bytes
    }
}
