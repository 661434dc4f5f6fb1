import Flows
import Packets
import Support
import Testing

@Suite struct RecentPacketsTests {
    private func summary(_ time: UInt64) -> PacketSummary {
        PacketSummary(decode(PacketBuilder().ethernet().arp()), time: time, interface: 3, direction: .tx)
    }

    @Test(arguments: [0, 1, 4, 5, 6, 9, 10, 23])
    func keepsTheLastOnes(appended: UInt64) {
        var recent = RecentPackets(capacity: 5)
        for time in 0..<appended { recent.append(summary(time)) }
        let kept = Array((0..<appended).suffix(5))
        #expect(recent.count == kept.count)
        #expect(recent.latest().map(\.time) == kept)
        #expect(recent.latest(3).map(\.time) == kept.suffix(3))
        #expect(recent.latest(0).isEmpty)
        #expect(recent.latest(-1).isEmpty)
    }

    @Test func isBounded() {
        #expect(MemoryLayout<PacketSummary>.stride == 112)
        var recent = RecentPackets()
        for time in 0..<2_500 { recent.append(summary(UInt64(time))) }
        #expect(recent.latest().map(\.time) == Array(1_500..<2_500))
    }
}
