import Capture
import Linux
import Support
import Testing

/// What a walk handed over.
struct Seen: Equatable {
    var info: FrameInfo
    var bytes: [UInt8]
}

func copy(_ bytes: RawSpan) -> [UInt8] {
    unsafe bytes.withUnsafeBytes { unsafe Array($0) }
}

@Suite struct RingBlocksTests {
    private func walk(_ ring: FakeRing, _ body: (inout RingBlocks) -> Void) {
        let geometry = RingGeometry(blockSize: ring.blockSize, blockCount: ring.blockCount)
        var blocks = unsafe RingBlocks(base: ring.base, geometry: geometry)
        body(&blocks)
        withExtendedLifetime(ring) {}
    }

    private func frames(_ blocks: inout RingBlocks, atMost limit: Int = 100) -> [Seen] {
        var seen: [Seen] = []
        blocks.walk(atMost: limit, into: &seen) { seen, info, bytes in seen.append(Seen(info: info, bytes: copy(bytes)))
        }
        return seen
    }

    @Test func framesComeOutAsTheyLie() {
        let ring = FakeRing()
        var tagged = FakeRing.Frame([1, 2, 3])
        tagged.seconds = 1_700_000_000
        tagged.nanoseconds = 999_999_999
        tagged.wireLength = 1500
        tagged.status = 1 | 1 << 4 | 1 << 6  // user, VLAN valid, TPID valid
        tagged.tci = 0x6007
        tagged.tpid = 0x88a8
        tagged.packetType = 4  // outgoing
        var joined = FakeRing.Frame([4])
        joined.offloadKind = 1 | 0x80  // TCPv4 with ECN
        joined.segmentSize = 1448
        joined.status = 1 | 1 << 4  // tag without its protocol: 802.1Q
        joined.tci = 5
        ring.write(block: 0, [tagged, joined, FakeRing.Frame([])])
        walk(ring) { blocks in
            #expect(blocks.waiting == 1)
            let seen = frames(&blocks)
            #expect(
                seen == [
                    Seen(
                        info: FrameInfo(
                            time: 1_700_000_000_999_999_999,
                            wireLength: 1500,
                            direction: .outgoing,
                            tag: VLANTag(protocolID: 0x88a8, control: 0x6007)
                        ),
                        bytes: [1, 2, 3]
                    ),
                    Seen(
                        info: FrameInfo(
                            time: 0,
                            wireLength: 1,
                            direction: .incoming,
                            tag: VLANTag(protocolID: 0x8100, control: 5),
                            segmentation: .tcpv4,
                            segmentSize: 1448
                        ),
                        bytes: [4]
                    ),
                    Seen(info: FrameInfo(time: 0, wireLength: 0, direction: .incoming), bytes: []),
                ]
            )
            #expect(ring.isFree(0))
            #expect(blocks.frames == 3)
            #expect(blocks.blocks == 1)
            #expect(blocks.malformedBlocks == 0)
        }
    }

    @Test(arguments: [
        (UInt8(0), FrameInfo.Segmentation.none), (1, .tcpv4), (3, .udp), (4, .tcpv6), (5, .udp), (0x84, .tcpv6),
        (9, .other),
    ])
    func segmentationIsNamed(kind: UInt8, segmentation: FrameInfo.Segmentation) {
        let ring = FakeRing()
        var frame = FakeRing.Frame([0])
        frame.offloadKind = kind
        ring.write(block: 0, [frame])
        walk(ring) { blocks in
            #expect(frames(&blocks).map(\.info.segmentation) == [segmentation])
        }
    }

    @Test(arguments: [
        (UInt16(1), LinkType.ethernet), (772, .ethernet), (0xfffe, .raw), (512, .raw), (768, .raw), (776, .raw),
        (801, .unknown),
    ])
    func interfacesHaveLinkTypes(hardware: UInt16, link: LinkType) {
        let ring = FakeRing()
        var frame = FakeRing.Frame([0])
        frame.hardware = hardware
        ring.write(block: 0, [frame])
        walk(ring) { blocks in
            #expect(frames(&blocks).map(\.info.link) == [link])
        }
    }

    @Test func readingGoesOnInTheNextBlockAndWraps() {
        let ring = FakeRing(blockCount: 3)
        for index in 0..<3 { ring.write(block: index, [FakeRing.Frame([UInt8(index)])]) }
        walk(ring) { blocks in
            #expect(blocks.waiting == 3)
            #expect(frames(&blocks, atMost: 2).map(\.bytes) == [[0], [1]])
            #expect(ring.isFree(0) && ring.isFree(1) && !ring.isFree(2))
            #expect(blocks.waiting == 1)
            ring.write(block: 0, [FakeRing.Frame([3])])
            #expect(frames(&blocks).map(\.bytes) == [[2], [3]])
            #expect(frames(&blocks).isEmpty)
            #expect(blocks.blocks == 4)
        }
    }

    @Test func anEmptyBlockIsGivenBack() {
        let ring = FakeRing()
        ring.write(block: 0, [])
        walk(ring) { blocks in
            #expect(frames(&blocks).isEmpty)
            #expect(ring.isFree(0))
            #expect(blocks.malformedBlocks == 0)
        }
    }

    /// Each contradiction stands in the second of two frames, in the last block before memory that nobody may touch:
    /// the first frame is read, the second is not, the block is given back and counted.
    @Test(arguments: [
        "captured length above the block", "captured length of 2^32-1", "first byte inside the header",
        "first byte behind the block",
    ])
    func aBrokenFrameEndsItsBlock(_ fault: String) {
        let ring = FakeRing(blockCount: 1)
        let good = FakeRing.Frame([7])
        var bad = FakeRing.Frame([8])
        switch fault {
        case "captured length above the block": bad.capturedLength = 4096
        case "captured length of 2^32-1": bad.capturedLength = .max
        case "first byte inside the header": bad.macOffset = 70
        default: bad.macOffset = .max
        }
        ring.write(block: 0, [good, bad])
        walk(ring) { blocks in
            #expect(frames(&blocks).map(\.bytes) == [[7]])
            #expect(blocks.malformedBlocks == 1)
            #expect(blocks.frames == 1)
            #expect(ring.isFree(0))
        }
    }

    @Test(arguments: [UInt32(0), 1, 67, 4096 - 48, 0x7fff_ffff, .max])
    func aBrokenChainEndsItsBlock(step: UInt32) {
        let ring = FakeRing(blockCount: 1)
        var first = FakeRing.Frame([7])
        first.nextOffset = step
        ring.write(block: 0, [first, FakeRing.Frame([8])])
        walk(ring) { blocks in
            #expect(frames(&blocks).map(\.bytes) == [[7]])
            #expect(blocks.malformedBlocks == 1)
        }
    }

    @Test(arguments: [UInt32(0), 47, 4096 - 67, 4096, .max])
    func aBrokenStartEndsItsBlock(first: UInt32) {
        let ring = FakeRing(blockCount: 1)
        ring.write(block: 0, [FakeRing.Frame([7])], count: 1, first: first, length: 4096)
        walk(ring) { blocks in
            #expect(frames(&blocks).isEmpty)
            #expect(blocks.malformedBlocks == 1)
            #expect(ring.isFree(0))
        }
    }

    @Test func aLengthBeyondTheBlockGivesNoRoom() {
        let ring = FakeRing(blockCount: 1)
        var frame = FakeRing.Frame([7])
        frame.capturedLength = UInt32(4096 - 48 - FakeRing.macOffset + 1)
        ring.write(block: 0, [frame], length: .max)
        walk(ring) { blocks in
            #expect(frames(&blocks).isEmpty)
            #expect(blocks.malformedBlocks == 1)
        }
        // One byte less ends with the block.
        frame.capturedLength = UInt32(4096 - 48 - FakeRing.macOffset)
        ring.write(block: 0, [frame], length: .max)
        walk(ring) { blocks in
            #expect(frames(&blocks).map(\.bytes.count) == [4096 - 48 - FakeRing.macOffset])
        }
    }

    @Test func aCountAboveTheFramesEndsTheBlock() {
        let ring = FakeRing(blockCount: 1)
        ring.write(block: 0, [FakeRing.Frame([7]), FakeRing.Frame([8])], count: .max)
        walk(ring) { blocks in
            #expect(frames(&blocks).map(\.bytes) == [[7], [8]])
            #expect(blocks.malformedBlocks == 1)
        }
    }

    /// Blocks whose headers were scribbled upon: nothing is read outside the ring (a page that may not be touched lies
    /// behind it), and every walk ends with the block given back.
    @Test func scribbledHeadersAreSurvived() {
        var random = SeededGenerator(seed: 0x5eed)
        let ring = FakeRing(blockCount: 1)
        let frames = (1...6).map { FakeRing.Frame([UInt8](repeating: 1, count: $0 * 90)) }
        // Where headers lie: the block's, and each frame's with its address.
        var starts = [0]
        var start = 48
        for frame in frames {
            starts.append(start)
            start += (FakeRing.macOffset + frame.bytes.count + 15) & ~15
        }
        var read = 0
        walk(ring) { blocks in
            let rounds = 20_000
            for _ in 0..<rounds {
                ring.write(block: 0, frames)
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let place = starts[Int.random(in: 0..<starts.count, using: &random)]
                    let offset = place + Int.random(in: 0..<48, using: &random)
                    let isStatus = (8..<12).contains(offset)
                    if !isStatus { ring.poke(UInt8(truncatingIfNeeded: random.next()), at: offset) }
                }
                blocks.walk(atMost: 1, into: &read) { read, _, bytes in
                    if bytes.byteCount > 0 {
                        read += Int(unsafe bytes.unsafeLoad(fromByteOffset: bytes.byteCount - 1, as: UInt8.self)) & 1
                    }
                }
                #expect(ring.isFree(0))
            }
            #expect(blocks.blocks == UInt64(rounds))
            #expect(blocks.malformedBlocks > 1000 && blocks.malformedBlocks < UInt64(rounds))
            #expect(read > rounds)
        }
    }
}
