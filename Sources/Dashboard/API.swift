import HTTPTypes
import Hummingbird
import NIOCore
import Reports

/// The routes: each path with its methods, so that a wrong method is told apart from a wrong path.
struct API: HTTPResponder {
    typealias Context = BasicRequestContext

    let control: any SensorControl

    private typealias Handler = @Sendable (API, Request) async throws(Refusal) -> Response

    private static let routes: [String: [HTTPRequest.Method: Handler]] = [
        "/api/status": [.get: { api, _ in .json(await api.control.status().json()) }],
        "/api/packets": [.get: { api, request throws(Refusal) in try await api.packets(request) }],
        "/api/threats": [.get: { api, request throws(Refusal) in try await api.threats(request) }],
        "/api/threats/ID/packets": [.get: { api, request throws(Refusal) in try await api.capture(request) }],
        "/api/threats/ID": [.get: { api, request throws(Refusal) in try await api.threat(request) }],
        "/api/ports": [.get: { api, _ in .json(await api.control.ports().json()) }],
        "/api/monitoring/start": [.post: { api, request throws(Refusal) in try await api.start(request) }],
        "/api/monitoring/stop": [.post: { api, request throws(Refusal) in try await api.stop(request) }],
    ]

    func respond(to request: Request, context: Context) async -> Response {
        do throws(Refusal) {
            guard let methods = Self.routes[Self.pattern(of: request.uri.path)] else {
                throw Refusal(
                    .notFound,
                    "not_found",
                    "no such path; there are \(Self.routes.keys.sorted().joined(separator: ", "))"
                )
            }
            guard let handler = methods[request.method] else {
                let allowed = methods.keys.map(\.rawValue).sorted().joined(separator: ", ")
                throw Refusal(.methodNotAllowed, "method_not_allowed", "allowed here: \(allowed)", allow: allowed)
            }
            return try await handler(self, request)
        } catch {
            return error.response
        }
    }

    /// The path under which a request's stands in the routes.
    private static func pattern(of path: String) -> String {
        guard path.hasPrefix(threatPath), path != threatPath else { return path }
        return threatPath + (path.hasSuffix(capturePath) ? "ID" + capturePath : "ID")
    }

    private static let threatPath = "/api/threats/"
    private static let capturePath = "/packets"

    private func threats(_ request: Request) async throws(Refusal) -> Response {
        let query = request.uri.queryParameters
        let wanted: ThreatQuery
        do throws(ThreatQueryError) {
            wanted = try ThreatQuery(
                since: query["since"].map(String.init),
                state: query["state"].map(String.init),
                threatClass: query["class"].map(String.init)
            )
        } catch {
            throw Refusal(.badRequest, "bad_request", error.description)
        }
        return .json(await control.threats(wanted).json())
    }

    private func threat(_ request: Request) async throws(Refusal) -> Response {
        let id = String(request.uri.path.dropFirst(Self.threatPath.count))
        guard let threat = await control.threat(id: id) else {
            throw Self.unknownThreat
        }
        return .json(threat.json())
    }

    private func capture(_ request: Request) async throws(Refusal) -> Response {
        let id = request.uri.path.dropFirst(Self.threatPath.count).dropLast(Self.capturePath.count)
        guard let capture = await control.capture(ofThreat: String(id)) else { throw Self.unknownThreat }
        let headers: HTTPFields = [.contentType: "application/x-pcapng", .cacheControl: "no-store"]
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: capture)))
    }

    private static let unknownThreat = Refusal(
        .notFound,
        "not_found",
        "no incident of this id is held; /api/threats lists those that are"
    )

    private func packets(_ request: Request) async throws(Refusal) -> Response {
        let query = request.uri.queryParameters
        var count = 50
        if let text = query["count"] {
            guard let number = Int(text) else {
                throw Refusal(.badRequest, "bad_request", "count must be a whole number; it is clamped to what is held")
            }
            count = max(0, number)
        }
        var sequence: UInt64?
        if let text = query["after"] {
            guard let number = UInt64(text) else {
                throw Refusal(
                    .badRequest,
                    "bad_request",
                    "after must be the sequence of a packet, a whole number from 0"
                )
            }
            sequence = number
        }
        return .json(await control.packets(count: count, after: sequence).json())
    }

    private func start(_ request: Request) async throws(Refusal) -> Response {
        try await accept(request)
        do throws(ControlError) {
            try await control.start()
        } catch {
            switch error {
            case .alreadyMonitoring: throw Refusal(.conflict, "already_monitoring", error.description)
            case .failed(let reason): throw Refusal(.internalServerError, "failed", reason)
            }
        }
        return .success("Monitoring started")
    }

    private func stop(_ request: Request) async throws(Refusal) -> Response {
        try await accept(request)
        do throws(ControlError) {
            try await control.stop()
        } catch {
            throw Refusal(.internalServerError, "failed", error.description)
        }
        return .success("Monitoring stopped")
    }

    /// A command takes no body; an empty or JSON one does no harm, another kind comes from who did not mean this.
    private func accept(_ request: Request) async throws(Refusal) {
        let length: Int
        do {
            length = try await request.body.collect(upTo: Dashboard.Limit.bodyBytes).readableBytes
        } catch {
            throw Refusal(.contentTooLarge, "too_large", "the body may have at most \(Dashboard.Limit.bodyBytes) bytes")
        }
        guard length > 0 else { return }
        let type = request.headers[.contentType]?.split(separator: ";").first.map { $0.lowercased() }
        guard type == "application/json" else {
            throw Refusal(.unsupportedMediaType, "unsupported_media_type", "send no body, or application/json")
        }
    }
}

/// A request that is not done, as a status and `{"error":{"code","message"}}`.
private struct Refusal: Error {
    let status: HTTPResponse.Status
    let code: String
    let message: String
    var allow: String?

    init(_ status: HTTPResponse.Status, _ code: String, _ message: String, allow: String? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.allow = allow
    }

    var response: Response {
        var json = JSONWriter()
        json.object { json in
            json.object("error") { json in
                json.field("code", code)
                json.field("message", message, limit: 1_024)
            }
        }
        var response = Response.json(json.bytes, status: status)
        if let allow { response.headers[.allow] = allow }
        // What is left of a body that is too large is not read; the connection cannot be used again.
        if status == .contentTooLarge { response.headers[.connection] = "close" }
        return response
    }
}

extension Response {
    fileprivate static func json(_ bytes: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        let headers: HTTPFields = [.contentType: "application/json", .cacheControl: "no-store"]
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    fileprivate static func success(_ message: String) -> Response {
        var json = JSONWriter()
        json.object { json in
            json.field("status", "success")
            json.field("message", message)
        }
        return .json(json.bytes)
    }
}
