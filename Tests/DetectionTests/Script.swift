import Flows
import Packets
import Support

/// Frames of connections that go as a test says, and what the flow tables make of them.
struct Script {
    static let second: Int64 = 1_000_000_000

    private(set) var frames: [(time: Int64, bytes: [UInt8])] = []

    /// One TCP connection. Times are in seconds.
    struct Connection {
        let client: String
        let server: String
        let clientPort: UInt16
        let serverPort: UInt16
        var window: UInt16 = 64_240
        fileprivate var sequence: UInt32 = 1_000
        fileprivate var acknowledgement: UInt32 = 500_000
    }

    mutating func add(_ time: Double, _ bytes: [UInt8]) {
        frames.append((Int64(time * Double(Self.second)), bytes))
    }

    mutating func send(
        _ connection: inout Connection,
        at time: Double,
        _ flags: PacketBuilder.Flags,
        _ payload: [UInt8]
    ) {
        add(
            time,
            PacketBuilder().ethernet().ipv4(from: connection.client, to: connection.server)
                .tcp(
                    from: connection.clientPort,
                    to: connection.serverPort,
                    flags: flags,
                    sequence: connection.sequence,
                    acknowledgement: connection.acknowledgement,
                    window: connection.window
                ).payload(payload).bytes
        )
        let marks: UInt32 = flags.isDisjoint(with: [.syn, .fin]) ? 0 : 1
        connection.sequence &+= UInt32(payload.count) + marks
    }

    mutating func answer(
        _ connection: inout Connection,
        at time: Double,
        _ flags: PacketBuilder.Flags,
        _ payload: [UInt8] = []
    ) {
        add(
            time,
            PacketBuilder().ethernet().ipv4(from: connection.server, to: connection.client)
                .tcp(
                    from: connection.serverPort,
                    to: connection.clientPort,
                    flags: flags,
                    sequence: connection.acknowledgement,
                    acknowledgement: connection.sequence
                ).payload(payload).bytes
        )
        let marks: UInt32 = flags.isDisjoint(with: [.syn, .fin]) ? 0 : 1
        connection.acknowledgement &+= UInt32(payload.count) + marks
    }

    /// SYN, SYN with ACK, ACK.
    mutating func open(
        at time: Double,
        from client: String = "198.51.100.1",
        to server: String = "192.0.2.1",
        port: UInt16 = 80,
        clientPort: UInt16,
        window: UInt16 = 64_240
    ) -> Connection {
        var connection = Connection(
            client: client,
            server: server,
            clientPort: clientPort,
            serverPort: port,
            window: window
        )
        send(&connection, at: time, [.syn], [])
        answer(&connection, at: time + 0.001, [.syn, .ack])
        send(&connection, at: time + 0.002, [.ack], [])
        return connection
    }

    /// What the client says, acknowledged by the server.
    mutating func say(_ connection: inout Connection, at time: Double, _ text: String) {
        send(&connection, at: time, [.psh, .ack], Array(text.utf8))
        answer(&connection, at: time + 0.001, [.ack])
    }

    /// An answer of so many bytes, in packets of at most 1,400, acknowledged by the client.
    mutating func reply(_ connection: inout Connection, at time: Double, bytes: Int) {
        var left = bytes
        while left > 0 {
            answer(&connection, at: time, [.psh, .ack], [UInt8](repeating: 0x78, count: min(left, 1_400)))
            left -= 1_400
        }
        send(&connection, at: time + 0.001, [.ack], [])
    }

    mutating func close(_ connection: inout Connection, at time: Double) {
        send(&connection, at: time, [.fin, .ack], [])
        answer(&connection, at: time + 0.001, [.fin, .ack])
        send(&connection, at: time + 0.002, [.ack], [])
    }

    /// The windows of all frames, in the order of time.
    /// - Parameters:
    ///   - hasBytes: whether payload is read.
    ///   - workers: that share the shards.
    func windows(hasBytes: Bool = true, workers: Int = 1, snap: Int = .max) -> [Observation] {
        let sorted = frames.enumerated()
            .sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
            .map(\.element)
        var windows: [Int64: Observation] = [:]
        for worker in 0..<workers {
            var settings = FlowSettings()
            settings.observes = true
            var tables = FlowTables(settings, map: ShardMap(seed: 0, workers: workers), worker: worker)
            for frame in sorted {
                let part = Array(frame.bytes.prefix(snap))
                let bytes = unsafe part.span.bytes
                var packet = Packet(decoding: bytes, wireLength: frame.bytes.count)
                if tables.advance(to: frame.time) { tables.drain { _ in } }
                while let window = tables.takeObservation() { windows.merge(window) }
                let ended =
                    hasBytes
                    ? tables.add(&packet, bytes, time: frame.time, interface: 0)
                    : tables.add(&packet, time: frame.time, interface: 0)
                if ended { tables.drain { _ in } }
            }
            tables.endObservation()
            while let window = tables.takeObservation() { windows.merge(window) }
        }
        return windows.values.sorted { $0.number < $1.number }
            .map { window in
                var window = window
                window.settle()
                return window
            }
    }
}

extension [Int64: Observation] {
    fileprivate mutating func merge(_ window: Observation) {
        if self[window.number]?.merge(window) == nil { self[window.number] = window }
    }
}
