import Detection
import FoundationEssentials
import Glibc
import Linux
import Logging
import Packets
import Reports
import Synchronization
import Testing

@testable import Dashboard

/// What the last request for packets asked.
struct Asked: Equatable {
    var count: Int
    var after: UInt64?
}

/// A sensor that only remembers what it was told.
final class TestControl: SensorControl {
    private struct State {
        var isActive = true
        var asked: Asked?
        var query: ThreatQuery?
        var failure: String?
    }

    private let state = Mutex(State())

    var asked: Asked? { state.withLock { $0.asked } }
    var query: ThreatQuery? { state.withLock { $0.query } }
    var failure: String? {
        get { state.withLock { $0.failure } }
        set { state.withLock { $0.failure = newValue } }
    }

    func status() async -> SensorStatus {
        SensorStatus(
            time: WallTime(nanoseconds: 1_765_189_800_000_000_000),
            version: "1.2.3",
            monitoringActive: state.withLock { $0.isActive },
            modelsTrained: false,
            uptime: 42,
            interfaces: [],
            unwatched: [.init(name: "eth1", reason: "not asked for")],
            ledger: LedgerCounts(),
            sampling: SamplingStatus(oneIn: 1, state: .normal),
            samplingHistory: [],
            redis: nil,
            kernelMemory: .init(maps: 1, rings: 2)
        )
    }

    func packets(count: Int, after sequence: UInt64?) async -> PacketList {
        state.withLock { $0.asked = Asked(count: count, after: sequence) }
        return PacketList(time: WallTime(nanoseconds: 1), packets: [], total: 0)
    }

    func ports() async -> PortList {
        PortList(time: WallTime(nanoseconds: 1), tcp: [], udp: [])
    }

    func threats(_ query: ThreatQuery) async -> ThreatList {
        state.withLock { $0.query = query }
        return ThreatList(time: WallTime(nanoseconds: 1), threats: [Threat(Self.incident, .init(), .brief)])
    }

    func threat(id: String) async -> Threat? { id == Self.incident.id ? Threat(Self.incident) : nil }

    func capture(ofThreat id: String) async -> [UInt8]? { id == Self.incident.id ? Array("capture".utf8) : nil }

    /// The one that it holds.
    static let incident: Incident = {
        var table = IncidentTable(IncidentSettings(), sensor: "test")
        let subject = Subject(Address(ipv4: 0xC000_0201), .ipv4)
        let events = table.take([Finding(.flood(.syn), subject, ratio: 2)], at: 1_765_189_800_000_000_000)
        return events[0].incident
    }()

    func start() async throws(ControlError) {
        let wasActive = state.withLock { state in
            defer { state.isActive = true }
            return state.isActive
        }
        if wasActive { throw .alreadyMonitoring }
    }

    func stop() async throws(ControlError) {
        if let failure { throw .failed(failure) }
        state.withLock { $0.isActive = false }
    }
}

/// A folder that is gone, with what is in it, when the value is.
final class Folder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/weir-test-XXXXXX".utf8CString)
        try #require(unsafe mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Runs a dashboard while `body` runs, and waits until it has ended.
func serve(
    at path: String? = nil,
    _ body: (TestControl, String) async throws -> Void
) async throws {
    let folder = try Folder()
    let path = path ?? folder.path + "/weir.sock"
    let control = TestControl()
    let dashboard = Dashboard(control: control, path: path, logger: Logger(label: "test"))
    let (listening, signal) = AsyncStream<Void>.makeStream()
    let server = Task {
        defer { signal.finish() }
        try await dashboard.run { signal.yield() }
    }
    for await _ in listening { break }
    do {
        try await body(control, path)
    } catch {
        server.cancel()
        throw error
    }
    server.cancel()
    try await server.value
}

struct Answer {
    var code: Int
    var head: String
    var body: String
}

func post(_ verb: String, type: String? = nil, body: String = "") -> String {
    let header = type.map { "Content-Type: \($0)\r\n" } ?? ""
    return
        "POST /api/monitoring/\(verb) HTTP/1.1\r\nHost: x\r\n\(header)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

/// Sends raw bytes and reads head and body by the length that the head names. On a thread of its own: the server needs
/// those that run tests.
func exchange(_ path: String, _ request: String) async throws -> Answer {
    try await elsewhere { try exchangeBlocking(path, request) }
}

func elsewhere<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        let job = Job { continuation.resume(with: Swift.Result(catching: body)) }
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            },
            Unmanaged.passRetained(job).toOpaque()
        )
        precondition(code == 0, "no thread")
        pthread_detach(thread)
    }
}

private final class Job: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

private func exchangeBlocking(_ path: String, _ request: String) throws -> Answer {
    let stream = try UnixStream(path: path, timeout: 20)
    try stream.write(Array(request.utf8))
    var text = ""
    while true {
        let chunk = try stream.read(atMost: 65_536)
        text += String(decoding: chunk, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n") else {
            try #require(!chunk.isEmpty, "no whole head: \(text)")
            continue
        }
        let head = String(text[..<end.lowerBound])
        let body = String(text[end.upperBound...])
        let length = head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
        let count = length.flatMap { Int($0.dropFirst(15).drop { $0 == " " }) } ?? 0
        if body.utf8.count >= count || chunk.isEmpty {
            let code = head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            return Answer(code: code, head: head, body: body)
        }
    }
}

/// A connection that says nothing; the caller closes it.
func hold(_ path: String) throws -> Int32 {
    let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    try #require(number >= 0)
    let code = unsafe atAddress(path) { unsafe connect(number, $0, $1) }
    try #require(code == 0)
    return number
}

/// A socket that nobody answers at.
func leaveSocket(at path: String) throws {
    let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    try #require(number >= 0)
    defer { close(number) }
    let code = unsafe atAddress(path) { unsafe bind(number, $0, $1) }
    try #require(code == 0)
}

private func atAddress(_ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
    return unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe call($0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
}
