import Packets
import Support
import Testing

/// Real captures, when they are there: no crash, every frame counted once, and the flows that others found.
@Suite(.enabled(if: Captures.folder != nil, "no captures: set WEIR_TEST_DATA to the folder that holds pcap/"))
struct CaptureTests {
    @Test(arguments: ["malformed", "linktype", "fragments", "tunnel"])
    func everyFrameCountsOnce(category: String) throws {
        var (whole, frames) = (DecodeCounters(), UInt64(0))
        let files = try Captures.files(in: category)
        #expect(!files.isEmpty)
        for file in files {
            try Captures.forEachFrame(of: file) { bytes, wireLength, link in
                let packet = decode(bytes, link: LinkType(number: link), wireLength: wireLength)
                whole.count(packet.outcome)
                frames += 1
                var inner = packet
                inner.decodeInner(unsafe bytes.span.bytes)
                let broken =
                    violations(of: packet, bytes: bytes.count, wireLength: wireLength)
                    + violations(of: inner, bytes: bytes.count, wireLength: wireLength)
                #expect(broken == [], "\(file)")
                #expect(inner.tunnelDepth > 0 || "\(inner)" == "\(packet)", "\(file)")
            }
        }
        #expect(whole.total == frames)
        #expect(whole.decoded > 0)
    }

    @Test(arguments: ["malformed", "linktype", "tunnel"])
    func everyFrameCutAtEverySeventhByte(category: String) throws {
        var (cuts, whole, frames) = (DecodeCounters(), DecodeCounters(), UInt64(0))
        var insides = 0
        for file in try Captures.files(in: category) {
            try Captures.forEachFrame(of: file) { bytes, wireLength, link in
                for count in stride(from: 0, to: bytes.count, by: 7) {
                    let part = Array(bytes.prefix(count))
                    let snapped = decode(part, link: LinkType(number: link), wireLength: wireLength)
                    let short = decode(part, link: LinkType(number: link))
                    cuts.count(snapped.outcome)
                    whole.count(short.outcome)
                    frames += 1
                    var (snappedInner, shortInner) = (snapped, short)
                    snappedInner.decodeInner(unsafe part.span.bytes)
                    shortInner.decodeInner(unsafe part.span.bytes)
                    insides += snappedInner.tunnelDepth > 0 ? 1 : 0
                    let broken =
                        violations(of: snapped, bytes: count, wireLength: wireLength)
                        + violations(of: short, bytes: count, wireLength: count)
                        + violations(of: snappedInner, bytes: count, wireLength: wireLength)
                        + violations(of: shortInner, bytes: count, wireLength: count)
                    if !broken.isEmpty { Issue.record("\(file): \(broken)") }
                }
            }
        }
        #expect(cuts.total == frames)
        #expect(whole.total == frames)
        #expect(whole.truncated == 0)
        #expect(cuts.truncated > 0)
        #expect(insides > 0)
        #expect(whole.malformed > 0)
    }

    /// The manifest counts bidirectional 5-tuples of the outer IP header without a time-out. It takes PPPoE for a link,
    /// ports from malformed headers, and does not know 802.11: files with such frames are left out.
    @Test func flowsOfTheManifest() throws {
        var compared = 0
        for row in try Captures.manifest() where row.category != "malformed" && row.bytes < 4_000_000 {
            var (tcp, udp) = (Set<FiveTuple>(), Set<FiveTuple>())
            var (counters, isWireless) = (DecodeCounters(), false)
            try Captures.forEachFrame(of: row.file) { bytes, wireLength, link in
                let packet = decode(bytes, link: LinkType(number: link), wireLength: wireLength)
                counters.count(packet.outcome)
                if link == 105 || link == 127 { isWireless = true }
                guard packet.hasPorts else { return }
                if packet.transport == .tcp { tcp.insert(FiveTuple(packet)) }
                if packet.transport == .udp { udp.insert(FiveTuple(packet)) }
            }
            guard counters.total > 0, counters.malformed == 0, counters.unknown == 0, !isWireless else { continue }
            compared += 1
            #expect(tcp.count == row.tcpFlows, "\(row.file)")
            #expect(udp.count == row.udpFlows, "\(row.file)")
        }
        #expect(compared > 100)
        print("compared the flows of \(compared) captures")
    }
}
