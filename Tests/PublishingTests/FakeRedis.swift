import Glibc
import Linux
import Synchronization

/// A server that speaks Redis's protocol as badly as a test wants: on a unix socket, one connection after another.
final class FakeRedis: Sendable {
    let path: String
    private let stop: Event
    private let connections = Connections()
    private let worker: Mutex<Worker?>

    /// When each connection was accepted, monotonic nanoseconds.
    private final class Connections: Sendable {
        let accepted = Mutex([Int64]())
    }

    /// - Parameter answer: gets the words of a command, says what to send back.
    init(_ answer: @escaping @Sendable ([String]) -> [UInt8]) throws {
        let path = "/tmp/weir-fake-\(getpid())-\(UInt32.random(in: 0...(.max))).sock"
        let descriptor = try check("socket") { socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0) }
        let listener = Descriptor(owning: descriptor)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        try check("bind") {
            unsafe withUnsafePointer(to: &address) { address in
                unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(descriptor, $0, size) }
            }
        }
        try check("listen") { listen(descriptor, 8) }
        let stop = try Event()
        self.path = path
        self.stop = stop
        let connections = connections
        worker = Mutex(
            try Worker(name: "fake redis", owning: listener) { listener in
                while FakeRedis.wait(for: listener.rawValue, or: stop) {
                    let connection = accept(listener.rawValue, nil, nil)
                    guard connection >= 0 else { return }
                    connections.accepted.withLock { $0.append(Clock.monotonic.now()) }
                    FakeRedis.converse(connection, stop, answer)
                    close(connection)
                }
            }
        )
    }

    deinit {
        stop.signal()
        worker.withLock { $0 = nil }
        _ = unsafe unlink(path)
    }

    /// When each connection was accepted, monotonic nanoseconds.
    var accepted: [Int64] { connections.accepted.withLock { $0 } }

    private static func converse(_ connection: Int32, _ stop: Event, _ answer: ([String]) -> [UInt8]) {
        var received: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while wait(for: connection, or: stop) {
            let count = unsafe recv(connection, &chunk, chunk.count, 0)
            guard count > 0 else { return }
            received.append(contentsOf: chunk[..<count])
            while let (words, rest) = FakeRedis.command(in: received[...]) {
                received = Array(rest)
                var reply = answer(words)[...]
                while !reply.isEmpty {
                    let sent = unsafe reply.withUnsafeBytes { bytes in
                        unsafe send(connection, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                    }
                    guard sent > 0 else { return }
                    reply = reply.dropFirst(sent)
                }
            }
        }
    }

    /// False when it is time to stop.
    private static func wait(for descriptor: Int32, or stop: Event) -> Bool {
        var entries = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: stop.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
        ]
        _ = unsafe poll(&entries, 2, -1)
        return entries[1].revents == 0
    }

    /// One whole command: `*count` and its bulk strings.
    private static func command(in bytes: ArraySlice<UInt8>) -> ([String], ArraySlice<UInt8>)? {
        guard var (count, rest) = number(after: "*", in: bytes) else { return nil }
        var words: [String] = []
        while count > 0 {
            guard let (length, tail) = number(after: "$", in: rest), tail.count >= length + 2 else { return nil }
            words.append(String(decoding: tail.prefix(length), as: UTF8.self))
            rest = tail.dropFirst(length + 2)
            count -= 1
        }
        return (words, rest)
    }

    private static func number(after mark: String, in bytes: ArraySlice<UInt8>) -> (Int, ArraySlice<UInt8>)? {
        guard bytes.first == mark.utf8.first, let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let digits = String(decoding: bytes[(bytes.startIndex + 1)..<(end - 1)], as: UTF8.self)
        return Int(digits).map { ($0, bytes[(end + 1)...]) }
    }
}
