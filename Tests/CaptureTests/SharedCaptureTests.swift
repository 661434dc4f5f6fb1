import Capture
import Support
import Testing

@Suite(.enabled(if: SharedCapture.directory != nil, "the shared captures are absent (WEIR_TEST_DATA)"))
struct SharedCaptureTests {
    @Test func classicCapturesHoldWhatCapinfosCounts() throws {
        var files = 0
        for capture in SharedCapture.all where capture.format.hasPrefix("pcap") && !capture.format.hasPrefix("pcapng") {
            if capture.path.hasSuffix(".gz") { continue }
            let (frames, error) = count(capture)
            // Made to be refused; libpcap does, too.
            if capture.name.contains("pcap-invalid-version-1") {
                #expect(error?.reason == .version(major: 1, minor: 4))
                continue
            }
            // Its first frame says that it had 524,501 bytes; capinfos stops at frames above 262,144.
            let isLong = capture.name.contains("fuzz-2021-10-13")
            #expect(
                frames == (isLong ? 1 : capture.packets),
                "\(capture.name): \(error.map(\.description) ?? "no error")"
            )
            #expect((error != nil) == capture.isTruncated, "\(capture.name): \(error.map(\.description) ?? "no error")")
            files += 1
        }
        #expect(files > 1000)
    }

    @Test func otherFormatsAreRefusedByName() {
        for capture in SharedCapture.all {
            let (frames, error) = count(capture)
            if capture.path.hasSuffix(".gz") {
                #expect(error?.reason == .compressed, "\(capture.name)")
            } else if capture.format.hasPrefix("pcapng") {
                #expect(error?.reason == .pcapng, "\(capture.name)")
            } else {
                continue
            }
            #expect(frames == 0)
        }
    }

    private func count(_ capture: SharedCapture) -> (frames: UInt64, error: CaptureFileError?) {
        var frames: UInt64 = 0
        do throws(CaptureFileError) {
            var reader = try PcapReader(path: capture.path)
            while try reader.next() != nil {
                frames += 1
                #expect(reader.bytes.byteCount <= PcapReader.longestRecord)
            }
            return (frames, nil)
        } catch {
            return (frames, error)
        }
    }
}
