import CHiredis
import Glibc
import Linux

/// Reads from Redis what was published there, to check it: a second connection that blocks, for the command line alone.
@safe public struct RedisReader: ~Copyable {
    private let context: UnsafeMutablePointer<redisContext>
    /// Seconds that any answer may take.
    private static let patience = 10

    /// Connects and says who we are.
    public static func open(_ address: RedisAddress) throws(RedisReaderError) -> RedisReader {
        let reader = try unsafe RedisReader(owning: connect(address))
        if address.password != nil || address.user != nil {
            let words = ["AUTH", address.user, address.password?.value ?? ""].compactMap(\.self)
            guard case .status = try reader.ask(words) else { throw .failed("\(address) refused the password") }
        }
        if address.database != 0 { _ = try reader.ask(["SELECT", String(address.database)]) }
        return reader
    }

    private static func connect(_ address: RedisAddress) throws(RedisReaderError) -> UnsafeMutablePointer<redisContext>
    {
        let limit = timeval(tv_sec: patience, tv_usec: 0)
        let made: UnsafeMutablePointer<redisContext>?
        switch address.transport {
        case .tcp(let host, let port): unsafe made = redisConnectWithTimeout(host, Int32(port), limit)
        case .unix(let path): unsafe made = redisConnectUnixWithTimeout(path, limit)
        }
        guard let made = unsafe made else { throw .failed("out of memory") }
        guard unsafe made.pointee.err == 0 else {
            let reason = unsafe errorText(made)
            unsafe redisFree(made)
            throw .failed("cannot connect to \(address): \(reason)")
        }
        _ = unsafe redisSetTimeout(made, limit)
        return unsafe made
    }

    private init(owning context: UnsafeMutablePointer<redisContext>) {
        unsafe self.context = unsafe context
    }

    deinit {
        unsafe redisFree(context)
    }

    /// A key's value; nil when there is none.
    public func value(of key: String) throws(RedisReaderError) -> [UInt8]? {
        guard case .bytes(let bytes) = try ask(["GET", key]) else { return nil }
        return bytes
    }

    /// Seconds that a key still stands; below 0 when it is not there or stands for ever.
    public func timeToLive(of key: String) throws(RedisReaderError) -> Int {
        guard case .integer(let seconds) = try ask(["TTL", key]) else { return -2 }
        return Int(seconds)
    }

    /// Listens to a channel; nothing else can be asked from then on.
    public func subscribe(to channel: String) throws(RedisReaderError) {
        guard case .list = try ask(["SUBSCRIBE", channel]) else { throw .failed("cannot subscribe to \(channel)") }
    }

    /// Waits for the next message of the channel; nil when none came in time.
    public func nextMessage() throws(RedisReaderError) -> [UInt8]? {
        var object: UnsafeMutableRawPointer?
        guard unsafe redisGetReply(context, &object) == REDIS_OK, let object = unsafe object else {
            // The time-out: the library has no name for it.
            if unsafe context.pointee.err == REDIS_ERR_IO, Errno.current.rawValue == EAGAIN { return nil }
            throw .failed(unsafe RedisReader.errorText(context))
        }
        defer { unsafe freeReplyObject(object) }
        guard case .list(let parts) = unsafe Self.answer(object.assumingMemoryBound(to: redisReply.self)) else {
            return nil
        }
        return parts.last ?? nil
    }

    private enum Answer {
        case status
        case integer(Int64)
        case bytes([UInt8])
        case list([[UInt8]])
        case nothing
    }

    private func ask(_ words: [String]) throws(RedisReaderError) -> Answer {
        var lengths = words.map(\.utf8.count)
        let object = unsafe Self.withPointers(words[...], []) { pointers in
            var pointers = unsafe pointers
            return unsafe redisCommandArgv(context, Int32(pointers.count), &pointers, &lengths)
        }
        guard let object = unsafe object else { throw .failed(unsafe RedisReader.errorText(context)) }
        defer { unsafe freeReplyObject(object) }
        return unsafe Self.answer(object.assumingMemoryBound(to: redisReply.self))
    }

    private static func withPointers<Result>(
        _ rest: ArraySlice<String>,
        _ pointers: [UnsafePointer<CChar>?],
        _ body: ([UnsafePointer<CChar>?]) -> Result
    ) -> Result {
        guard let next = rest.first else { return unsafe body(pointers) }
        return unsafe next.withCString { unsafe withPointers(rest.dropFirst(), pointers + [$0], body) }
    }

    private static func answer(_ reply: UnsafeMutablePointer<redisReply>) -> Answer {
        switch unsafe reply.pointee.type {
        case REDIS_REPLY_STATUS: return .status
        case REDIS_REPLY_INTEGER: return .integer(unsafe reply.pointee.integer)
        case REDIS_REPLY_STRING: return .bytes(unsafe bytes(of: reply))
        case REDIS_REPLY_ARRAY:
            var parts: [[UInt8]] = []
            for index in 0..<(unsafe reply.pointee.elements) {
                guard let element = unsafe reply.pointee.element[index] else { continue }
                parts.append(unsafe element.pointee.type == REDIS_REPLY_STRING ? bytes(of: element) : [])
            }
            return .list(parts)
        default: return .nothing
        }
    }

    private static func bytes(of reply: UnsafeMutablePointer<redisReply>) -> [UInt8] {
        unsafe Array(UnsafeRawBufferPointer(start: reply.pointee.str, count: reply.pointee.len))
    }

    private static func errorText(_ context: UnsafeMutablePointer<redisContext>) -> String {
        unsafe withUnsafeBytes(of: context.pointee.errstr) { bytes in
            unsafe String(harmless: Array(bytes.prefix { $0 != 0 }), limit: 120)
        }
    }
}

/// What kept a reader from its answer, for people.
public enum RedisReaderError: Error, Equatable, Sendable, CustomStringConvertible {
    case failed(String)

    public var description: String {
        switch self {
        case .failed(let reason): reason
        }
    }
}
