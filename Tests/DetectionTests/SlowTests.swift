import Flows
import Packets
import Support
import Testing

@testable import Detection

@Suite struct SlowTests {
    private let head = "GET / HTTP/1.1\r\nHost: example.org\r\n"

    /// Heads that go on with a line now and then.
    private func slowloris(
        _ count: Int,
        every seconds: Double,
        until end: Double,
        clients: Int = 1,
        port: UInt16 = 80
    ) -> Script {
        var script = Script()
        for number in 0..<count {
            let start = Double(number) * 0.05
            let client = "198.51.\(100 + number % clients / 250).\(1 + number % clients % 250)"
            var connection = script.open(at: start, from: client, port: port, clientPort: 20_000 + UInt16(number))
            script.say(&connection, at: start + 0.01, head)
            for time in stride(from: start + seconds, to: end, by: seconds) {
                script.say(&connection, at: time, "X-a: \(Int(time))\r\n")
            }
        }
        return script
    }

    @Test func `The original system's own attack is found: 15 connections, a line every 15 s, for 6 minutes`() throws {
        let detected = Detected(slowloris(15, every: 15, until: 360).windows())
        #expect(detected.classes == ["slow.headers"])
        // One incident, although each flow is cut after 300 s.
        #expect(detected.opened.count == 1)
        let incident = try #require(detected.opened.first)
        #expect(incident.subject == Subject(Address(ipv4: 0xC000_0201), .ipv4, port: 80))
        #expect(incident.opened <= 17 * Script.second)
        // Nothing else is there.
        #expect(incident.severity == .high)
        #expect(abs(incident.confidence - 0.95) < 1e-9)
        let last = try #require(detected.events.last?.incident)
        #expect(last.worst["connections held"] == 15)
        #expect(last.topSources.map(\.address) == [Address(ipv4: 0xC633_6401)])
        #expect(last.distinctSources == 1)
        #expect(last.worst.summary.contains("1 client holds 15 connections of 192.0.2.1:80"))
        #expect(!last.worst.samples.isEmpty)
        #expect(last.last >= 340 * Script.second)
    }

    @Test func `The same is found whatever the number of workers`() {
        let script = slowloris(60, every: 12, until: 60, clients: 7)
        let (one, four) = (Detected(script.windows()), Detected(script.windows(workers: 4)))
        #expect(!one.events.isEmpty)
        #expect(one.events.map(\.incident.id) == four.events.map(\.incident.id))
        #expect(one.events.map(\.time) == four.events.map(\.time))
        #expect(one.events.map(\.incident.worst.measures) == four.events.map(\.incident.worst.measures))
    }

    @Test func `9 connections of one client are below the level, and their nearness is told`() {
        let detected = Detected(slowloris(9, every: 12, until: 60).windows())
        #expect(detected.events.isEmpty)
        #expect(detected.detection.nearness[.slow(.headers)]?.highest == 0.9)
        var half = DetectionSettings()
        half.scale = 0.5
        #expect(Detected(slowloris(9, every: 12, until: 60).windows(), half).classes == ["slow.headers"])
    }

    @Test func `A line every 70 s holds on, although the flows end before`() throws {
        let detected = Detected(slowloris(15, every: 70, until: 300).windows())
        #expect(detected.classes == ["slow.headers"])
        #expect(detected.opened.count == 1)
        #expect(try #require(detected.events.last).incident.last > 270 * Script.second)
    }

    @Test func `One connection each of many clients counts for the service, not among many busy ones`() {
        #expect(Detected(slowloris(60, every: 12, until: 60, clients: 60).windows()).classes == ["slow.headers"])
        var crowd = slowloris(60, every: 12, until: 35, clients: 60)
        for number in 0..<1_300 {
            var connection = crowd.open(
                at: 2 + Double(number) * 0.001,
                from: "203.0.\(number / 250).\(1 + number % 250)",
                clientPort: 30_000
            )
            for time in stride(from: 5.0, to: 30, by: 9) {
                crowd.say(&connection, at: time + Double(number) * 0.001, head + "\r\n")
                crowd.reply(&connection, at: time + 0.1 + Double(number) * 0.001, bytes: 5_000)
            }
        }
        // 60 of 1,360 are less than a twentieth.
        let detected = Detected(crowd.windows())
        #expect(detected.events.isEmpty)
        #expect(detected.detection.nearness[.slow(.headers)] != nil)
    }

