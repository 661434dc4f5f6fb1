import Flows
import Packets
import Support
import Testing

@testable import Detection

@Suite struct DNSTunnelTests {
    private static let (text, null, address, pointer): (UInt16, UInt16, UInt16, UInt16) = (16, 10, 1, 12)
    private var random = SeededGenerator(seed: 3)

    /// Letters and digits that nothing but chance has chosen.
    private mutating func label(_ count: Int) -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz234567".unicodeScalars)
        var label = ""
        for _ in 0..<count { label.unicodeScalars.append(letters[Int(random.next() % 32)]) }
        return label
    }

    @Test mutating func `A tunnel in names and NULL answers is found, with its domain`() throws {
        var script = Script()
        for number in 0..<300 {
            let name = "\(label(60)).\(label(40)).t.tunnel.co.uk"
            script.ask(at: Double(number) * 0.1, name, type: Self.null, answer: 200, port: 40_000)
        }
        let detected = Detected(script.windows())
        #expect(detected.classes == ["tunnel.dns"])
        let incident = try #require(detected.opened.first)
        #expect(incident.subject == Subject(Address(ipv4: 0xC633_6401), .ipv4))
        #expect(incident.opened < 4 * Script.second)
        let worst = try #require(detected.events.last?.incident)
        #expect(worst.worst.summary.contains("below tunnel.co.uk"))
        #expect(worst.severity == .high)
        #expect(worst.confidence > 0.9)
        // 100 bytes and `t` up, 200 down, of each of 300.
        let bytes = try #require(worst.worst["bytes carried in a minute"])
        #expect(abs(bytes - 300 * 301) < 0.2 * 300 * 301)
        let share = worst.worst.measures.first { $0.name.hasPrefix("share of TXT") }
        #expect(share?.value == 1)
        #expect(!worst.worst.samples.isEmpty)
    }

    @Test mutating func `Names alone carry data, too, if they are long`() {
        var script = Script()
        for number in 0..<200 {
            let name = "\(label(63)).\(label(63)).evil.org"
            script.ask(at: Double(number) * 0.3, name, type: Self.address, answer: 16, port: 50_000 + UInt16(number))
        }
        let detected = Detected(script.windows())
        #expect(detected.classes == ["tunnel.dns"])
        #expect((detected.opened.first?.confidence ?? 1) < 0.8)
    }

    @Test mutating func `A tunnel that only keeps open is found within the hour`() throws {
        var script = Script()
        // As iodine does: every 4 s, few bytes each way.
        for number in 0..<900 {
            script.ask(at: Double(number) * 4, "p\(label(9)).t.evil.org", type: Self.null, answer: 30, port: 40_000)
        }
        let detected = Detected(script.windows())
        #expect(detected.classes == ["tunnel.dns"])
        let incident = try #require(detected.opened.first)
        #expect(incident.opened > 1_800 * Script.second)
        #expect(incident.worst.summary.contains("within an hour"))
    }

    @Test mutating func `Ordinary lookups are silent`() {
        var script = Script()
        for number in 0..<600 {
            let (time, port) = (Double(number) * 0.1, 20_000 + UInt16(number))
            // Another site each time, and hosts of a content network by random names.
            script.ask(at: time, "www.site\(number).com", type: Self.address, answer: 60, port: port)
            script.ask(at: time, "d\(label(13)).cloudfront.net", type: Self.address, answer: 180, port: port)
            script.ask(at: time, "\(label(32)).safeframe.ads.com", type: Self.address, answer: 48, port: port)
            // The sender of a mail: the same names of one provider, keys of another by names with an underscore.
            script.ask(at: time, "spf\(number % 4).provider.com", type: Self.text, answer: 400, port: port)
            script.ask(at: time, "s\(number)._domainkey.host.com", type: Self.text, answer: 420, port: port)
            script.ask(at: time, "_dmarc.mail\(number).com", type: Self.text, answer: 80, port: port)
            // A health check that asks for the same text again and again.
            script.ask(at: time, "status.monitor.net", type: Self.text, answer: 250, port: port)
            // Blocklists, a virus scanner, reverse lookups, a cluster's own names.
            script.ask(at: time, "\(number % 250).2.0.192.bl.spamlist.org", type: Self.address, answer: 16, port: port)
            script.ask(at: time, "\(label(60)).\(label(20)).s.sophosxl.net", type: Self.text, answer: 60, port: port)
            script.ask(
                at: time,
                "\(number % 250).\(number / 250).0.192.in-addr.arpa",
                type: Self.pointer,
                answer: 60,
                port: port
            )
            script.ask(
                at: time,
                "bucket-\(label(30)).s3.eu-west-1.amazonaws.com.space.svc.cluster.local",
                type: Self.address,
                answer: 0,
                port: port
            )
        }
        let detected = Detected(script.windows())
        #expect(detected.events.isEmpty, "\(detected.opened.map(\.worst.summary))")
        let nearness = detected.detection.nearness[.dnsTunnel]?.highest ?? 0
        #expect(nearness < 0.5)
    }

    @Test mutating func `A flood of answers that nobody asked for is no tunnel`() {
        var script = Script()
        for number in 0..<2_000 {
            script.answer(
                at: Double(number) * 0.005,
                "\(label(8)).amplifier.org",
                type: Self.text,
                answer: 1_200,
                port: 4_444
            )
        }
        #expect(Detected(script.windows()).classes == ["flood.reflection.dns"])
    }

    @Test mutating func `Where the capture cuts names short, that they are so long tells enough`() throws {
        var script = Script()
        for number in 0..<120 {
            let name = "\(label(63)).\(label(63)).\(label(63)).\(label(20)).evil.org"
            script.ask(at: Double(number) * 0.25, name, type: Self.null, answer: 300, port: 40_000)
        }
        let detected = Detected(script.windows(snap: 200))
        #expect(detected.classes == ["tunnel.dns"])
        let incident = try #require(detected.opened.first)
        #expect(incident.confidence == 0.5)
        #expect(incident.worst.summary.contains("hides"))
    }

    @Test mutating func `What is no DNS at a name server's port is found where it is answered by such`() throws {
        func script(isAnswered: Bool) -> Script {
            var script = Script()
            for number in 0..<100 {
                // As iodine writes them where it reaches its server itself.
                let message = [0x10, 0xD1, 0x9E, 0x20] + Array(label(80).utf8)
                let (time, frame) = (Double(number) * 0.2, PacketBuilder().ethernet())
                let (client, server) = ("198.51.100.1", "192.0.2.53")
                script.add(time, frame.ipv4(from: client, to: server).udp(from: 40_000, to: 53).payload(message).bytes)
                guard isAnswered else { continue }
                let answer = frame.ipv4(from: server, to: client).udp(from: 53, to: 40_000).payload(message).bytes
                script.add(time + 0.02, answer)
            }
            return script
        }
        let detected = Detected(script(isAnswered: true).windows())
        #expect(detected.classes == ["tunnel.dns"])
        let incident = try #require(detected.opened.first)
        #expect(incident.confidence == 0.7)
        #expect(incident.worst.summary.contains("no DNS"))
        #expect(Detected(script(isAnswered: false).windows()).events.isEmpty)
    }

    @Test mutating func `Over TCP it is the same`() {
        var script = Script()
        var connection = script.open(at: 0, port: 53, clientPort: 40_000)
        for number in 0..<200 {
            let message = Script.message("\(label(50)).evil.org", type: Self.text, answer: nil)
            let framed = [UInt8(message.count >> 8), UInt8(message.count & 0xFF)] + message
            script.send(&connection, at: 0.1 + Double(number) * 0.1, [.psh, .ack], framed)
        }
        #expect(Detected(script.windows()).classes == ["tunnel.dns"])
    }

    @Test mutating func `Clients and domains without number are bounded, and the tunnel among them is kept`() {
        var settings = DetectionSettings()
        settings.dnsTunnel.capacity = 40
        var script = Script()
        for number in 0..<3_000 {
            let (time, client) = (Double(number) * 0.01, "203.0.\(number / 250).\(1 + number % 250)")
            script.ask(at: time, from: client, "a\(number).d\(number).org", type: Self.text, answer: 20, port: 30_000)
            guard number % 20 == 0 else { continue }
            script.ask(at: time, "\(label(60)).evil.org", type: Self.text, answer: 200, port: 40_000)
        }
        let detected = Detected(script.windows(), settings)
        #expect(detected.classes == ["tunnel.dns"])
        #expect(detected.opened.count == 1)
        #expect(detected.detection.turnedAway > 1_000)
    }

    @Test mutating func `The same is found whatever the number of workers`() {
        var script = Script()
        for number in 0..<400 {
            script.ask(
                at: Double(number) * 0.1,
                "\(label(20)).evil\(number % 3).org",
                type: Self.text,
                answer: 100,
                port: 20_000 + UInt16(number)
            )
        }
        let (one, three) = (Detected(script.windows()), Detected(script.windows(workers: 3)))
        #expect(!one.events.isEmpty)
        #expect(one.events.map(\.incident.id) == three.events.map(\.incident.id))
        #expect(one.events.map(\.incident.worst.measures) == three.events.map(\.incident.worst.measures))
    }
}

