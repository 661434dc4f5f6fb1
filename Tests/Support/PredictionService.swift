import CLinux
import FoundationEssentials
import Glibc
import Linux
import Synchronization

/// The original system's prediction service as far as a sensor meets it, on a free port of loopback: it checks requests
/// as that one does, and can be told to behave badly. It predicts nothing.
public final class PredictionService: Sendable {
    public enum Manner: Sendable, Equatable {
        case well
        /// Answers after so many milliseconds.
        case slow(UInt32)
        /// Answers with this status, whatever comes.
        case failing(Int)
        /// Reads the request and closes.
        case closing
        /// Reads, and never answers.
        case mute
        /// Never reads.
        case deaf
        /// Answers what is not HTTP.
        case babbling
        /// Answers with a body of so many MiB.
        case verbose(Int)
    }

    public struct Request: Sendable {
        public var path: String
        public var body: [UInt8]
        /// The answer's; 0: none.
        public var status: Int
        /// Seconds of the monotonic clock.
        public var time: Double
        /// Counts from 0.
        public var connection: Int
    }

    /// What every flow must have, as numbers.
    public static let features: Set = [
        "dst_port", "flow_duration", "tot_fwd_pkts", "tot_bwd_pkts", "fwd_pkt_len_max", "fwd_pkt_len_min",
        "bwd_pkt_len_max", "bwd_pkt_len_mean", "flow_byts_s", "flow_pkts_s", "flow_iat_mean", "flow_iat_std",
        "flow_iat_max", "fwd_iat_std", "bwd_pkts_s", "psh_flag_cnt", "ack_flag_cnt", "init_fwd_win_byts",
        "init_bwd_win_byts", "fwd_seg_size_min",
    ]

    public let port: UInt16
    private let stop: Event
    private let shared: Shared
    private let worker: Mutex<Worker?>

    private final class Shared: Sendable {
        let manner: Mutex<Manner>
        let requests = Mutex([Request]())
        let connections = Atomic(0)
        let sent = Atomic(0)

        init(_ manner: Manner) {
            self.manner = Mutex(manner)
        }
    }

