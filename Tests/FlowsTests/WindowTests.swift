import Flows
import Support
import Testing

@Suite struct WindowTests {
    private func window(_ start: UInt64, _ key: Window.InterfaceKey, packets: Int) -> Window {
        var window = Window(start: start, end: start + 10)
        var counters = InterfaceCounters()
        for _ in 0..<packets { counters.count(decode(PacketBuilder().ethernet().ipv4().udp()), .rx) }
        window.interfaces[key] = counters
        window.ledger.offered = UInt64(packets)
        window.sampling[.first] = SamplingCounters(offered: UInt64(packets), kept: 1)
        return window
    }

    @Test func mergesInAnyOrder() {
        let first = Window.InterfaceKey(index: 2, epoch: 0)
        let again = Window.InterfaceKey(index: 2, epoch: 1)
        let windows = [window(0, first, packets: 1), window(10, first, packets: 2), window(20, again, packets: 4)]
        var forward = windows[0]
        forward.merge(windows[1])
        forward.merge(windows[2])
        var backward = windows[2]
        backward.merge(windows[1])
        backward.merge(windows[0])
        #expect(forward.interfaces == backward.interfaces)
        #expect(forward.ledger == backward.ledger)
        #expect(forward.sampling == backward.sampling)
        #expect(forward.start == 0)
        #expect(forward.end == 30)
        #expect(forward.interfaces[first]?.rx.total.packets == 3)
        #expect(forward.interfaces[again]?.rx.total.packets == 4)
        #expect(forward.ledger.offered == 7)
        #expect(forward.sampling[.first] == SamplingCounters(offered: 7, kept: 3))
    }
}
