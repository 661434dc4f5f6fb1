import FoundationEssentials

/// What a client reads from the published document; the same rows are in the answer of `GET /api/status`.
public struct SensorDocument: Decodable, Sendable {
    public struct Point: Decodable, Sendable {
        public let timestamp: String
        /// Mbit/s.
        public let download, upload: Double
    }

    public struct Port: Decodable, Sendable {
        public let port: UInt16
        public let `protocol`, service, program, status, risk: String
        /// Of a TCP service.
        public let connections: Connections?
        public let addresses: [String]
    }

    public struct Connections: Decodable, Equatable, Sendable {
        public let offered, answered, completed: UInt64

        public init(offered: UInt64, answered: UInt64, completed: UInt64) {
            self.offered = offered
            self.answered = answered
            self.completed = completed
        }
    }

    public let networkSpeeds: [Point]
    public let openPorts: [Port]
    public let udpPorts: [Port]
    public let isConnected: Bool
    public let lastUpdate: String
    public let interfaces: [Interface]
    public let ledger: Ledger

    public init(_ json: [UInt8]) throws {
        self = try JSONDecoder().decode(SensorDocument.self, from: Data(json))
    }

    public struct Volume: Decodable, Equatable, Sendable {
        public var packets: UInt64 = 0
        public var bytes: UInt64 = 0

        public init(packets: UInt64, bytes: UInt64) {
            self.packets = packets
            self.bytes = bytes
        }
    }

    public struct Direction: Decodable, Sendable {
        public let packets, bytes: UInt64
        /// What only counting by header tells.
        public let frames: UInt64?
        public let ipv4, ipv6, otherFamily, tcp, udp, icmp, otherProtocol: Volume?
        public let fragments, malformed: UInt64?

        public var volume: Volume { Volume(packets: packets, bytes: bytes) }
    }

    public struct Interface: Decodable, Sendable {
        public let name: String
        public let index, epoch: UInt32
        public let source: String
        public let up: Bool
        public let rx, tx: Direction
    }

    public struct Ledger: Decodable, Sendable {
        public let offered, skipped, kept, dropped, read, decoded, malformed, shed, residue: UInt64
    }
}

/// The answer of `GET /api/status`, as far as tests look at it.
public struct StatusDocument: Decodable, Sendable {
    public struct Unwatched: Decodable, Sendable {
        public let name, reason: String
    }

    public struct Sampling: Decodable, Sendable {
        public let n: UInt32
        public let state: String
    }

    public struct Redis: Decodable, Sendable {
        public let state, cause, address: String
        public let published, lost: UInt64
    }

    public let timestamp: String
    public let monitoringActive: Bool
    public let interfaces: [SensorDocument.Interface]
    public let notWatched: [Unwatched]
    public let ledger: SensorDocument.Ledger
    public let sampling: Sampling
    public let redis: Redis

    public init(_ json: [UInt8]) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(StatusDocument.self, from: Data(json))
    }

    public func interface(_ name: String) -> SensorDocument.Interface? { interfaces.first { $0.name == name } }
}
