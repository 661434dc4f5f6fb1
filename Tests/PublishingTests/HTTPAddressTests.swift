import Publishing
import Testing

struct HTTPAddressTests {
    @Test(
        "URLs that are right",
        arguments: [
            ("http://ml:23333/predict/batch", "ml", 23_333, "/predict/batch"),
            ("HTTP://10.0.0.1/a/predict/buffered", "10.0.0.1", 80, "/a/predict/buffered"),
            ("http://[::1]:8080/predict/batch", "::1", 8_080, "/predict/batch"),
            ("http://a_b.example-1.org:80/p%20q/predict/batch", "a_b.example-1.org", 80, "/p%20q/predict/batch"),
            ("http://h", "h", 80, "/"),
        ] as [(String, String, UInt16, String)]
    )
    func right(url: String, host: String, port: UInt16, path: String) throws {
        let address = try HTTPAddress(url)
        #expect(address.host == host && address.port == port && address.path == path)
        #expect(try HTTPAddress(address.description) == address)
    }

    @Test(
        "URLs that are wrong, each with its own message",
        arguments: [
            ("ml:23333", HTTPAddressError.scheme), ("ftp://h/", .scheme), ("https://h/predict/batch", .encrypted),
            ("http://user:hunter2@h/", .credentials), ("http://", .host), ("http:///p", .host), ("http://:80/", .host),
            ("http://::1/", .host), ("http://[::1", .host), ("http://[g::1]/", .host), ("http://[1.2.3.4]/", .host),
            ("http://a b/", .host), ("http://é/", .host), ("http://a\r\nX-Evil: 1/", .host), ("http://[::1]x/", .port),
            ("http://h:0/", .port), ("http://h:99999/", .port), ("http://h:/", .port), ("http://h:+80/", .port),
            ("http://h/a b", .path), ("http://h/a\r\nX: 1", .path), ("http://h/%zz", .path), ("http://h/%4", .path),
            ("http://h/é", .path), ("http://h/<>", .path), ("http://h/p?x=1", .query), ("http://h/p#x", .query),
            ("http://h/p\0", .path),
        ]
    )
    func wrong(url: String, error: HTTPAddressError) {
        #expect(throws: error) { try HTTPAddress(url) }
        #expect(!"\(error)".contains("hunter2"))
    }

    @Test("The path says how flows are handed over")
    func modes() throws {
        #expect(try PredictionSettings.mode(of: HTTPAddress("http://h/predict/batch")) == .batch)
        #expect(try PredictionSettings.mode(of: HTTPAddress("http://h/ml/predict/buffered")) == .buffered)
        for path in ["", "/", "/predict", "/predict/batch/"] {
            let address = try HTTPAddress("http://h\(path)")
            #expect(throws: HTTPAddressError.path) { try PredictionSettings.mode(of: address) }
        }
    }
}
