import Flows
import Glibc
import Packets
import Reports
import Support
import Testing

struct FlowCSVTests {
    @Test(
        "The header is the Java tool's, letter for letter",
        .enabled(if: SharedCapture.directory != nil, "needs the shared captures")
    )
    func header() throws {
        let path = try #require(SharedCapture.directory) + "/oracle/cicflowmeter-java/sample.pcap_Flow.csv"
        guard let file = unsafe fopen(path, "r") else {
            Issue.record("cannot open \(path)")
            return
        }
        defer { unsafe fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 8192)
        bytes.removeLast(8192 - (unsafe fread(&bytes, 1, 8192, file)))
        let theirs = String(decoding: bytes.prefix { $0 != 10 && $0 != 13 }, as: UTF8.self)
        var own = TextBuffer()
        FlowCSV(.corrected).writeHeader(to: &own)
        #expect(text(own) == theirs + "\n")
        #expect(FlowCSV.columns.count == 84)
    }

    @Test func row() {
        var row = TextBuffer()
        FlowCSV(.corrected).write(FlowRecords.exchange(), to: &row)
        let cells = text(row).dropLast().split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        #expect(cells.count == 84)
        #expect(text(row).hasSuffix(",NeedManualLabel\n"))
        #expect(
            cells.prefix(7) == [
                "10.0.0.9-192.0.2.1-40000-443-6", "10.0.0.9", "40000", "192.0.2.1", "443", "6",
                "2025-12-08T10:30:00.000000Z",
            ]
        )
        #expect(
            cells[7...15] == [
                "11000.75", "3", "3", "100", "2001", "100", "0", "33.333333333333336", "57.735026918962575",
            ]
        )
    }

    /// Every cell is the feature, to the last bit.
    @Test(arguments: FlowProfile.allCases)
    func cellsReadBack(profile: FlowProfile) {
        var settings = profile == .cic ? FlowSettings.cic : FlowSettings()
        settings.profile = profile
        let record = FlowRecords.exchange(settings)
        var row = TextBuffer()
        FlowCSV(profile).write(record, to: &row)
        let cells = text(row).split(separator: ",").map(String.init)
        let values = record.features.values(profile)
        for place in values.indices {
            #expect(Double(cells[7 + place]) == values[place], "\(FlowFeatures.names[place])")
        }
    }

    @Test func profileOfCICFlowMeter() {
        var records = FlowRecords(.cic)
        let frame = PacketBuilder().ethernet().ipv6(from: "2001:db8::1", to: "fe80::1:0:0:2").udp(from: 5353, to: 53)
            .payload(count: 20).bytes
        records.add(frame, after: 43_200_000_000_000 - 1_800_000_000_000)
        records.add(frame, after: 43_200_000_000_000 - 1_800_000_000_000)
        let other = PacketBuilder().ethernet().ipv4(from: "10.0.0.1", to: "10.0.0.2").udp(from: 1, to: 2).bytes
        records.add(other, after: 43_200_000_000_000)
        let ended = records.finish().sorted { $0.features.packets > $1.features.packets }
        let csv = FlowCSV(.cic)
        #expect(csv.hasRow(for: ended[0]))
        #expect(!csv.hasRow(for: ended[1]))
        #expect(FlowCSV(.corrected).hasRow(for: ended[1]))
        var row = TextBuffer()
        csv.write(ended[0], to: &row)
        let cells = text(row).split(separator: ",").map(String.init)
        #expect(cells[0] == "2001:db8::1-fe80::1:0:0:2-5353-53-17")
        #expect(cells[6] == "08/12/2025 10:00:00 PM")
        let rate = FlowCSV.columns.firstIndex(of: "Flow Bytes/s")
        #expect(rate.map { cells[$0] } == "Infinity")
    }

    @Test func infinityAndNaNAreJavas() {
        var buffer = TextBuffer()
        for value in [Double.infinity, -.infinity, .nan] {
            buffer.append(value)
            buffer.append(byte: 0x20)
        }
        #expect(text(buffer) == "Infinity -Infinity NaN ")
    }

    @Test func addressesAreThoseOfTheirType() {
        var random = SeededGenerator(seed: 77)
        for _ in 0..<2_000 {
            // Few values for each group, so that rows of zeros are common.
            let half = { () -> UInt64 in
                (0..<4).reduce(0) { word, _ in word << 16 | [0, 0, 1, 0xABCD][Int(random.next() % 4)] }
            }
            let address = Address(high: half(), low: half())
            var buffer = TextBuffer()
            buffer.append(address, as: .ipv6)
            #expect(text(buffer) == address.text(as: .ipv6))
        }
        for family in [Family.ipv4, .ipv6] {
            var buffer = TextBuffer()
            buffer.append(Address(ipv4: 0x0A00_00FF), as: family)
            #expect(text(buffer) == Address(ipv4: 0x0A00_00FF).text(as: family))
        }
    }

    @Test func timesAreThoseOfTheirType() {
        for nanoseconds in [0, -5, 1, 951_782_399_999_999_999, 4_102_444_800_123_456_789, .max] as [Int64] {
            let time = WallTime(nanoseconds: nanoseconds)
            var buffer = TextBuffer()
            buffer.append(time)
            #expect(text(buffer) == time.formatted(.microseconds))
        }
    }

    @Test func growsAndKeepsItsRoom() {
        var buffer = TextBuffer(capacity: 64)
        for _ in 0..<1_000 { buffer.append("0123456789") }
        #expect(buffer.count == 10_000)
        #expect(text(buffer).hasSuffix("89"))
        buffer.clear()
        #expect(buffer.count == 0)
    }
}