    @Test func `Within TLS, or without bytes, it is told by what goes by, less surely`() throws {
        var tls = Script()
        for number in 0..<12 {
            let start = Double(number) * 0.05
            var connection = tls.open(at: start, port: 443, clientPort: 20_000 + UInt16(number))
            tls.send(
                &connection,
                at: start + 0.01,
                [.psh, .ack],
                [22, 3, 1, 2, 0, 1] + [UInt8](repeating: 3, count: 500)
            )
            tls.reply(&connection, at: start + 0.02, bytes: 4_000)
            tls.send(&connection, at: start + 0.03, [.psh, .ack], [UInt8](repeating: 23, count: 80))
            tls.reply(&connection, at: start + 0.04, bytes: 500)
            for time in stride(from: start + 0.05, to: 90, by: 8) {
                tls.send(&connection, at: time, [.psh, .ack], [UInt8](repeating: 23, count: 40))
                tls.answer(&connection, at: time + 0.001, [.ack])
            }
        }
        for detected in [
            Detected(tls.windows()), Detected(slowloris(12, every: 8, until: 90).windows(hasBytes: false)),
        ] {
            #expect(detected.classes == ["slow.headers"])
            let incident = try #require(detected.opened.first)
            #expect(incident.confidence == 0.55)
            // Records of flows come with packets, here every 8 s.
            #expect(incident.opened < 50 * Script.second)
        }
        // What cannot be read is nobody's at another port.
        let other = slowloris(12, every: 8, until: 90, port: 6514)
        #expect(Detected(other.windows(hasBytes: false)).events.isEmpty)
        #expect(Detected(other.windows()).classes == ["slow.headers"])
    }

    @Test func `Bodies that trickle are told from heads`() throws {
        var script = Script()
        for number in 0..<12 {
            let start = Double(number) * 0.05
            var connection = script.open(at: start, clientPort: 20_000 + UInt16(number))
            script.say(&connection, at: start + 0.01, "POST /form HTTP/1.1\r\nContent-Length: 4096\r\n\r\nfoo=")
            for time in stride(from: start + 9, to: 90, by: 9) { script.say(&connection, at: time, "bar12345") }
        }
        let detected = Detected(script.windows())
        #expect(detected.classes == ["slow.body"])
        let incident = try #require(detected.opened.first)
        #expect(incident.opened >= 20 * Script.second && incident.opened < 35 * Script.second)
        #expect(incident.latest.summary.contains("requests whose body trickles in"))
    }

    @Test func `A body that begins fast and then trickles is found too`() {
        var script = Script()
        for number in 0..<12 {
            let start = Double(number) * 0.05
            var connection = script.open(at: start, clientPort: 20_000 + UInt16(number))
            script.say(&connection, at: start + 0.01, "POST /form HTTP/1.1\r\nContent-Length: 90000\r\n\r\n")
            for part in 0..<20 {
                script.say(&connection, at: start + 0.02 + Double(part) * 0.01, String(repeating: "x", count: 1_400))
            }
            for time in stride(from: start + 6, to: 90, by: 6) { script.say(&connection, at: time, "12345678") }
        }
        #expect(Detected(script.windows()).classes == ["slow.body"])
    }

