import FoundationEssentials
import Packets
import Support
import Testing

/// The seeds that the fuzz target starts from, and inputs that once broke it: each runs in the ordinary tests too.
///
/// `WEIR_WRITE_SEEDS=1 swift test --filter CorpusTests` writes the seeds anew.
@Suite struct CorpusTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fuzz/corpus/FuzzPackets")

    private typealias Seed = (name: String, bytes: [UInt8])

    /// The six bytes before each frame: plain Ethernet unless a name says otherwise.
    private static func start(_ link: LinkType, _ flags: UInt8 = 0, _ values: UInt8...) -> [UInt8] {
        [link.rawValue, flags] + values + [UInt8](repeating: 0, count: 4 - values.count)
    }

    private static let plain = start(.ethernet)
    private static let ip = PacketBuilder()
    private static let seeds = headers + links + tunnels

    private static let headers: [Seed] = {
        let fragment = frame.ipv6().ipv6Fragment(offset: 3, moreFragments: true, nextHeader: 17)
        return [
            ("tcp", plain + frame.ipv4().tcp(flags: [.syn], options: [2, 4, 5, 180]).payload(count: 8).bytes),
            ("tcp6", plain + frame.ipv6().tcp().payload(count: 8).bytes),
            ("tcp-cut", start(.ethernet, 0x10, 4) + frame.ipv4().tcp().payload(count: 1024).bytes(snap: 64)),
            ("tcp-segmented", start(.ethernet, 0x28, 9, 0, 0, 100) + frame.ipv4().tcp().payload(count: 250).bytes),
            ("udp", plain + frame.ipv4(options: [1, 1, 1, 1]).udp().payload(count: 8).bytes),
            ("udp6", plain + frame.ipv6().udp(length: 0).bytes),
            ("udp-lies", plain + frame.ipv4(totalLength: 200).udp(length: 300).bytes),
            ("icmp", plain + frame.ipv4().icmp().bytes),
            ("icmp6", plain + frame.ipv6().icmpv6().bytes),
            ("sctp", plain + frame.ipv4().sctp().payload(count: 4).bytes),
            ("gre", plain + frame.ipv4().gre().ipv6().tcp().bytes),
            ("arp", plain + frame.vlan(7).arp().bytes),
            ("tags", plain + frame.vlan(1, tpid: 0x88A8).vlan(2).vlan(3).vlan(4).vlan(5).ipv4().udp().bytes),
            ("fragment", plain + frame.ipv4(moreFragments: true, fragmentOffset: 5, protocol: 6).payload([1]).bytes),
            ("fragment6", plain + fragment.payload(count: 8).bytes),
            (
                "extensions",
                plain
                    + frame.ipv6().ipv6Extension(0).ipv6Extension(60).ipv6Extension(43).authentication()
                    .ipv6Fragment().ipv6Extension(135).tcp().bytes
            ),
            ("raw", start(.rawIP) + ip.ipv6().udp().bytes),
            ("loopback", start(.loopback) + [0, 0, 0, 2] + ip.ipv4().udp().bytes),
            ("cooked", start(.linuxCooked) + [UInt8](repeating: 0, count: 14) + [8, 0] + ip.ipv4().udp().bytes),
            ("cooked2", start(.linuxCooked2) + [8, 0] + [UInt8](repeating: 0, count: 18) + ip.ipv4().udp().bytes),
        ]
    }()

    private static let links = LinkTests.cases.map { link -> Seed in
        let bytes = link.around.payload(ip.ipv4().udp().bytes, etherType: 0x0800).bytes
        return ("link " + link.testDescription, start(link.link) + bytes + [UInt8](repeating: 0, count: link.trailer))
    }

    private static let tunnels: [Seed] = {
        let teredo = frame.ipv4().udp(from: 3544).teredo(authentication: ([1], [2]), hasOrigin: true)
        let nested = frame.mpls(5).ipv4().gre().ethernet().vlan(4).ipv6().ipv4().tcp()
        let divided = frame.ipv4(moreFragments: true).udp(to: 2152).gtp().ipv4().udp()
        let cases = TunnelTests.cases.map { tunnel -> Seed in
            ("tunnel " + tunnel.testDescription, plain + tunnel.around.ipv6().ipv6Extension(60).udp().bytes)
        }
        return cases + [
            ("tunnel in tunnel", plain + nested.bytes),
            ("tunnel of Teredo", plain + teredo.ipv6(from: "2001:0:1::1").tcp().bytes),
            ("tunnel, divided", plain + divided.bytes),
        ]
    }()

    private static func file(of name: String) -> String {
        name.lowercased().split { !$0.isLetter && !$0.isNumber }.joined(separator: "-")
    }

    @Test func seedsAreTheBuilders() throws {
        let write = ProcessInfo.processInfo.environment["WEIR_WRITE_SEEDS"] != nil
        for seed in Self.seeds {
            let file = Self.folder.appending(path: Self.file(of: seed.name))
            if write { try Data(seed.bytes).write(to: file) }
            #expect([UInt8](try Data(contentsOf: file)) == seed.bytes, "\(seed.name)")
        }
    }

    @Test func everyInputHolds() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(names.count >= Self.seeds.count)
        for name in names {
            let input = [UInt8](try Data(contentsOf: Self.folder.appending(path: name)))
            let bytes = Array(input.dropFirst(6))
            for link in LinkType.allCases {
                for missing in [0, 1, 1500] {
                    let packet = decode(bytes, link: link, wireLength: bytes.count + missing)
                    let inner = decodeInner(bytes, link: link, wireLength: bytes.count + missing)
                    let broken =
                        violations(of: packet, bytes: bytes.count, wireLength: bytes.count + missing)
                        + violations(of: inner, bytes: bytes.count, wireLength: bytes.count + missing)
                    #expect(broken == [], "\(name)")
                }
            }
        }
    }
}
