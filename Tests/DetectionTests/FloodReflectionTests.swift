import Flows
import Packets
import Support
import Testing

@testable import Detection

@Suite struct FloodReflectionTests {
    private func source(_ place: Int) -> Address { FloodWindows.source(place) }

    @Test func `There are 21 protocols of reflectors, and each is found by its name`() {
        let ports = (UInt16.min...UInt16.max).filter(\.isOfReflectors)
        #expect(ports.count == 21)
        #expect(ports == Reflector.known.keys.sorted())
        for port in ports {
            var windows = FloodWindows()
            windows.unsolicited(.reflection, rate: 1_500, 0..<2, port: port, sources: 300, size: 480)
            #expect(Detected(windows.windows).classes == ["flood.reflection.\(Reflector.name(of: port))"])
        }
    }

    @Test func `An attack is told with its sources, its size and what was asked in the victim's name`() throws {
        var windows = FloodWindows()
        windows.unsolicited(.reflection, rate: 3_000, 0..<3.2, port: 123, sources: 400, size: 482)
        let incident = try #require(Detected(windows.windows).opened.first)
        #expect(incident.threat == .reflection(123))
        #expect(incident.severity == .critical)
        let evidence = incident.worst
        #expect(evidence["share unsolicited"] == 1)
        #expect(abs((evidence["mean size"] ?? 0) - 482) < 1)
        let asked = 3_000 * 482 * 8 / 557 / 1e6
        #expect(abs((evidence["requests spoofed in the victim's name, about"] ?? 0) - asked) < 0.05 * asked)
        #expect(abs((evidence["sources of this second, at least"] ?? 0) - 400) < 30)
        #expect(evidence.ports.map(\.port) == [123])
        #expect(evidence.sources.count == 400)
    }

    @Test func `A busy resolver that gets what it asked for is no victim, and one that is attacked besides is`() {
        var windows = FloodWindows()
        FloodWindows.each(20_000, 0..<4) { time, _ in windows.row(.udp, at: time, size: 700, isAsked: true) }
        #expect(Detected(windows.windows).opened.isEmpty)
        windows.unsolicited(.reflection, rate: 1_000, 0..<4, port: 53, size: 1_400)
        #expect(Detected(windows.windows).classes == ["flood.reflection.dns"])
    }

    @Test func `A time server whose clients ask from port 123 is no victim`() {
        var windows = FloodWindows()
        FloodWindows.each(2_000, 0..<4) { time, place in
            windows.row(.reflection, at: time, port: 123, size: 90)
            windows.contact(.opened, at: time, from: source(place), 123, 123, protocol: 17)
            windows.contact(.answered, at: time, from: source(place), 123, 123, protocol: 17)
        }
        #expect(Detected(windows.windows).opened.isEmpty)
    }

    @Test func `Groups are no victims`() {
        var windows = FloodWindows()
        let group = Address(ipv4: 0xE000_00FB)
        windows.unsolicited(.reflection, rate: 1_000, 0..<4, to: group, port: 5_353, size: 400)
        #expect(Detected(windows.windows).opened.isEmpty)
    }

    @Test func `While frames are left out, an answer alone is no proof`() {
        // One frame in 4: three of four answers come without their question.
        func windows(unsolicited: Double) -> [Observation] {
            (0..<12).map { number in
                func key(_ kind: TrafficClass, port: UInt16) -> TrafficKey {
                    TrafficKey(address: FloodWindows.victim, port: port, kind: kind, family: .ipv4)
                }
                let asked = TrafficVolume(packets: 1_000 - unsolicited, bytes: 500_000)
                let others = TrafficVolume(packets: unsolicited, bytes: 500 * unsolicited, isAsked: false)
                var window = Observation(
                    number: Int64(number) + 1_000,
                    volumes: [(key(.udp, port: 0), asked), (key(.reflection, port: 53), others)]
                )
                window.weights[SamplingClass.first.rawValue] = 4
                return window
            }
        }
        #expect(Detected(windows(unsolicited: 750)).opened.isEmpty)
        #expect(Detected(windows(unsolicited: 1_000)).classes == ["flood.reflection.dns"])
    }

    // MARK: - Many addresses

    @Test func `Carpet bombing is one incident of the prefix`() throws {
        for family in [Family.ipv4, .ipv6] {
            var windows = FloodWindows()
            let network = family == .ipv4 ? Address(ipv4: 0xC000_0200) : Address(high: 0x2001_0DB8_0000_0001, low: 0)
            FloodWindows.each(60_000, 0..<2.3) { time, place in
                let target = Address(high: network.high, low: network.low + UInt64(place % 200))
                windows.row(.udp, at: time, to: target, size: 500, family: family)
                guard place % 8 == 0 else { return }
                windows.contact(
                    .opened,
                    at: time,
                    from: source(place % 5_000),
                    4_000,
                    to: target,
                    53,
                    family: family,
                    protocol: 17
                )
            }
            let detected = Detected(windows.windows)
            #expect(detected.classes == ["flood.carpet"])
            let incident = try #require(detected.opened.first)
            #expect(detected.opened.count == 1)
            #expect(incident.subject == Subject(prefixOf: network, family, bits: family == .ipv4 ? 24 : 64))
            #expect(incident.worst["addresses hit"] == 200)
        }
    }

    @Test func `A prefix of which one address has most is no carpet`() {
        var windows = FloodWindows()
        FloodWindows.each(30_000, 0..<2.3) { time, place in
            let target = Address(ipv4: 0xC000_0200 + UInt32(place % 2 == 0 ? 1 : 2 + place % 50))
            windows.row(.udp, at: time, to: target, size: 500)
            windows.contact(.opened, at: time, from: source(place), 4_000, to: target, 53, protocol: 17)
        }
        #expect(Detected(windows.windows).classes == ["flood.udp"])
    }

    @Test func `A scanner that tries every address of a prefix bombs nobody`() {
        var windows = FloodWindows()
        for place in 0..<25_600 {
            let time = Double(place) / 25_600
            let target = Address(ipv4: 0xC000_0200 + UInt32(place % 256))
            windows.row(.synchronize, at: time, to: target, port: UInt16(1 + place / 256))
            windows.contact(
                .opened,
                at: time,
                from: source(0),
                4_000,
                to: target,
                UInt16(1 + place / 256),
                flags: .syn
            )
        }
        #expect(Detected(windows.windows).opened.isEmpty)
    }

    @Test func `Random addresses are one incident of all together`() throws {
        var random = SeededGenerator(seed: 5)
        let windows = (0..<3).map { number in
            let rows = (0..<6_000).map { _ in
                let address = Address(ipv4: UInt32(truncatingIfNeeded: random.next()))
                let key = TrafficKey(address: address, kind: .udp, family: .ipv4)
                return (key, TrafficVolume(packets: 30, bytes: 9_000, isAsked: false))
            }
            let contacts = (0..<1_000).map { place in
                Contact(
                    .opened,
                    time: Int64(number + 1_000) << 30,
                    initiator: source(place),
                    responder: Address(ipv4: UInt32(truncatingIfNeeded: random.next())),
                    initiatorPort: 1,
                    responderPort: 2,
                    family: .ipv4,
                    protocolNumber: 17
                )
            }
            return Observation(number: Int64(number) + 1_000, volumes: rows, contacts: contacts)
        }
        let detected = Detected(windows)
        #expect(detected.classes == ["flood.interface"])
        #expect(detected.opened.first?.subject == .all(.ipv4))
    }
}