extension Script {
    /// A message with one question; with an answer it is a response with one record of so many bytes.
    static func message(_ name: String, type: UInt16, answer: Int?) -> [UInt8] {
        var bytes: [UInt8] = [0x12, 0x34] + (answer == nil ? [1, 0] : [0x81, 0x80])
        bytes += [0, 1, 0, (answer ?? 0) > 0 ? 1 : 0, 0, 0, 0, 0]
        for label in name.split(separator: ".") { bytes += [UInt8(label.utf8.count)] + Array(label.utf8) }
        bytes += [0, UInt8(type >> 8), UInt8(type & 0xFF), 0, 1]
        return bytes + [UInt8](repeating: 0x61, count: answer ?? 0)
    }

    mutating func ask(
        at time: Double,
        from client: String = "198.51.100.1",
        _ name: String,
        type: UInt16,
        answer: Int,
        port: UInt16
    ) {
        add(
            time,
            PacketBuilder().ethernet().ipv4(from: client, to: "192.0.2.53").udp(from: port, to: 53)
                .payload(Self.message(name, type: type, answer: nil)).bytes
        )
        self.answer(at: time + 0.02, to: client, name, type: type, answer: answer, port: port)
    }

    mutating func answer(
        at time: Double,
        to client: String = "198.51.100.1",
        _ name: String,
        type: UInt16,
        answer: Int,
        port: UInt16
    ) {
        add(
            time,
            PacketBuilder().ethernet().ipv4(from: "192.0.2.53", to: client).udp(from: 53, to: port)
                .payload(Self.message(name, type: type, answer: answer)).bytes
        )
    }
}
