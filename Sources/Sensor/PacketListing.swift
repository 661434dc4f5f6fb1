import FoundationEssentials
import Glibc
import Linux
import Reports

/// Packets as the original system exports them (`GET /api/packets`, `GET /api/export/packets`) and as this one shows them: a
/// list of objects, alone or under `packets`.
///
/// They become frames with the headers that the objects speak of, captured no further, so that they go the way of all
/// frames. A time without a zone is taken for UTC. `size` is the frame's length; one too small for its headers is theirs.
struct PacketListing: ~Copyable {
    /// A capture in memory.
    let capture: Descriptor

    struct Failure: Error, CustomStringConvertible {
        let description: String
        var isUnreadable = false
    }

    /// Bytes of a list at most: the original holds 1,000 packets, of 250 bytes each.
    static let limit = 256 << 20

    /// - Returns: nil if the file is no JSON; nothing of it has been read then.
    init?(_ file: borrowing Descriptor) throws(Failure) {
        guard let start = try? file.peek(), let first = start.first(where: { !isSpace($0) }), isOpening(first) else {
            return nil
        }
        let packets: [ListedPacket]
        do {
            packets = try ListedPackets.read(try Self.contents(file))
        } catch let error as SystemError {
            throw Failure(description: "\(error)", isUnreadable: true)
        } catch let error as Failure {
            throw error
        } catch {
            throw Failure(description: "not a capture, and JSON that is no list of packets: \(Self.told(error))")
        }
        var bytes: [UInt8] = []
        bytes.append(littleEndian: 0xa1b2_3c4d as UInt32)
        for half in [2, 4, 0, 0, 0, 0] as [UInt16] { bytes.append(littleEndian: half) }
        for word in [0xffff, 1] as [UInt32] { bytes.append(littleEndian: word) }
        for (place, packet) in packets.enumerated() {
            guard packet.append(to: &bytes) else {
                throw Failure(
                    description:
                        "packet \(place + 1) of \(packets.count) has no time that can be read: \(packet.timestamp)"
                )
            }
        }
        do throws(SystemError) {
            let memory = try Descriptor.inMemory("packets")
            let span = bytes.span
            try write(all: unsafe span.bytes, to: memory.rawValue)
            capture = memory
        } catch {
            throw Failure(description: "\(error)", isUnreadable: true)
        }
    }

    private static func contents(_ file: borrowing Descriptor) throws -> Data {
        var data = Data()
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let number = file.rawValue
        while true {
            let count = try check("read") { unsafe read(number, &chunk, chunk.count) }
            if count == 0 { return data }
            data.append(contentsOf: chunk.prefix(count))
            if data.count > limit {
                throw Failure(description: "a list of packets of more than \(limit >> 20) MiB is not read")
            }
        }
    }

    private static func told(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        let context: DecodingError.Context =
            switch error {
            case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context): context
            case .dataCorrupted(let context): context
            @unknown default: .init(codingPath: [], debugDescription: "unknown")
            }
        let place = context.codingPath.map(\.stringValue).joined(separator: ".")
        return String(harmless: (place.isEmpty ? "" : place + ": ").utf8, limit: 200) + context.debugDescription
    }
}

private struct ListedPackets: Decodable {
    let packets: [ListedPacket]

    static func read(_ data: Data) throws -> [ListedPacket] {
        let decoder = JSONDecoder()
        let isList = data.first { !isSpace($0) } == UInt8(ascii: "[")
        return isList
            ? try decoder.decode([ListedPacket].self, from: data)
            : try decoder.decode(ListedPackets.self, from: data).packets
    }
}

private struct ListedPacket: Decodable {
    let timestamp: String
    let size: UInt32
    let source: String?
    let destination: String?
    let `protocol`: String?
    let sourcePort: UInt16?
    let destinationPort: UInt16?
    let flags: UInt8?
    let vlan: UInt16?

    private enum CodingKeys: String, CodingKey {
        case timestamp, size, flags, vlan
        case `protocol`
        case source = "src_ip"
        case destination = "dest_ip"
        case sourcePort = "src_port"
        case destinationPort = "dest_port"
    }

