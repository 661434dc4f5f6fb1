import Capture
import Support
import Testing

struct FlightRecorderTests {
    private func info(_ time: Int64, _ length: UInt32, direction: FrameInfo.Direction = .incoming, tag: VLANTag? = nil)
        -> FrameInfo
    {
        FrameInfo(time: time, wireLength: length, direction: direction, tag: tag)
    }

    /// Frames whose length and bytes follow from their number.
    private func fill(_ recorder: inout FlightRecorder, _ numbers: Range<Int>) {
        for number in numbers {
            let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number % 200)
            let span = bytes.span
            unsafe recorder.append(info(Int64(number), 1_500), interface: 7, span.bytes)
        }
    }

    private func recording(_ recorder: borrowing FlightRecorder) -> Recording {
        var recording = Recording()
        recorder.copy(to: &recording)
        return recording
    }

    @Test func `It holds the last frames, whole and in order, of half its bytes at least`() {
        var recorder = FlightRecorder(capacity: 64 << 10)
        for last in [0, 1, 300, 301, 20_000] {
            fill(&recorder, 0..<last)
            var times: [Int64] = []
            let recording = recording(recorder)
            recording.forEach { frame, bytes in
                times.append(frame.time)
                let number = Int(frame.time)
                #expect(bytes.byteCount == number % 200 && frame.interface == 7 && frame.wireLength == 1_500)
                for place in 0..<bytes.byteCount {
                    #expect(bytes.unsafeByte(place) == UInt8(truncatingIfNeeded: number))
                }
            }
            #expect(recording.size <= 64 << 10)
            guard last > 1_000 else { continue }
            #expect(recording.size > 31 << 10)
            #expect(times == Array(Int64(last - times.count)..<Int64(last)))
        }
    }

    @Test func `Without memory it holds nothing, and neither does a frame fit that is larger than a half`() {
        var off = FlightRecorder(capacity: 0)
        fill(&off, 0..<10)
        #expect(off.isOff && recording(off).isEmpty)
        var small = FlightRecorder(capacity: 1_024)
        let large = [UInt8](repeating: 1, count: 600)
        unsafe small.append(info(1, 600), interface: 0, large.span.bytes)
        #expect(recording(small).isEmpty && !small.isOff)
    }

    @Test func `Selected frames stand by time, and of too many the latest`() {
        var recorder = FlightRecorder(capacity: 64 << 10)
        for time in [5, 3, 9, 1, 7] as [Int64] {
            let bytes = [UInt8](repeating: 0, count: 60)
            unsafe recorder.append(info(time, 60), interface: 0, bytes.span.bytes)
        }
        func times(_ recording: Recording) -> [Int64] {
            var times: [Int64] = []
            recording.forEach { frame, _ in times.append(frame.time) }
            return times
        }
        let all = recording(recorder)
        #expect(times(all) == [5, 3, 9, 1, 7])
        #expect(times(all.selecting { frame, _ in frame.time != 3 }) == [1, 5, 7, 9])
        #expect(times(all.selecting(atMost: 2 * all.size / 5) { _, _ in true }) == [7, 9])
        #expect(times(all.selecting { _, _ in false }) == [])
    }

    @Test func `The capture that is written reads back as the frames that came, tags in their place`() throws {
        var recorder = FlightRecorder(capacity: 64 << 10)
        let frames: [(info: FrameInfo, interface: UInt32, bytes: [UInt8])] = (0..<50).map { number in
            let bytes = (0..<14 + number).map { UInt8($0) }
            let tag = number % 3 == 0 ? VLANTag(protocolID: 0x8100, control: 0x6005) : nil
            let direction: FrameInfo.Direction = number % 2 == 0 ? .incoming : .outgoing
            let time = 1_765_189_800_123_456_789 + Int64(number)
            return (info(time, 1_000, direction: direction, tag: tag), UInt32(number % 2), bytes)
        }
        for frame in frames { unsafe recorder.append(frame.info, interface: frame.interface, frame.bytes.span.bytes) }
        let capture = recording(recorder).pcapng([0: "eth0"])
        let reading = try Reading(capture)
        #expect(reading.error == nil)
        try #require(reading.frames.count == 50)
        for (sent, read) in zip(frames, reading.frames) {
            #expect(read.info.time == sent.info.time && read.info.direction == sent.info.direction)
            #expect(read.info.interface == sent.interface)
            let tag: [UInt8] = sent.info.tag == nil ? [] : [0x81, 0x00, 0x60, 0x05]
            #expect(read.bytes == Array(sent.bytes.prefix(12)) + tag + Array(sent.bytes.dropFirst(12)))
            #expect(read.info.wireLength == 1_000 + UInt32(tag.count))
        }
        #expect(try Reading(Recording().pcapng([:])).error == nil)
    }

    @Test(.enabled(if: ChildProcess.exists("/usr/bin/tcpdump"), "needs tcpdump"))
    func `Others read it too`() throws {
        var recorder = FlightRecorder(capacity: 64 << 10)
        let frame = PacketBuilder().ethernet().ipv4(from: "203.0.113.7", to: "192.0.2.1")
            .tcp(from: 40_000, to: 22, flags: .syn).bytes
        let tag = VLANTag(protocolID: 0x8100, control: 5)
        let info = info(1_765_189_800_123_456_789, UInt32(frame.count), tag: tag)
        unsafe recorder.append(info, interface: 3, frame.span.bytes)
        let capture = recording(recorder).pcapng([3: "eth0"])
        let said = ChildProcess.run(["/usr/bin/tcpdump", "-nner", "-"], input: capture).text
        #expect(said.contains("203.0.113.7.40000 > 192.0.2.1.22: Flags [S]"), "\(said)")
        #expect(said.contains("vlan 5"))
    }
}

extension RawSpan {
    fileprivate func unsafeByte(_ place: Int) -> UInt8 { unsafe unsafeLoad(fromByteOffset: place, as: UInt8.self) }
}
