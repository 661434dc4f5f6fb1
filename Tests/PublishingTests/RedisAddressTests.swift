import Publishing
import Testing

struct RedisAddressTests {
    @Test(
        "Addresses that are right",
        arguments: [
            ("redis://localhost:6379", "redis://localhost:6379/0"), ("redis://", "redis://localhost:6379/0"),
            ("REDIS://host/3", "redis://host:6379/3"), ("redis://[::1]:7000/1", "redis://[::1]:7000/1"),
            ("redis://:p%40ss@host", "redis://host:6379/0"), ("redis://us%3Aer:p:q@host:1/", "redis://us:er@host:1/0"),
            ("unix:///run/redis.sock", "unix:///run/redis.sock"), ("unix:///a%20b?db=4", "unix:///a b?db=4"),
            ("unix://weir:pw@/run/r", "unix://weir@/run/r"),
        ]
    )
    func right(url: String, shown: String) throws {
        #expect(try RedisAddress(url).description == shown)
    }

    @Test("Passwords are decoded")
    func passwords() throws {
        #expect(try RedisAddress("redis://:p%40%3A%2Fs@host").password == Secret("p@:/s"))
        #expect(try RedisAddress("redis://u:p:q@host").password == Secret("p:q"))
        #expect(try RedisAddress("redis://u@host").password == nil)
        #expect(try RedisAddress("unix://:pw@/run/r?db=1").password == Secret("pw"))
    }

    @Test(
        "Addresses that are wrong, each with its own message",
        arguments: [
            ("localhost:6379", RedisAddressError.scheme), ("http://host", .scheme), ("rediss://host", .encrypted),
            ("redis://host:0", .port), ("redis://host:99999", .port), ("redis://host:", .port), ("redis://::1", .host),
            ("redis://[::1", .host), ("redis://[::1]x", .host), ("redis://host/x", .database),
            ("redis://host/-1", .database), ("redis://host/1/2", .database), ("redis://host?db=1", .option),
            ("unix://host/path", .path), ("unix://", .path), ("unix:///p?password=x", .option),
            ("unix:///p?db=", .database), ("redis://%zz", .encoding), ("redis://%4", .encoding),
            ("redis://a%00b", .encoding), ("redis://%ff", .encoding), ("redis://%+1", .encoding),
        ]
    )
    func wrong(url: String, error: RedisAddressError) {
        #expect(throws: error) { try RedisAddress(url) }
    }

    @Test("A path that the kernel would cut is refused")
    func longPath() {
        let longest = "unix:///" + String(repeating: "a", count: 106)
        #expect(throws: Never.self) { try RedisAddress(longest) }
        #expect(throws: RedisAddressError.path) { try RedisAddress(longest + "a") }
    }

    @Test("No way of printing an address shows the password")
    func secrets() throws {
        let address = try RedisAddress("redis://weir:hunter2@host")
        let settings = RedisSettings(address: address)
        var dumped = ""
        dump(settings, to: &dumped)
        for shown in ["\(address)", String(reflecting: address), "\(settings)", String(reflecting: settings), dumped] {
            #expect(!shown.contains("hunter2"))
        }
        // A secret in the wrong place is not quoted either.
        let error = #expect(throws: RedisAddressError.self) { try RedisAddress("redis://user:hunter2/x@host") }
        #expect(error.map { !"\($0)".contains("hunter2") } ?? false)
    }

    @Test("Documents stand for three intervals, at least a minute")
    func timeToLive() throws {
        let address = try RedisAddress("redis://")
        for (interval, expected) in [(0.5, 60), (2, 60), (20, 60), (20.1, 61), (60, 180)] {
            #expect(RedisSettings(address: address, interval: .seconds(interval)).timeToLive == expected)
        }
    }
}