    /// Writes a record of a capture.
    /// - Returns: false without a time.
    func append(to bytes: inout [UInt8]) -> Bool {
        guard let time = WallTime(timestamp)?.nanoseconds, time >= 0, time / 1_000_000_000 <= UInt32.max else {
            return false
        }
        let (frame, least) = frame()
        let wire = max(size, UInt32(least))
        bytes.append(littleEndian: UInt32(time / 1_000_000_000))
        bytes.append(littleEndian: UInt32(time % 1_000_000_000))
        bytes.append(littleEndian: UInt32(frame.count))
        bytes.append(littleEndian: wire)
        bytes += frame
        return true
    }

    /// - Returns: the headers, and how many bytes they take where more than these are known to be.
    private func frame() -> (bytes: [UInt8], least: Int) {
        var link = [UInt8](repeating: 0, count: 12)
        if let vlan { link += [0x81, 0] + bigEndian(vlan & 0x0FFF) }
        let transport = transport()
        let least = { (ip: Int) in link.count + 2 + ip + transport.least }
        if let source = address(source, AF_INET, 4), let destination = address(destination, AF_INET, 4) {
            let length = min(max(Int(size), least(20)) - link.count - 2, 0xFFFF)
            let header: [UInt8] =
                [0x45, 0] + bigEndian(UInt16(length)) + [0, 0, 0, 0, 64, transport.number(58, 1), 0, 0]
            let end = transport.header(length - 20)
            return (link + [0x08, 0x00] + header + source + destination + end, least(20))
        }
        if let source = address(source, AF_INET6, 16), let destination = address(destination, AF_INET6, 16) {
            let length = min(max(Int(size), least(40)) - link.count - 2 - 40, 0xFFFF)
            let header: [UInt8] = [0x60, 0, 0, 0] + bigEndian(UInt16(length)) + [transport.number(1, 58), 64]
            return (link + [0x86, 0xDD] + header + source + destination + transport.header(length), least(40))
        }
        return (link + [0, 0], link.count + 2)
    }

    private struct Transport {
        var number: UInt8
        /// Bytes that its header has.
        var least: Int
        var header: (_ length: Int) -> [UInt8]

        /// ICMP has a number for each family.
        func number(_ other: UInt8, _ own: UInt8) -> UInt8 { number == other ? own : number }
    }

    /// Of what gives no ports or has none, no byte of the header is known.
    private func transport() -> Transport {
        let name = self.protocol ?? "Unknown"
        let ports = sourcePort.flatMap { source in destinationPort.map { bigEndian(source) + bigEndian($0) } }
        switch name {
        case "TCP", "HTTP", "HTTPS", "SSH":
            guard let ports else { return Transport(number: 6, least: 20) { _ in [] } }
            let flags = flags ?? 0
            return Transport(number: 6, least: 20) { _ in
                ports + [0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]
            }
        case "UDP", "DNS":
            guard let ports else { return Transport(number: 17, least: 8) { _ in [] } }
            return Transport(number: 17, least: 8) { ports + bigEndian(UInt16(clamping: $0)) + [0, 0] }
        case "SCTP":
            guard let ports else { return Transport(number: 132, least: 12) { _ in [] } }
            return Transport(number: 132, least: 12) { _ in ports + [0, 0, 0, 0, 0, 0, 0, 0] }
        case "ICMP": return Transport(number: 1, least: 8) { _ in [] }
        // Reserved (IANA): which one it was is not told.
        default: return Transport(number: 255, least: 0) { _ in [] }
        }
    }

    private func address(_ text: String?, _ family: Int32, _ size: Int) -> [UInt8]? {
        guard let text else { return nil }
        var bytes = [UInt8](repeating: 0, count: size)
        return unsafe inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }
}

private func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }

private func isOpening(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{") }

private func bigEndian(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

extension [UInt8] {
    fileprivate mutating func append(littleEndian value: some FixedWidthInteger) {
        var rest = value
        for _ in 0..<value.bitWidth / 8 {
            append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }
}
