import Capture
import Support
import Testing

@Suite struct PackedTests {
    private func file(_ numbers: Range<Int>) -> PcapWriter {
        var random = SeededGenerator(seed: 0x6219)
        var file = PcapWriter()
        for number in numbers {
            let frame = (0..<number % 1500).map { _ in UInt8.random(in: 0...255, using: &random) }
            file.record(frame, seconds: UInt32(number))
        }
        return file
    }

    @Test func packedIsReadLikePlain() throws {
        let bytes = file(0..<2000).bytes
        let plain = try Reading(bytes)
        #expect(plain.frames.count == 2000)
        let packed = gzip(bytes)
        #expect(try Reading(packed) == plain)
        #expect(try Reading(packed, chunk: 1000) == plain)
    }

    @Test func membersAreReadOneAfterAnother() throws {
        let bytes = file(0..<300).bytes
        let plain = try Reading(bytes)
        var random = SeededGenerator(seed: 0x3e3b)
        var packed: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(.random(in: 0...40_000, using: &random))
            packed += gzip(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        #expect(try Reading(packed) == plain)
        #expect(try Reading(packed + [0, 0, 0, 0]) == plain)
        for chunk in [1, 4096] { #expect(try Reading(packed, chunk: chunk) == plain) }
    }

    @Test func whatFollowsIsNamed() throws {
        let packed = gzip(file(0..<5).bytes)
        let reading = try Reading(packed + [1, 2, 3])
        #expect(reading.frames.count == 5)
        #expect(reading.error?.reason == .packed("something else follows the gzip data"))
        #expect(reading.error?.frames == 5)
    }

    @Test func aCutIsNamedAndKeepsWhatCameBefore() throws {
        let bytes = file(0..<100).bytes
        let packed = gzip(bytes)
        var most = 0
        for length in stride(from: 2, to: packed.count, by: 97) {
            let reading = try Reading(Array(packed.prefix(length)))
            #expect(try Reading(Array(packed.prefix(length)), chunk: 4096) == reading)
            let error = try #require(reading.error)
            #expect(error.reason == .packed("the gzip data is cut"))
            #expect(error.frames == UInt64(reading.frames.count))
            most = max(most, reading.frames.count)
        }
        #expect(most > 90)
    }

    @Test func flippedBitsNeverCrash() throws {
        var random = SeededGenerator(seed: 0x6f1b)
        let packed = gzip(file(0..<60).bytes)
        for _ in 0..<500 {
            var bytes = packed
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 2..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            let reading = try Reading(bytes)
            #expect(reading.error.map { $0.frames == UInt64(reading.frames.count) } ?? true)
        }
    }
}
