import Flows
import Packets
import Support
import Testing

@testable import Detection

@Suite struct FloodTests {
    private let settings = FloodSettings()

    private static func unsolicited(_ kind: TrafficClass) -> (name: String, level: Double) {
        let settings = FloodSettings()
        return switch kind {
        case .acknowledge: ("flood.ack", settings.unsolicited)
        case .reset: ("flood.rst", settings.unsolicited)
        case .finish: ("flood.fin", settings.unsolicited)
        case .irregular: ("flood.irregular", settings.unsolicited)
        case .udp: ("flood.udp", settings.unsolicited)
        case .fragment: ("flood.fragment", settings.unsolicited)
        case .other: ("flood.protocols", settings.unsolicited)
        case .icmp: ("flood.icmp", settings.icmp)
        default: ("flood.reflection.ntp", settings.reflection)
        }
    }

    static let kinds: [TrafficClass] = [
        .acknowledge, .reset, .finish, .irregular, .udp, .fragment, .other, .icmp, .reflection,
    ]

    // MARK: - Classes and time

    @Test(arguments: kinds) func `A flood is found as what it is`(_ kind: TrafficClass) throws {
        let (name, level) = Self.unsolicited(kind)
        var windows = FloodWindows()
        windows.unsolicited(kind, rate: 3 * level, 0..<3.2, port: 123, size: 300)
        let detected = Detected(windows.windows)
        #expect(detected.classes == [name])
        let incident = try #require(detected.opened.first)
        #expect(incident.subject == Subject(FloodWindows.victim, .ipv4))
        #expect(abs(incident.worst.measures[0].value - 3 * level) < 0.05 * 3 * level)
        #expect(incident.worst.measures[0].level == level)
        #expect(incident.confidence > 0.7 && incident.confidence <= 1)
        if kind != .fragment { #expect(abs(incident.distinctSources - 1_000) < 150 || level < 1_000) }
    }

    @Test(arguments: [0.02, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.06])
    func `Five times the level is found within 2 s, wherever a window begins`(_ start: Double) throws {
        for kind in [TrafficClass.udp, .icmp, .reflection, .synchronize] {
            var windows = FloodWindows()
            if kind == .synchronize {
                FloodWindows.each(5 * settings.synchronize, start..<start + 4) { time, place in
                    let source = FloodWindows.source(place)
                    windows.synchronize(at: time, from: source, 1_025, 443, place % 2 == 0 ? .answered : .dropped)
                }
            } else {
                windows.unsolicited(kind, rate: 5 * Self.unsolicited(kind).level, start..<start + 4, port: 123)
            }
            let opened = try #require(Detected(windows.windows).opened.first).opened
            #expect(opened - FloodWindows.time(start) <= 2 * FloodWindows.second, "\(kind)")
        }
    }

    @Test(arguments: [0.1, 0.5, 0.9]) func `1.1 times the level is found within 15 s`(_ start: Double) throws {
        for kind in [TrafficClass.udp, .icmp, .reflection, .synchronize] {
            var windows = FloodWindows()
            if kind == .synchronize {
                FloodWindows.each(1.1 * settings.synchronize, start..<start + 20) { time, place in
                    windows.synchronize(at: time, from: FloodWindows.source(place), 1_025, 443, .answered)
                }
            } else {
                windows.unsolicited(kind, rate: 1.1 * Self.unsolicited(kind).level, start..<start + 20, port: 123)
            }
            let incident = try #require(Detected(windows.windows).opened.first)
            #expect(incident.opened - FloodWindows.time(start) <= 15 * FloodWindows.second, "\(kind)")
            #expect(incident.opened - FloodWindows.time(start) >= 7 * FloodWindows.second, "\(kind)")
        }
    }

    @Test func `At the level with noise of 5 % there is one incident`() {
        var random = SeededGenerator(seed: 11)
        let windows = (0..<600).map { place in
            let noise = 1 + (Double(random.next() % 1_001) / 5_000 - 0.1) / 2
            let packets = settings.icmp * noise * Double(Observation.length) / 1e9
            return window(.icmp, packets: packets, number: place)
        }
        let detected = Detected(windows)
        #expect(detected.opened.count == 1)
        #expect(detected.events.last?.incident.state == .closed)
        #expect(detected.events.count { $0.incident.state == .closed } == 1)
    }

    @Test func `Short peaks are no flood, but those that make up most of the time are`() {
        let above = 1.5 * settings.icmp * 1.07
        let rare = (0..<300).filter { $0 % 15 == 0 }.map { window(.icmp, packets: above, number: $0) }
        #expect(Detected(rare).opened.isEmpty)
        let often = (0..<300).filter { $0 % 2 == 0 }.map { window(.icmp, packets: above, number: $0) }
        #expect(Detected(often).opened.count == 1)
    }

    @Test func `Below the level nothing opens, and how near it came is told`() {
        let windows = (0..<60).map { window(.icmp, packets: 0.9 * settings.icmp * 1.0737, number: $0) }
        let detected = Detected(windows)
        #expect(detected.opened.isEmpty)
        #expect(abs((detected.detection.nearness[.flood(.icmp)]?.highest ?? 0) - 0.9) < 0.01)
    }

    @Test func `Twice the level finds half`() {
        var settings = DetectionSettings()
        settings.scale = 2
        let windows = (0..<20).map { window(.icmp, packets: 450, number: $0) }
        #expect(Detected(windows).opened.count == 1)
        #expect(Detected(windows, settings).opened.isEmpty)
    }

    private func window(_ kind: TrafficClass, packets: Double, number: Int) -> Observation {
        let key = TrafficKey(address: FloodWindows.victim, kind: kind, family: .ipv4)
        let volume = TrafficVolume(packets: packets, bytes: 84 * packets, isAsked: false)
        return Observation(number: Int64(number) + 1_000, volumes: [(key, volume)])
    }

    // MARK: - What is no flood

    @Test func `Bulk traffic of connections is no flood, however much`() {
        var windows = FloodWindows()
        for second in 0..<30 {
            let time = Double(second) + 0.5
            windows.row(.data, at: time, packets: 400_000, size: 1_514, isAsked: true)
            windows.row(.acknowledge, at: time, to: FloodWindows.source(1), packets: 200_000, isAsked: true)
            windows.row(.udp, at: time, packets: 100_000, size: 1_514, isAsked: true)
            windows.row(.icmp, at: time, packets: 50_000, isAsked: true)
            windows.row(.other, at: time, packets: 100_000, size: 1_400, isAsked: true)
        }
        #expect(Detected(windows.windows).detection.nearness.isEmpty)
    }

    @Test func `A stream that nobody answers is one from the level of volume on`() {
        for (rate, classes) in [(15_000.0, Set<String>()), (60_000, ["flood.udp"])] {
            var windows = FloodWindows()
            for second in 0..<20 { windows.row(.udp, at: Double(second) + 0.3, packets: rate, size: 200) }
            windows.contact(.opened, at: 0.3, from: FloodWindows.source(1), 5_004, 5_004, protocol: 17)
            #expect(Detected(windows.windows).classes == classes)
        }
    }

    @Test func `Ten thousand questions a second to a name server that answers are no flood`() {
        var windows = FloodWindows()
        FloodWindows.each(10_000, 0..<3) { time, place in
            let (client, port) = (FloodWindows.source(place % 700), UInt16(truncatingIfNeeded: 1_024 + place))
            windows.row(.udp, at: time, size: 80)
            windows.contact(.opened, at: time, from: client, port, 53, protocol: 17)
            windows.contact(.answered, at: time, from: client, port, 53, protocol: 17)
        }
        #expect(Detected(windows.windows).opened.isEmpty)
    }

    @Test func `Nor are they while one frame in four is read`() {
        var random = SeededGenerator(seed: 9)
        var windows = FloodWindows()
        FloodWindows.each(10_000, 0..<12) { time, place in
            guard random.next() % 4 == 0 else { return }
            let (client, port) = (FloodWindows.source(place % 700), UInt16(truncatingIfNeeded: 1_024 + place))
            windows.row(.udp, at: time, packets: 4, size: 80)
            windows.contact(.opened, at: time, from: client, port, 53, protocol: 17)
            guard random.next() % 4 == 0 else { return }
            windows.contact(.answered, at: time, from: client, port, 53, protocol: 17)
        }
        var sampled = windows.windows
        for place in sampled.indices { sampled[place].weights = [4 of Double](repeating: 4) }
        #expect(Detected(sampled).opened.isEmpty)
    }

    @Test func `Connections that were there before the sensor are no ACK flood`() {
        var windows = FloodWindows()
        for place in 0..<8_000 {
            let client = FloodWindows.source(place)
            windows.row(.acknowledge, at: 0.1)
            windows.contact(.opened, at: 0.1, from: client, 1_025, 443, flags: .ack)
            windows.contact(.answered, at: 0.2, from: client, 1_025, 443, flags: [.ack, .psh])
        }
        #expect(Detected(windows.windows).opened.isEmpty)
    }

    @Test func `Only our own addresses are victims where these are known`() {
        var windows = FloodWindows()
        windows.unsolicited(.udp, rate: 10_000, 0..<3)
        var scene = Scene()
        scene.home = [Prefix(Address(ipv4: 0x0A00_0000), .ipv4, bits: 8)]
        #expect(Detected(windows.windows, DetectionSettings(), scene).opened.isEmpty)
        windows.unsolicited(.icmp, rate: 10_000, 0..<3, to: Address(ipv4: 0xE000_0001))
        #expect(Detected(windows.windows, DetectionSettings(), scene).classes == ["flood.icmp"])
        scene.home.append(Prefix(FloodWindows.victim, .ipv4, bits: 32))
        #expect(Detected(windows.windows, DetectionSettings(), scene).classes == ["flood.icmp", "flood.udp"])
    }

    @Test func `While frames are left out, fragments whose first was not read are no flood`() {
        for (asked, classes) in [(10_000.0, Set<String>()), (0, ["flood.fragment"])] {
            let windows = (0..<12).map { number in
                let key = TrafficKey(address: FloodWindows.victim, kind: .fragment, family: .ipv4)
                var volume = TrafficVolume(packets: asked, bytes: 1_400 * asked)
                volume += TrafficVolume(packets: 30_000, bytes: 42_000_000, isAsked: false)
                var window = Observation(number: Int64(number) + 1_000, volumes: [(key, volume)])
                window.weights[SamplingClass.rest.rawValue] = 4
                return window
            }
            #expect(Detected(windows).classes == classes)
        }
    }

    // MARK: - The original's rules

    @Test(arguments: [UInt16(22), 80, 443]) func `SYNs are counted on every port`(_ port: UInt16) {
        var windows = FloodWindows()
        FloodWindows.each(1_000, 0..<3) { time, place in
            windows.synchronize(at: time, from: FloodWindows.source(place), 1_025, port, .answered)
        }
        #expect(Detected(windows.windows).opened.map(\.subject.port) == [port])
    }

    @Test func `A flood of 1000 packets in 10 s is seen whole, and is below every level`() throws {
        var windows = FloodWindows()
        windows.unsolicited(.udp, rate: 100, 0..<10)
        let few = Detected(windows.windows)
        #expect(few.opened.isEmpty)
        windows = FloodWindows()
        // The original looked at the last 100 packets every 5 s.
        windows.unsolicited(.udp, rate: 5_500, 0..<10)
        let incident = try #require(Detected(windows.windows).opened.first)
        #expect(abs(incident.worst.measures[0].value - 5_500) < 60)
    }

    @Test func `One ping blinds nothing`() {
        var windows = FloodWindows()
        windows.unsolicited(.icmp, rate: 2, 0..<3)
        windows.unsolicited(.udp, rate: 10_000, 0..<3)
        #expect(Detected(windows.windows).classes == ["flood.udp"])
    }
}
