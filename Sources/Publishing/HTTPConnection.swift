import Linux
import NIOCore
import NIOHTTP1
import NIOPosix
import Reports
import Synchronization

/// One connection to an HTTP/1.1 server, for one request after another, from one thread. Closed when it is let go.
///
/// SwiftNIO connects, sends and parses on the event loops that the sensor's own server uses as well; the caller waits,
/// never longer than publishing lasts.
final class HTTPConnection: Sendable {
    struct Answer {
        var status: Int
        /// How its body begins.
        var excerpt: [UInt8]
    }

    private let channel: any Channel
    private let exchange: Exchange
    private let address: HTTPAddress

    /// One thread for all services, made with the first connection. Not the library's shared threads: how many these are is
    /// the server's to say, before anyone uses them.
    private static let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    static func open(
        _ address: HTTPAddress,
        within limit: Int64,
        _ outbox: Outbox
    ) throws(DeliveryFailure) -> HTTPConnection {
        let exchange: Exchange
        let connected: Event
        do throws(SystemError) {
            exchange = try Exchange()
            connected = try Event()
        } catch {
            throw .http("unreachable", "cannot connect: \(error)")
        }
        let attempt = Attempt()
        ClientBootstrap(group: Self.loop)
            .connectTimeout(.nanoseconds(limit))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    var limits = NIOHTTPDecoderLimitConfiguration()
                    limits.maxHeaderFieldSize = 8_192
                    limits.maxHeaderListSize = 65_536
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHTTPClientHandlers(decoderLimitConfiguration: limits)
                    try pipeline.addHandler(AnswerHandler(exchange))
                }
            }
            .connect(host: address.host, port: Int(address.port))
            .whenComplete { outcome in
                attempt.finish(outcome)
                connected.signal()
            }
        guard outbox.wait(for: connected, within: limit + 500_000_000) else {
            attempt.abandon()
            throw .http("timeout", "cannot connect: no answer in time")
        }
        switch attempt.outcome {
        case .success(let channel): return HTTPConnection(channel, exchange, address)
        case .failure(let error): throw .http("unreachable", "cannot connect: \(describe(error))")
        case nil: throw .http("timeout", "cannot connect: no answer in time")
        }
    }

    private init(_ channel: any Channel, _ exchange: Exchange, _ address: HTTPAddress) {
        self.channel = channel
        self.exchange = exchange
        self.address = address
    }

    deinit {
        channel.close(promise: nil)
    }

    var isOpen: Bool { channel.isActive && !exchange.isClosed }

    /// Sends a JSON body and waits for the whole answer. After a failure the connection is of no use.
    func post(_ body: [UInt8], within limit: Int64, _ outbox: Outbox) throws(DeliveryFailure) -> Answer {
        exchange.begin()
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: address.path)
        head.headers = [
            "Host": address.authority, "User-Agent": "weir", "Accept": "application/json",
            "Content-Type": "application/json", "Content-Length": String(body.count),
        ]
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        channel.write(HTTPClientRequestPart.body(.byteBuffer(channel.allocator.buffer(bytes: body))), promise: nil)
        channel.writeAndFlush(HTTPClientRequestPart.end(nil)).whenFailure { [exchange] error in
            exchange.end(.http("closed", "connection lost: \(Self.describe(error))"))
        }
        guard outbox.wait(for: exchange.done, within: limit) else { throw .http("timeout", "no answer in time") }
        return try exchange.result().get()
    }

    /// For people: what the kernel or the resolver said, without the library's names.
    static func describe(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if let failure = error.connectionErrors.first { return describe(failure.error) }
            return "the name \(error.host) cannot be resolved"
        case let error as IOError: return Errno(rawValue: error.errnoCode).description
        case ChannelError.connectTimeout: return "no answer in time"
        default: return String(harmless: "\(error)".utf8, limit: 120)
        }
    }
}

extension DeliveryFailure {
    static func http(_ label: String, _ text: String) -> DeliveryFailure {
        DeliveryFailure(label: label, text: text, state: .down, pause: .growing)
    }
}

