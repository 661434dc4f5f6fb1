import Capture
import FoundationEssentials
import Support
import Testing

/// The seeds that the fuzz target starts from, and inputs that once broke it: each runs in the ordinary tests too.
///
/// `WEIR_WRITE_SEEDS=1 swift test --filter CaptureTests.CorpusTests` writes the seeds anew.
@Suite struct CorpusTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fuzz/corpus/FuzzCapture")

    private static func pcap(_ file: PcapWriter) -> [UInt8] {
        var file = file
        file.record([1, 2, 3, 4, 5, 6], seconds: 1_700_000_000, fraction: 7, wire: 60)
        file.record([])
        file.record([7], seconds: 1)
        return file.bytes
    }

    private static func pcapng(isBigEndian: Bool) -> PcapngWriter {
        var file = PcapngWriter()
        file.section(isBigEndian: isBigEndian, options: [.comment("a")])
        file.interface(snapLength: 4, options: [.name("eth0"), .resolution(9), file.timeOffset(-5), .checkLength(4)])
        file.interface(link: 101, options: [.resolution(0x80 | 20)])
        file.otherBlocks()
        file.packet([1, 2, 3, 4, 5], time: 1 << 60, options: [.comment("b"), file.flags(1)])
        file.packet([6], interface: 1, time: 1 << 50, wire: 99)
        file.obsoletePacket([7, 8], options: [file.flags(2 | 1 << 5)])
        file.simplePacket([9, 9, 9, 9], wire: 9)
        return file
    }

    private static let seeds: [(name: String, bytes: [UInt8])] = {
        var sections = pcapng(isBigEndian: true)
        sections.section()
        sections.interface()
        sections.packet([1])
        var lies = pcapng(isBigEndian: false)
        lies.packet([1, 2, 3], captured: 5)
        var short = pcapng(isBigEndian: false)
        short.block(99, [1, 2, 3, 4], end: 0)
        let plain = pcap(PcapWriter())
        return [
            ("pcap", plain),
            ("pcap-big-endian", pcap(PcapWriter(isBigEndian: true))),
            ("pcap-nano", pcap(PcapWriter(.nano))),
            ("pcap-modified", pcap(PcapWriter(.modified))),
            ("pcap-old", pcap(PcapWriter(minor: 3))),
            ("pcap-check", pcap(PcapWriter(link: 0x2400_0001))),
            ("pcap-cut", Array(plain.dropLast())),
            ("pcapng", pcapng(isBigEndian: false).bytes),
            ("pcapng-big-endian", pcapng(isBigEndian: true).bytes),
            ("pcapng-sections", sections.bytes),
            ("pcapng-lies", lies.bytes),
            ("pcapng-mismatch", short.bytes),
            ("gzip", gzip(plain)),
            ("gzip-members", gzip(Array(plain.prefix(50))) + gzip(Array(plain.dropFirst(50))) + [0]),
        ]
    }()

    @Test func seedsAreTheWriters() throws {
        let write = ProcessInfo.processInfo.environment["WEIR_WRITE_SEEDS"] != nil
        for seed in Self.seeds {
            let file = Self.folder.appending(path: seed.name)
            if write { try Data(seed.bytes).write(to: file) }
            let kept = [UInt8](try Data(contentsOf: file))
            // Another zlib packs in another way.
            if seed.name.hasPrefix("gzip") {
                #expect(try Reading(kept) == Reading(seed.bytes), "\(seed.name)")
            } else {
                #expect(kept == seed.bytes, "\(seed.name)")
            }
        }
    }

    @Test func everyInputHolds() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(names.count >= Self.seeds.count)
        for name in names {
            let input = [UInt8](try Data(contentsOf: Self.folder.appending(path: name)))
            let reading = try Reading(input)
            #expect(try Reading(input, chunk: 1) == reading, "\(name)")
            #expect(reading.frames.allSatisfy { $0.bytes.count <= Int($0.info.wireLength) }, "\(name)")
        }
    }
}