    @Test func `Bodies in chunks count for their client alone`() {
        func chunks(clients: Int) -> Script {
            var script = Script()
            for number in 0..<60 {
                let client = "198.51.100.\(1 + number % clients)"
                var connection = script.open(
                    at: Double(number) * 0.01,
                    from: client,
                    clientPort: 20_000 + UInt16(number)
                )
                script.say(&connection, at: 0.7, "POST /logs HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
                for time in stride(from: 5.0, to: 90, by: 5) { script.say(&connection, at: time, "3\r\nabc\r\n") }
            }
            return script
        }
        #expect(Detected(chunks(clients: 60).windows()).events.isEmpty)
        #expect(Detected(chunks(clients: 1).windows()).classes == ["slow.body"])
    }

    @Test(arguments: [UInt16(1_152), 64_240])
    func `Answers that are hardly read are found`(window: UInt16) throws {
        var script = Script()
        for number in 0..<25 {
            let start = Double(number) * 0.05
            var connection = script.open(at: start, clientPort: 20_000 + UInt16(number), window: window)
            script.say(&connection, at: start + 0.01, head + "\r\n")
            script.reply(&connection, at: start + 0.02, bytes: Int(min(window, 4_000)))
            for time in stride(from: start + 1, to: 90, by: 5) {
                // Full; then a little is read, and the server sends it.
                connection.window = 0
                script.send(&connection, at: time, [.ack], [])
                connection.window = 32
                script.send(&connection, at: time + 4, [.ack], [])
                script.answer(&connection, at: time + 4.01, [.ack], [UInt8](repeating: 0x78, count: 32))
            }
        }
        let detected = Detected(script.windows())
        #expect(detected.classes == ["slow.read"])
        let incident = try #require(detected.opened.first)
        #expect(incident.opened < 25 * Script.second)
        #expect(incident.latest.summary.contains("answers that are hardly read"))
    }

    @Test func `Idle and patient clients hold nothing`() {
        var script = Script()
        // 30 connections of one client, and one each of 60 clients, of each kind.
        for number in 0..<90 {
            let client = number < 30 ? "198.51.100.1" : "203.0.113.\(number)"
            let (start, port) = (Double(number) * 0.01, 20_000 + UInt16(number))
            // Kept alive and idle.
            var idle = script.open(at: start, from: client, port: 80, clientPort: port)
            script.say(&idle, at: start + 0.01, head + "\r\n")
            script.reply(&idle, at: start + 0.02, bytes: 3_000)
            // Waits 50 s for its answer (long polling).
            var poll = script.open(at: start, from: client, port: 8000, clientPort: port)
            script.say(&poll, at: start + 0.01, head + "\r\n")
            script.reply(&poll, at: start + 50, bytes: 200)
            // Events from the server.
            var events = script.open(at: start, from: client, port: 8001, clientPort: port)
            script.say(&events, at: start + 0.01, head + "\r\n")
            for time in stride(from: start + 1, to: 60, by: 4) { script.reply(&events, at: time, bytes: 60) }
            // A WebSocket: the client speaks now and then, masked, and nobody answers.
            var socket = script.open(at: start, from: client, port: 8080, clientPort: port)
            script.say(&socket, at: start + 0.01, head + "Upgrade: websocket\r\n\r\n")
            script.reply(&socket, at: start + 0.02, bytes: 120)
            for time in stride(from: start + 5, to: 60, by: 5) {
                script.send(&socket, at: time, [.psh, .ack], [0x81, 0x85, 1, 2, 3, 4, 5, 6, 7, 8, 9])
            }
            // Opened ahead, and never used.
            _ = script.open(at: start, from: client, port: 8443, clientPort: port)
            // A slow device: its head takes 6 s, and its body comes at 1,000 bytes a second.
            var slow = script.open(at: start, from: client, port: 8002, clientPort: port)
            script.say(&slow, at: start + 0.5, "POST / HTTP/1.1\r\n")
            script.say(&slow, at: start + 6, "Content-Length: 50000\r\n\r\n")
            for time in stride(from: start + 6.5, to: 56, by: 0.5) {
                script.say(&slow, at: time, String(repeating: "x", count: 500))
            }
            // No HTTP: a line now and then, and no answer.
            var other = script.open(at: start, from: client, port: 8003, clientPort: port)
            for time in stride(from: start + 0.1, to: 60, by: 5) { script.say(&other, at: time, "<14>log line\n") }
        }
        let detected = Detected(script.windows())
        #expect(detected.events.isEmpty, "\(detected.classes)")
        #expect(detected.detection.nearness.isEmpty, "\(detected.detection.nearness)")
    }

    @Test func `A paused player on each of 60 connections among many is no attack`() {
        var script = Script()
        for number in 0..<150 {
            let start = Double(number) * 0.01
            var connection = script.open(at: start, from: "203.0.113.\(number)", clientPort: 20_000)
            script.say(&connection, at: start + 0.01, head + "\r\n")
            script.reply(&connection, at: start + 0.02, bytes: 60_000)
            for time in stride(from: start + 1, to: 60, by: 6) {
                if number < 60 { connection.window = 0 }
                if number >= 60 { script.reply(&connection, at: time, bytes: 20_000) }
                script.send(&connection, at: time + 0.1, [.ack], [])
            }
        }
        let detected = Detected(script.windows())
        #expect(detected.events.isEmpty)
        #expect(detected.detection.nearness[.slow(.read)] != nil)
    }

    @Test func `What there is no room for is counted`() {
        var settings = DetectionSettings()
        settings.slow.connections = 20
        let detected = Detected(slowloris(50, every: 12, until: 40).windows(), settings)
        #expect(detected.classes == ["slow.headers"])
        #expect(detected.detection.turnedAway >= 30)
        #expect(detected.opened.first?.worst["connections held"] == 20)
    }

    @Test func `Victims are ours, where it is known who we are`() {
        var scene = Scene()
        scene.home = [Prefix(Address(ipv4: 0xC000_0200), .ipv4, bits: 24)]
        let script = slowloris(15, every: 12, until: 40)
        #expect(Detected(script.windows(), DetectionSettings(), scene).classes == ["slow.headers"])
        scene.home = [Prefix(Address(ipv4: 0xC633_6400), .ipv4, bits: 24)]
        #expect(Detected(script.windows(), DetectionSettings(), scene).events.isEmpty)
    }
}