/// A connection being made, which may come too late.
private final class Attempt: Sendable {
    private struct State {
        var outcome: Result<any Channel, any Error>?
        var isAbandoned = false
    }

    private let state = Mutex(State())

    var outcome: Result<any Channel, any Error>? { state.withLock { $0.outcome } }

    func finish(_ outcome: Result<any Channel, any Error>) {
        let isLate = state.withLock { state in
            state.outcome = outcome
            return state.isAbandoned
        }
        if isLate, case .success(let channel) = outcome { channel.close(promise: nil) }
    }

    func abandon() {
        let late = state.withLock { state in
            state.isAbandoned = true
            return state.outcome
        }
        if case .success(let channel) = late { channel.close(promise: nil) }
    }
}

/// A request under way: what the event loop hears and the caller waits for.
private final class Exchange: Sendable {
    private struct State {
        /// Nil while no answer is waited for.
        var answer: HTTPConnection.Answer?
        var result: Result<HTTPConnection.Answer, DeliveryFailure>?
        var received = 0
        var isWaiting = false
        var isClosed = false
    }

    private let state = Mutex(State())
    /// Readable when the request under way has a result.
    let done: Event

    /// Of an answer's body; what is longer ends the connection.
    private static let bodyLimit = 1 << 20
    private static let excerptLimit = 256

    init() throws(SystemError) {
        done = try Event()
    }

    // MARK: The caller

    var isClosed: Bool { state.withLock { $0.isClosed } }

    func begin() {
        done.clear()
        let isClosed = state.withLock { state in
            (state.answer, state.result, state.received, state.isWaiting) = (nil, nil, 0, true)
            return state.isClosed
        }
        if isClosed { end(.http("closed", "connection lost")) }
    }

    func result() -> Result<HTTPConnection.Answer, DeliveryFailure> {
        state.withLock { $0.result ?? .failure(.http("timeout", "no answer in time")) }
    }

    // MARK: The event loop

    /// False when no answer was asked for.
    func head(_ status: Int, staysOpen: Bool) -> Bool {
        state.withLock { state in
            guard state.isWaiting else { return false }
            state.answer = HTTPConnection.Answer(status: status, excerpt: [])
            if !staysOpen { state.isClosed = true }
            return true
        }
    }

    /// False when the body has become too long: the answer is complete as far as it matters.
    func body(_ bytes: ByteBuffer) -> Bool {
        let goesOn = state.withLock { state in
            state.received += bytes.readableBytes
            let room = max(0, Self.excerptLimit - (state.answer?.excerpt.count ?? 0))
            state.answer?.excerpt.append(contentsOf: bytes.readableBytesView.prefix(room))
            return state.received <= Self.bodyLimit
        }
        if !goesOn { end(nil) }
        return goesOn
    }

    /// The answer is whole, or there will be none.
    func end(_ failure: DeliveryFailure?) {
        state.withLock { state in
            if failure != nil || state.received > Self.bodyLimit { state.isClosed = true }
            guard state.isWaiting else { return }
            state.isWaiting = false
            if let failure {
                state.result = .failure(failure)
            } else if let answer = state.answer {
                state.result = .success(answer)
            } else {
                state.result = .failure(.http("protocol", "an answer without a head"))
            }
        }
        done.signal()
    }
}

private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let exchange: Exchange

    init(_ exchange: Exchange) {
        self.exchange = exchange
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if !exchange.head(Int(head.status.code), staysOpen: head.isKeepAlive) { context.close(promise: nil) }
        case .body(let bytes):
            if !exchange.body(bytes) { context.close(promise: nil) }
        case .end:
            exchange.end(nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let isTransport = error is IOError || error is ChannelError
        let (label, text) = isTransport ? ("closed", "connection lost") : ("protocol", "not an HTTP answer")
        exchange.end(.http(label, "\(text): \(HTTPConnection.describe(error))"))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        exchange.end(.http("closed", "connection lost"))
        context.fireChannelInactive()
    }
}
