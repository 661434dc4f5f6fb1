import CHiredis
import Glibc
import Linux

/// One connection to Redis, closed when the value ends. Used by one thread.
///
/// hiredis connects, formats and parses; waiting is done here, by `poll` with a deadline, because the library's own
/// timeouts bound a single read, not a command, and get lost when it reconnects. The commands used are answered by one
/// line or one short word each; anything else ends the connection before the library sets memory aside for it.
@safe struct RedisConnection: ~Copyable {
    private let context: UnsafeMutablePointer<redisContext>
    private let secrets: [Secret?]

    /// Bytes of one reply line beyond which a server is not trusted.
    private static let lineLimit = 16_384

    /// Connects, says who we are, chooses the database, and waits until the server has answered, so that a server that
    /// is stopped gets no documents to act upon later.
    /// - Parameters:
    ///   - patience: nanoseconds for the connection itself; name resolution is not bounded by it.
    ///   - answer: nanoseconds for the answer to what is said at the beginning.
    static func open(
        _ address: RedisAddress,
        patience: Int64,
        answer: Int64
    ) throws(RedisFailure) -> RedisConnection {
        let limit = timeval(tv_sec: Int(patience / 1_000_000_000), tv_usec: Int(patience % 1_000_000_000 / 1_000))
        let made: UnsafeMutablePointer<redisContext>?
        switch address.transport {
        case .tcp(let host, let port): unsafe made = redisConnectWithTimeout(host, Int32(port), limit)
        case .unix(let path): unsafe made = redisConnectUnixWithTimeout(path, limit)
        }
        guard let made = unsafe made else { throw .unreachable("out of memory") }
        guard unsafe made.pointee.err == 0 else {
            let reason = unsafe RedisConnection.errorText(made)
            unsafe redisFree(made)
            throw .unreachable(reason)
        }
        let connection = unsafe RedisConnection(owning: made, to: address)
        try connection.greet(address, deadline: Clock.monotonic.now() + answer)
        return connection
    }

    private init(owning context: UnsafeMutablePointer<redisContext>, to address: RedisAddress) {
        unsafe self.context = context
        secrets = [address.password]
        // Not inherited by children, and never blocking; a dead peer is found even while nothing is said.
        let descriptor = unsafe context.pointee.fd
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        unsafe context.pointee.flags &= ~REDIS_BLOCK
        if case .tcp = address.transport { _ = unsafe redisEnableKeepAlive(context) }
    }

    deinit {
        unsafe redisFree(context)
    }

    /// For `poll`: readable while nothing was asked means that the connection ended or the server misbehaves.
    var descriptor: Int32 { unsafe context.pointee.fd }

    private func greet(_ address: RedisAddress, deadline: Int64) throws(RedisFailure) {
        var commands: [[[UInt8]]] = []
        if address.password != nil || address.user != nil {
            let words = ["AUTH", address.user, address.password?.value ?? ""].compactMap(\.self)
            commands.append(words.map { Array($0.utf8) })
        }
        if address.database != 0 { commands.append([Array("SELECT".utf8), Array(String(address.database).utf8)]) }
        commands.append([Array("PING".utf8)])
        for (command, reply) in zip(commands, try run(commands, deadline: deadline)) {
            guard case .refused(let refusal) = reply else { continue }
            switch (command[0], refusal.code) {
            case (Array("AUTH".utf8), .loading), (Array("AUTH".utf8), .busy): throw .refused(refusal)
            case (Array("AUTH".utf8), _):
                // Without a password set there, or with AUTH renamed, the code says only ERR; it is about credentials
                // still. The server's words are not repeated: some quote the beginning of what was sent.
                let code = refusal.action == .authenticate ? refusal.code : .wrongPassword
                throw .refused(Refusal(code: code, text: "\(refusal.code.rawValue): AUTH was refused"))
            case (Array("SELECT".utf8), _): throw .refused(refusal)
            case (_, .noAuthentication), (_, .denied): throw .refused(refusal)
            default: continue  // A user without the right to PING may still publish.
            }
        }
    }

    // MARK: Commands

    enum Reply: Equatable {
        case status
        case integer
        case word
        case refused(Refusal)
    }

    /// Sends all commands at once and waits for one answer to each.
    /// - Parameters:
    ///   - commands: each a list of arguments, sent as they are.
    ///   - deadline: on the monotonic clock, nanoseconds.
    /// - Throws: what ended the connection; it is of no use then.
    func run(_ commands: [[[UInt8]]], deadline: Int64) throws(RedisFailure) -> [Reply] {
        let (replies, failure) = pipeline(commands, deadline: deadline)
        if let failure { throw failure }
        return replies
    }

    /// As `run`, but keeps the answers that came before a failure.
    func pipeline(_ commands: [[[UInt8]]], deadline: Int64) -> (replies: [Reply], failure: RedisFailure?) {
        var replies: [Reply] = []
        do throws(RedisFailure) {
            for command in commands {
                guard append(command) else { throw .closed("out of memory") }
            }
            try flush(deadline: deadline)
            for _ in commands { replies.append(try read(deadline: deadline)) }
            guard unread == 0 else { throw .violation("more answers than commands") }
        } catch {
            return (replies, error)
        }
        return (replies, nil)
    }

