import CLinux
import Glibc

/// Sends IPv4 packets whose header it is given, source address included. Needs CAP_NET_RAW.
public struct RawSender: ~Copyable, Sendable {
    private let socket: Descriptor

    public init() throws(SystemError) {
        socket = Descriptor(
            owning: try check("socket(raw)") {
                Glibc.socket(AF_INET, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), Int32(IPPROTO_RAW))
            }
        )
    }

    /// Sends a TCP SYN.
    public borrowing func sendSYN(
        from source: UInt32,
        port sourcePort: UInt16,
        to destination: UInt32,
        port: UInt16,
        sequence: UInt32
    ) throws(SystemError) {
        var packet: [UInt8] = [0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0]
        packet += bytes(source) + bytes(destination)
        packet += bytes(sourcePort) + bytes(port) + bytes(sequence) + [0, 0, 0, 0, 0x50, 0x02, 0xFF, 0xFF, 0, 0, 0, 0]
        // The kernel fills in the checksum of the IP header, not this one (RFC 9293, section 3.1).
        var sum: UInt32 = 6 + 20
        for place in stride(from: 12, to: 40, by: 2) { sum += UInt32(packet[place]) << 8 | UInt32(packet[place + 1]) }
        while sum >> 16 != 0 { sum = sum & 0xFFFF + sum >> 16 }
        packet[36] = UInt8(~sum >> 8 & 0xFF)
        packet[37] = UInt8(~sum & 0xFF)
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_addr.s_addr = destination.bigEndian
        let (number, count) = (socket.rawValue, packet.count)
        _ = try check("sendto") {
            unsafe withUnsafePointer(to: &place) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe sendto(number, packet, count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
    }

    private func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        stride(from: Number.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> Number($0)) }
    }
}
