import CLinux
import Glibc
import Linux
import Support

/// The namespace of a measurement: a veth pair whose far end is watched, and a service on it.
enum Traffic {
    static let service: UInt16 = 8_000
    static let clients = 65_000

    /// 60 bytes, the shortest Ethernet knows: most packets for the bytes.
    static let request = request(from: 0)

    static func request(from client: Int) -> [UInt8] {
        link.ipv4(from: address(of: client), to: "198.18.0.2").udp(from: 40_000, to: service).payload(count: 18).bytes
    }

    private static func address(of client: Int) -> String {
        "10.\(client >> 16).\(client >> 8 & 0xFF).\(client & 0xFF)"
    }

    /// A spoofed flood's.
    static let synchronize = link.ipv4(from: "10.0.0.0", to: "198.18.0.2").tcp(from: 40_000, to: service, flags: [.syn])
        .bytes

    private static let link = PacketBuilder().ethernet()

    /// Runs `body` in the namespace while something listens on the service's port.
    static func with(_ body: () throws -> Void) throws {
        try VethPair.with {
            // Without it a veth takes no frames from XDP.
            let outcome = ChildProcess.run(["/usr/sbin/ethtool", "-K", VethPair.far, "gro", "on"])
            guard outcome.status == 0 else { throw SystemError("ethtool: \(outcome.text)", Errno(rawValue: EINVAL)) }
            let listener = try listen()
            try body()
            _ = listener.rawValue
        }
    }

    /// Answers every client once, as the service would, so that the counters know them.
    static func answerClients() throws {
        let answers = (0..<clients).map { number in
            link.ipv4(from: "198.18.0.2", to: address(of: number)).udp(from: service, to: 40_000).payload(count: 18)
                .bytes
        }
        try FrameSender(interface: VethPair.far, frames: answers).send(answers.count)
    }

    /// Packets that the far end has received, by the interface's own account.
    static func received() throws -> UInt64 {
        var tables = try LinkTables()
        return try tables.links().first { $0.name == VethPair.far }?.statistics.receivedPackets ?? 0
    }

    private static func listen() throws -> Descriptor {
        let socket = Descriptor(
            owning: try check("socket") { Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0) }
        )
        let number = socket.rawValue
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = service.bigEndian
        try check("bind") {
            unsafe withUnsafePointer(to: &address) { address in
                unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        return socket
    }
}