    /// Call when the descriptor is readable though nothing was asked.
    func whyReadable() -> RedisFailure {
        guard unsafe redisBufferRead(context) == REDIS_OK else { return failure() }
        return .violation("an answer without a command")
    }

    private func append(_ arguments: [[UInt8]]) -> Bool {
        var lengths = arguments.map(\.count)
        func withPointers(_ rest: ArraySlice<[UInt8]>, _ pointers: [UnsafePointer<CChar>?]) -> Bool {
            guard let next = rest.first else {
                var pointers = unsafe pointers
                return unsafe redisAppendCommandArgv(context, Int32(pointers.count), &pointers, &lengths) == REDIS_OK
            }
            return unsafe next.withUnsafeBytes { bytes in
                unsafe withPointers(rest.dropFirst(), pointers + [bytes.bindMemory(to: CChar.self).baseAddress])
            }
        }
        return unsafe withPointers(arguments[...], [])
    }

    private func flush(deadline: Int64) throws(RedisFailure) {
        while true {
            var done: Int32 = 0
            guard unsafe redisBufferWrite(context, &done) == REDIS_OK else { throw failure() }
            if done != 0 { return }
            try wait(for: Int16(POLLOUT), deadline: deadline)
        }
    }

    private func read(deadline: Int64) throws(RedisFailure) -> Reply {
        var isInspected = false
        while true {
            if unread > 0 {
                if !isInspected { isInspected = try inspect() }
                var object: UnsafeMutableRawPointer?
                if isInspected {
                    guard unsafe redisGetReplyFromReader(context, &object) == REDIS_OK else { throw failure() }
                }
                if let object = unsafe object {
                    defer { unsafe freeReplyObject(object) }
                    return try unsafe reply(of: object.assumingMemoryBound(to: redisReply.self))
                }
                guard unread <= RedisConnection.lineLimit else { throw .violation("an answer without end") }
            }
            try wait(for: Int16(POLLIN), deadline: deadline)
            guard unsafe redisBufferRead(context) == REDIS_OK else { throw failure() }
        }
    }

    /// Looks at the next reply before the library does: a line (`+`, `-`, `:`) or a word of at most 99 bytes, such as the
    /// id of an entry; never an array, a push or a long bulk, whose headers may claim any size.
    /// - Returns: false when more bytes are needed to tell.
    private func inspect() throws(RedisFailure) -> Bool {
        guard let reader = unsafe context.pointee.reader, let buffer = unsafe reader.pointee.buf else { return true }
        let head = (0..<min(unread, 4)).map { unsafe UInt8(bitPattern: buffer[Int(reader.pointee.pos) + $0]) }
        switch head[0] {
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ":"): return true
        case UInt8(ascii: "$"):
            let digits = head.dropFirst().prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            if digits.count + 1 == head.count, digits.count < 3 { return false }
            guard (1...2).contains(digits.count), head[digits.count + 1] == UInt8(ascii: "\r") else { break }
            return true
        default: break
        }
        throw .violation("a reply of an unexpected kind")
    }

    private func reply(of object: UnsafeMutablePointer<redisReply>) throws(RedisFailure) -> Reply {
        switch unsafe object.pointee.type {
        case REDIS_REPLY_STATUS: return .status
        case REDIS_REPLY_INTEGER: return .integer
        case REDIS_REPLY_STRING: return .word
        case REDIS_REPLY_ERROR:
            let text = unsafe UnsafeRawBufferPointer(start: object.pointee.str, count: object.pointee.len)
            return .refused(Refusal(reply: unsafe Array(text), hiding: secrets))
        default: throw .violation("a reply of an unexpected kind")
        }
    }

    /// Bytes read ahead and not parsed.
    private var unread: Int {
        guard let reader = unsafe context.pointee.reader else { return 0 }
        return unsafe Int(reader.pointee.len) - Int(reader.pointee.pos)
    }

    private func wait(for events: Int16, deadline: Int64) throws(RedisFailure) {
        let left = deadline - Clock.monotonic.now()
        guard left > 0 else { throw .timeout }
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        // Rounded up, so that the last part of a millisecond is not spent in a busy loop.
        let ready = unsafe poll(&entry, 1, Int32(clamping: (left + 999_999) / 1_000_000))
        if ready == 0 { throw .timeout }
    }

    // MARK: Errors

    private func failure() -> RedisFailure {
        let text = unsafe RedisConnection.errorText(context)
        return unsafe context.pointee.err == REDIS_ERR_PROTOCOL ? .violation(text) : .closed(text)
    }

    private static func errorText(_ context: UnsafeMutablePointer<redisContext>) -> String {
        unsafe withUnsafeBytes(of: context.pointee.errstr) { bytes in
            unsafe String(harmless: Array(bytes.prefix { $0 != 0 }), limit: 120)
        }
    }
}
