import Capture
import Support
import Testing

@Suite(.enabled(if: SharedCapture.directory != nil, "the shared captures are absent (WEIR_TEST_DATA)"))
struct SharedCaptureTests {
    /// Made to be refused, by libpcap too; the simpler counter of the manifest reads on.
    private static let refused: [(name: String, reason: CaptureFileError.Reason, frames: UInt64)] = [
        ("pcap-invalid-version-1.pcap", .version(format: "pcap", major: 1, minor: 4), 0),
        ("pcapng-invalid-vers-1.pcapng", .version(format: "pcapng", major: 0, minor: 1), 0),
        ("be.test901.pcapng", .version(format: "pcapng", major: 2, minor: 0), 1),
        ("le.test901.pcapng", .version(format: "pcapng", major: 2, minor: 0), 1),
        ("shb-option-too-long.pcapng", .lengthMismatch(start: 52, end: 0x3030_3030), 0),
    ]

    /// Every capture holds what capinfos counts, or ends in an error.
    @Test func capturesHoldWhatCapinfosCounts() throws {
        var files = 0
        for capture in SharedCapture.all {
            let (frames, error) = count(capture)
            let what = "\(capture.name): \(error.map(\.description) ?? "no error")"
            if let made = Self.refused.first(where: { capture.name.hasSuffix($0.name) }) {
                #expect(error?.reason == made.reason && frames == made.frames, "\(what)")
                continue
            }
            // Its first frame says that it had 524,501 bytes; capinfos stops at frames above 262,144.
            let isLong = capture.name.contains("fuzz-2021-10-13")
            #expect(frames == (isLong ? 1 : capture.packets), "\(what)")
            #expect((error != nil) == capture.isTruncated, "\(what)")
            files += 1
        }
        #expect(files > 1400)
    }

    /// Lengths, link types and bytes are those that the simplest possible loop finds.
    @Test func framesAreThoseOfANaiveReader() throws {
        var files = 0
        for capture in SharedCapture.all where !capture.path.hasSuffix(".gz") {
            let frames = Reading(path: capture.path).frames
            var place = 0
            var differing = 0
            try Captures.forEachFrame(of: capture.name) { bytes, wireLength, link in
                defer { place += 1 }
                guard place < frames.count else { return }
                let frame = frames[place]
                let isSame =
                    frame.bytes == bytes && Int(frame.info.wireLength) == max(wireLength, bytes.count)
                    && UInt32(frame.info.link.rawValue) == link
                differing += isSame ? 0 : 1
            }
            // The loop takes the padding of one simple packet block, cut to 315 bytes by the snap length, for a byte of it.
            #expect(differing == (capture.name.hasSuffix("be.test012.pcapng") ? 1 : 0), "\(capture.name)")
            if place == frames.count { files += 1 }
        }
        #expect(files > 1400)
    }

    private func count(_ capture: SharedCapture) -> (frames: UInt64, error: CaptureFileError?) {
        var frames: UInt64 = 0
        do throws(CaptureFileError) {
            var reader = try CaptureReader(path: capture.path)
            while let info = try reader.next() {
                frames += 1
                #expect(reader.bytes.byteCount <= Int(info.wireLength))
            }
            return (frames, nil)
        } catch {
            return (frames, error)
        }
    }
}
