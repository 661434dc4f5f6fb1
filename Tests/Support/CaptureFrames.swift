import FoundationEssentials

/// The shared captures, and the simplest loop over their frames: pcap and pcapng, both byte orders.
public enum Captures {
    public struct Row: Sendable {
        public let file: String
        public let category: String
        public let bytes: Int
        public let tcpFlows: Int
        public let udpFlows: Int
    }

    /// The folder that holds `pcap`; nil where it is absent.
    public static let folder: String? = {
        let candidates = [ProcessInfo.processInfo.environment["WEIR_TEST_DATA"], "../shared/data"]
        return candidates.compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0 + "/pcap") }
    }()

    public static func files(in category: String) throws -> [String] {
        let path = "pcap/\(category)"
        return try FileManager.default.contentsOfDirectory(atPath: (folder ?? "") + "/" + path).sorted()
            .map { path + "/" + $0 }
    }

    public static func manifest() throws -> [Row] {
        let text = try String(contentsOfFile: (folder ?? "") + "/MANIFEST.tsv", encoding: .utf8)
        let lines = text.split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false) }
        let names = lines.first ?? []
        return lines.dropFirst().compactMap { line in
            func field(_ name: String) -> String {
                names.firstIndex { $0 == name }.map { String(line[$0]) } ?? ""
            }
            guard field("kind") == "pcap", let tcp = Int(field("tcp_flows")), let udp = Int(field("udp_flows")),
                let bytes = Int(field("bytes"))
            else { return nil }
            let category = field("file").split(separator: "/").dropFirst().first.map(String.init) ?? ""
            return Row(file: field("file"), category: category, bytes: bytes, tcpFlows: tcp, udpFlows: udp)
        }
    }

    /// Calls `body` with each frame, its length on the wire and its LINKTYPE_ number; ends quietly where the file makes no sense.
    public static func forEachFrame(
        of file: String,
        _ body: ([UInt8], _ wireLength: Int, _ link: UInt32) throws -> Void
    ) throws {
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: (folder ?? "") + "/" + file)))
        var reader = Reader(bytes: bytes)
        let magics = [0xA1B2_C3D4, 0xA1B2_3C4D, 0xA1B2_CD34]
        if reader.u32(at: 0) == 0x0A0D_0D0A { return try reader.pcapng(body) }
        reader.isBig = !magics.contains(reader.u32(at: 0))
        guard let kind = magics.firstIndex(of: reader.u32(at: 0)) else { return }
        try reader.pcap(headerSize: kind == 2 ? 24 : 16, body)
    }

    private struct Reader {
        let bytes: [UInt8]
        var isBig = false

        func u16(at offset: Int) -> Int {
            guard offset >= 0, offset + 2 <= bytes.count else { return 0 }
            let (a, b) = (Int(bytes[offset]), Int(bytes[offset + 1]))
            return isBig ? a << 8 | b : b << 8 | a
        }

        func u32(at offset: Int) -> Int {
            isBig ? u16(at: offset) << 16 | u16(at: offset + 2) : u16(at: offset + 2) << 16 | u16(at: offset)
        }

        func pcap(headerSize: Int, _ body: ([UInt8], Int, UInt32) throws -> Void) throws {
            let link = UInt32(u32(at: 20) & 0xFFFF)
            var at = 24
            while at + headerSize <= bytes.count {
                let (captured, length) = (u32(at: at + 8), u32(at: at + 12))
                at += headerSize
                guard captured <= bytes.count - at else { return }
                try body(Array(bytes[at..<at + captured]), length, link)
                at += captured
            }
        }

        mutating func pcapng(_ body: ([UInt8], Int, UInt32) throws -> Void) throws {
            var links: [UInt32] = []
            var at = 0
            while at + 12 <= bytes.count {
                if u32(at: at) == 0x0A0D_0D0A {
                    isBig = bytes[at + 8] == 0x1A
                    links = []
                }
                let (kind, size) = (u32(at: at), u32(at: at + 4))
                guard size >= 12, size <= bytes.count - at else { return }
                func frame(from start: Int, _ captured: Int, _ length: Int, _ interface: Int) throws {
                    guard captured <= at + size - start, links.indices.contains(interface) else { return }
                    try body(Array(bytes[start..<start + captured]), length, links[interface])
                }
                switch kind {
                case 1: links.append(UInt32(u16(at: at + 8)))
                case 2: try frame(from: at + 28, u32(at: at + 20), u32(at: at + 24), u16(at: at + 8))
                case 3: try frame(from: at + 12, min(u32(at: at + 8), size - 16), u32(at: at + 8), 0)
                case 6: try frame(from: at + 28, u32(at: at + 20), u32(at: at + 24), u32(at: at + 8))
                default: break
                }
                at += (size + 3) & ~3
            }
        }
    }
}
