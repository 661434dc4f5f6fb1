import ArgumentParser
import Glibc
import Linux

/// What `weir demo` starts in its namespaces: one role of its play.
struct DemoTraffic: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "demo-traffic", shouldDisplay: false)

    enum Role: String, ExpressibleByArgument {
        case server
        case users
        case scan
        case flood
        case slow
        case leech
    }

    @Argument var role: Role
    @Argument var seconds = 60

    /// The attacked host, and its web server's port.
    static let host = InternetAddress(v4: 0x0A_58_00_02)
    static let port: UInt16 = 8080

    func run() throws {
        let end = Clock.monotonic.now() + Int64(seconds) * 1_000_000_000
        switch role {
        case .server: try serve()
        case .users: try eachInAThread(12) { number in visit(number, until: end) }
        case .scan: scan()
        case .flood: try flood(until: end)
        case .slow: try eachInAThread(80) { number in hold(number, until: end) }
        case .leech: drain(until: end)
        }
    }

    private func eachInAThread(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
        let threads = try (0..<count).map { number in
            DemoThread(try Worker(name: "demo-\(number)") { body(number) })
        }
        for thread in threads { thread.join() }
    }

    /// A web server that is as patient as many are: it waits for the end of a request's head.
    private func serve() throws {
        let listener = DemoListener(try TCPStream.Listener(port: Self.port))
        try eachInAThread(256) { _ in
            while true {
                guard let stream = try? listener.listener.accept(timeout: 30_000) else { continue }
                Self.answer(stream)
            }
        }
    }

    /// Answers one request after the other until the client goes.
    private static func answer(_ stream: borrowing TCPStream) {
        var request: [UInt8] = []
        while request.count < 65_536, let bytes = try? stream.read(atMost: 4_096), !bytes.isEmpty {
            request += bytes
            guard request.suffix(4).elementsEqual("\r\n\r\n".utf8) else { continue }
            let size = request.starts(with: "GET /big".utf8) ? bigPage : page
            guard (try? stream.write(answer(size: size))) != nil else { return }
            request = []
        }
    }

    private static let page = 20_000
    private static let bigPage = 1_000_000

    private static func answer(size: Int) -> [UInt8] {
        Array("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\nContent-Type: text/plain\r\n\r\n".utf8)
            + [UInt8](repeating: UInt8(ascii: "w"), count: size)
    }

    /// Asks for a page, and reads it whole.
    /// - Returns: whether it came.
    private static func get(_ path: String, size: Int, over stream: borrowing TCPStream) -> Bool {
        guard (try? stream.write(Array("GET \(path) HTTP/1.1\r\nHost: demo\r\n\r\n".utf8))) != nil else { return false }
        var left = answer(size: size).count
        while left > 0, let bytes = try? stream.read(atMost: 65_536), !bytes.isEmpty { left -= bytes.count }
        return left == 0
    }

    /// Each from an address of its own, with pauses as people make them.
    private func visit(_ number: Int, until end: Int64) {
        var random = SystemRandomNumberGenerator()
        let source = InternetAddress(v4: 0x0A_58_01_00 + UInt32(number + 1))
        while Clock.monotonic.now() < end {
            if let stream = try? TCPStream(to: Self.host, port: Self.port, from: source, timeout: 3_000) {
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    guard Self.get("/", size: Self.page, over: stream) else { break }
                    usleep(UInt32.random(in: 300_000...2_000_000, using: &random))
                }
            }
            usleep(UInt32.random(in: 500_000...4_000_000, using: &random))
        }
    }

    /// 120 ports, one by one.
    private func scan() {
        for port in UInt16(1_000)..<1_120 {
            _ = try? TCPStream(to: Self.host, port: port, timeout: 200)
            usleep(20_000)
        }
    }

    /// SYNs in the name of others, from 198.18.0.0/15 (RFC 2544), which is nobody's.
    private func flood(until end: Int64) throws {
        let sender = try RawSender()
        var random = SystemRandomNumberGenerator()
        while Clock.monotonic.now() < end {
            for _ in 0..<50 {
                try? sender.sendSYN(
                    from: 0xC6_12_00_00 | UInt32.random(in: 0..<1 << 17, using: &random),
                    port: UInt16.random(in: 1_024...65_535, using: &random),
                    to: UInt32(truncatingIfNeeded: Self.host.low),
                    port: Self.port,
                    sequence: UInt32.random(in: 0...UInt32.max, using: &random)
                )
            }
            usleep(10_000)
        }
    }

    /// A request whose head never ends.
    private func hold(_ number: Int, until end: Int64) {
        usleep(UInt32(number) * 20_000)
        let source = InternetAddress(v4: 0x0A_58_02_01)
        guard let stream = try? TCPStream(to: Self.host, port: Self.port, from: source, timeout: 3_000) else { return }
        try? stream.write(Array("GET / HTTP/1.1\r\nHost: demo\r\n".utf8))
        while Clock.monotonic.now() < end {
            usleep(2_000_000)
            guard (try? stream.write(Array("X-Wait: \(number)\r\n".utf8))) != nil else { return }
        }
    }

    /// One client that asks for something large, again and again, evenly.
    private func drain(until end: Int64) {
        let source = InternetAddress(v4: 0x0A_58_03_01)
        guard let stream = try? TCPStream(to: Self.host, port: Self.port, from: source, timeout: 5_000) else { return }
        while Clock.monotonic.now() < end {
            guard Self.get("/big", size: Self.bigPage, over: stream) else { return }
            usleep(400_000)
        }
    }
}

/// A thread, in a list.
private final class DemoThread {
    private var worker: Worker?
    init(_ worker: consuming Worker) { self.worker = consume worker }
    func join() { worker = nil }
}

/// A listener that several threads accept from.
private final class DemoListener: Sendable {
    let listener: TCPStream.Listener
    init(_ listener: consuming TCPStream.Listener) { self.listener = listener }
}