    /// - Parameter port: a free one of loopback; nil: any.
    public init(_ manner: Manner = .well, port: UInt16? = nil) throws {
        let port = port ?? RedisServer.freePort()
        let descriptor = try check("socket") { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }
        let listener = Descriptor(owning: descriptor)
        var one: Int32 = 1
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        try check("bind") {
            unsafe withUnsafePointer(to: &address) { address in
                unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(descriptor, $0, size) }
            }
        }
        try check("listen") { listen(descriptor, 8) }
        let stop = try Event()
        let shared = Shared(manner)
        self.port = port
        self.stop = stop
        self.shared = shared
        worker = Mutex(
            try Worker(name: "prediction", owning: listener) { listener in
                while Self.wait(for: listener.rawValue, Int16(POLLIN), or: stop) {
                    let number = accept(listener.rawValue, nil, nil)
                    guard number >= 0 else { return }
                    let connection = Descriptor(owning: number)
                    Self.converse(connection, shared, stop)
                    shared.connections.wrappingAdd(1, ordering: .relaxed)
                }
            }
        )
    }

    deinit {
        stop.signal()
        worker.withLock { $0 = nil }
    }

    public var requests: [Request] { shared.requests.withLock { $0 } }

    /// Bytes of answers that the other side took.
    public var sent: Int { shared.sent.load(ordering: .relaxed) }

    /// How it behaves towards requests from now on.
    public func behave(_ manner: Manner) { shared.manner.withLock { $0 = manner } }

    // MARK: - One connection

    private static func converse(_ connection: borrowing Descriptor, _ shared: Shared, _ stop: Event) {
        var received: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let closed: Int16 = 0x2000  // POLLRDHUP, a macro that Swift does not see
        while true {
            // The end of a connection whose bytes nobody reads does not arrive: look at the manner now and then.
            while shared.manner.withLock({ $0 }) == .deaf {
                guard wait(for: connection.rawValue, closed, or: stop, milliseconds: 20) else { return }
            }
            guard wait(for: connection.rawValue, Int16(POLLIN), or: stop) else { return }
            let count = unsafe recv(connection.rawValue, &chunk, chunk.count, 0)
            guard count > 0 else { return }
            received.append(contentsOf: chunk[..<count])
            while let (path, body, length) = request(in: received) {
                received.removeFirst(length)
                let manner = shared.manner.withLock { $0 }
                let (status, answer) = answer(path, body, manner)
                let number = shared.connections.load(ordering: .relaxed)
                shared.requests.withLock {
                    $0.append(
                        Request(path: path, body: body, status: status, time: monotonicSeconds(), connection: number)
                    )
                }
                if case .slow(let milliseconds) = manner { usleep(milliseconds * 1_000) }
                if manner == .mute { _ = wait(for: connection.rawValue, closed, or: stop) }
                let sent = send(answer, connection, stop)
                shared.sent.wrappingAdd(sent, ordering: .relaxed)
                guard sent > 0, sent == answer.count else { return }
            }
        }
    }

    private static func answer(_ path: String, _ body: [UInt8], _ manner: Manner) -> (status: Int, bytes: [UInt8]) {
        let (status, text): (Int, String)
        switch manner {
        case .closing, .mute, .deaf: return (0, [])
        case .babbling: return (0, Array("NO HTTP AT ALL\r\n\r\n".utf8))
        case .failing(let code): (status, text) = (code, #"{"detail":"told to fail"}"#)
        case .verbose(let size):
            let head = Array("HTTP/1.1 200 OK\r\ncontent-length: \(size << 20)\r\n\r\n".utf8)
            return (200, head + [UInt8](repeating: UInt8(ascii: " "), count: size << 20))
        case .well, .slow: (status, text) = judge(path, body)
        }
        let head = "HTTP/1.1 \(status) whatever\r\ncontent-type: application/json\r\n"
        let location = status / 100 == 3 ? "location: http://127.0.0.1:1/elsewhere\r\n" : ""
        return (status, Array("\(head)\(location)content-length: \(text.utf8.count)\r\n\r\n\(text)".utf8))
    }

    private static func judge(_ path: String, _ body: [UInt8]) -> (Int, String) {
        let data = Data(body)
        switch path {
        case "/predict/batch":
            guard let batch = try? JSONDecoder().decode(PredictionBatch.self, from: data) else {
                return (422, #"{"detail":"Field required"}"#)
            }
            for flow in batch.flows { if let refusal = refusal(of: flow) { return refusal } }
            return (200, #"{"predictions":[],"statistics":{"total_flows":\#(batch.flows.count)}}"#)
        case "/predict/buffered":
            guard let flow = try? JSONDecoder().decode([String: PredictionBatch.Value].self, from: data) else {
                return (422, #"{"detail":"Field required"}"#)
            }
            return refusal(of: flow) ?? (200, #"{"status":"buffered","batch_processed":false}"#)
        default:
            return (404, #"{"detail":"Not Found"}"#)
        }
    }

    private static func refusal(of flow: [String: PredictionBatch.Value]) -> (Int, String)? {
        let missing = features.filter { if case .number = flow[$0] { false } else { true } }.sorted()
        guard !missing.isEmpty else { return nil }
        let names = missing.map { "\"\($0)\"" }.joined(separator: ",")
        return (422, #"{"error":"missing_features","missing":[\#(names)]}"#)
    }

    /// A whole request at the beginning of the bytes, and its length with the head.
    private static func request(in bytes: [UInt8]) -> (path: String, body: [UInt8], length: Int)? {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        var length = 0
        for line in lines.dropFirst() where line.lowercased().hasPrefix("content-length:") {
            length = Int(line.split(separator: " ").last ?? "") ?? 0
        }
        guard bytes.count >= end.upperBound + length else { return nil }
        let words = (lines.first ?? "").split(separator: " ")
        guard words.count == 3, words[0] == "POST", words[2] == "HTTP/1.1" else { return ("?", [], bytes.count) }
        let body = Array(bytes[end.upperBound..<end.upperBound + length])
        return (String(words[1]), body, end.upperBound + length)
    }

    /// How many bytes the other side took.
    private static func send(_ bytes: [UInt8], _ connection: borrowing Descriptor, _ stop: Event) -> Int {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard wait(for: connection.rawValue, Int16(POLLOUT), or: stop) else { break }
            let sent = unsafe rest.withUnsafeBytes { bytes in
                unsafe Glibc.send(
                    connection.rawValue,
                    bytes.baseAddress,
                    bytes.count,
                    Int32(MSG_NOSIGNAL | MSG_DONTWAIT)
                )
            }
            guard sent > 0 else { break }
            rest = rest.dropFirst(sent)
        }
        return bytes.count - rest.count
    }

    /// False when it is time to stop.
    private static func wait(
        for descriptor: Int32,
        _ events: Int16,
        or stop: Event,
        milliseconds: Int32 = -1
    ) -> Bool {
        var entries = [
            pollfd(fd: descriptor, events: events, revents: 0),
            pollfd(fd: stop.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
        ]
        _ = unsafe poll(&entries, 2, milliseconds)
        return entries[1].revents == 0
    }
}

/// What `/predict/batch` takes.
public struct PredictionBatch: Decodable, Sendable {
    public enum Value: Decodable, Hashable, Sendable {
        case number(Double)
        case text(String)

        public init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Double.self) {
                self = .number(number)
            } else {
                self = .text(try container.decode(String.self))
            }
        }
    }

    public let flows: [[String: Value]]
    public let includeConfidence: Bool
    public let clientID: String
    public let resourceID: String

    enum CodingKeys: String, CodingKey {
        case flows
        case includeConfidence = "include_confidence"
        case clientID = "client_id"
        case resourceID = "resource_id"
    }

    public init(_ json: [UInt8]) throws {
        self = try JSONDecoder().decode(PredictionBatch.self, from: Data(json))
    }
}
