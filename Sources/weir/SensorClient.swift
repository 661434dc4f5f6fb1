import Glibc
import Linux

/// Asks a running sensor over its unix socket: HTTP/1.1, one request a connection, blocking, bounded.
struct SensorClient {
    let path: String

    /// Longest answer that is read.
    private static let limit = 16 << 20
    /// Seconds that any step may wait.
    private static let patience = 5

    enum ClientError: Error, CustomStringConvertible {
        /// Nobody answers.
        case notRunning(path: String)
        case noPermission(path: String)
        case failed(SystemError)
        /// What came is no HTTP answer, or too long.
        case unreadable(String)
        /// The sensor refused: status and its message.
        case refused(Int, String)

        var description: String {
            switch self {
            case .notRunning(let path):
                "no sensor answers at \(path): start one with `weir run`, or name its directory with --data-dir"
            case .noPermission(let path): "\(path) is for root alone: run this with sudo"
            case .failed(let error): "the sensor does not answer: \(error)"
            case .unreadable(let reason): "the sensor's answer cannot be read: \(reason)"
            case .refused(let code, let message): "the sensor refused (\(code)): \(message)"
            }
        }

        var status: ExitStatus {
            switch self {
            case .notRunning: .unavailable
            case .noPermission: .noPermission
            case .failed: .inputOutput
            case .unreadable, .refused: .badData
            }
        }
    }

    /// The body of the answer.
    func get(_ target: String) throws(ClientError) -> [UInt8] {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try exchange("GET \(target) HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n")
        } catch {
            switch error.errno.rawValue {
            case ENOENT, ECONNREFUSED: throw .notRunning(path: path)
            case EACCES: throw .noPermission(path: path)
            default: throw .failed(error)
            }
        }
        let answer = try HTTPAnswer(bytes)
        guard answer.status == 200 else {
            throw .refused(answer.status, String(harmless: answer.body, limit: 512))
        }
        return answer.body
    }

    private func exchange(_ request: String) throws(SystemError) -> [UInt8] {
        let stream = try UnixStream(path: path, timeout: Self.patience)
        try stream.write(Array(request.utf8))
        var bytes: [UInt8] = []
        while bytes.count <= Self.limit {
            let chunk = try stream.read(atMost: 65_536)
            if chunk.isEmpty { break }
            bytes += chunk
        }
        return bytes
    }
}

/// A whole HTTP/1.1 answer (RFC 9112): status and body, by length or in chunks.
struct HTTPAnswer: Equatable {
    let status: Int
    let body: [UInt8]

    init(_ bytes: [UInt8]) throws(SensorClient.ClientError) {
        guard let end = bytes.firstRange(of: [13, 10, 13, 10]) else { throw .unreadable("its head is not whole") }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            throw .unreadable("it does not begin as HTTP")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw .unreadable("a header has no colon") }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            headers[line[..<colon].lowercased()] = String(value)
        }
        let rest = bytes[end.upperBound...]
        self.status = status
        if headers["transfer-encoding"]?.lowercased() == "chunked" {
            body = try Self.joined(rest)
        } else if let text = headers["content-length"] {
            guard let length = Int(text), length >= 0, rest.count >= length else {
                throw .unreadable("\(rest.count) bytes came of \(text)")
            }
            body = Array(rest.prefix(length))
        } else {
            body = Array(rest)
        }
    }

    private static func joined(_ chunks: ArraySlice<UInt8>) throws(SensorClient.ClientError) -> [UInt8] {
        var rest = chunks
        var body: [UInt8] = []
        while let end = rest.firstRange(of: [13, 10]) {
            let size = String(decoding: rest[..<end.lowerBound].prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self)
            guard let count = Int(size, radix: 16), count >= 0 else { throw .unreadable("a chunk has no size") }
            if count == 0 { return body }
            let after = rest[end.upperBound...]
            guard after.count - count >= 2 else { break }
            body += after.prefix(count)
            rest = after.dropFirst(count + 2)
        }
        throw .unreadable("it ends within a chunk")
    }
}
