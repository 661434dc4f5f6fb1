import CLinux
import Glibc
import Linux
import Support
import Testing

/// What the first message of a datagram says as each kind.
private func first<Value>(
    _ bytes: [UInt8],
    _ read: (borrowing NetlinkMessage) throws(NetlinkError) -> Value?
) throws(NetlinkError) -> Value? {
    let span = bytes.span
    var messages = NetlinkMessages(unsafe span.bytes)
    guard let message = try messages.next() else { return nil }
    return try read(message)
}

private func link(_ bytes: [UInt8]) throws(NetlinkError) -> Link? {
    try first(bytes) { (message) throws(NetlinkError) in try Link(message) }
}

private func route(_ bytes: [UInt8]) throws(NetlinkError) -> DefaultRoute? {
    try first(bytes) { (message) throws(NetlinkError) in try DefaultRoute(message) }
}

@Suite struct NetlinkMessageTests {
    @Test func linkFields() throws {
        let link = try #require(try link(MessageSamples.link(master: 3)))
        #expect(link.index == 7)
        #expect(link.name == "veth0")
        #expect(link.mtu == 1500)
        #expect(link.kind == "veth")
        #expect(link.queueDiscipline == "noqueue")
        #expect(link.masterIndex == 3)
        #expect(link.isUp && link.isRunning && !link.isLoopback)
        #expect(link.statistics.receivedPackets == 11)
        #expect(link.statistics.sentPackets == 12)
        #expect(link.statistics.receivedBytes == 13)
        #expect(link.statistics.sentBytes == 14)
    }

    @Test func onlyStackedLinksHaveALowerOne() throws {
        #expect(try link(MessageSamples.link(kind: "veth", lower: 6))?.lowerIndex == nil)
        #expect(try link(MessageSamples.link(kind: "vlan", lower: 6))?.lowerIndex == 6)
        #expect(try link(MessageSamples.link(kind: "macvlan", lower: 6, namespace: 1))?.lowerIndex == nil)
        #expect(try link(MessageSamples.link(index: 7, kind: nil, lower: 7))?.linkedIndex == nil)
        #expect(try link(MessageSamples.link(kind: nil, lower: nil))?.lowerIndex == nil)
    }

    @Test func bridgesRepeatedMessagesAreNoLinks() throws {
        #expect(try link(MessageSamples.link(type: Int(RTM_DELLINK), family: UInt8(AF_BRIDGE))) == nil)
    }

    @Test func hostileNamesAreHarmless() throws {
        let name: [UInt8] = [0x1b, 0x5b, 0x0a, 0xff, 0x61]
        #expect(try link(MessageSamples.link(name: name))?.name == #"\x1b[\x0a\xffa"#)
    }

    @Test func addressIsOurEnd() throws {
        let address = try first(MessageSamples.address) { (message) throws(NetlinkError) in try LinkAddress(message) }
        #expect(
            address == LinkAddress(linkIndex: 3, address: InternetAddress(v4: 0xc000_0201), prefixLength: 24)
        )
    }

    @Test func onlyUsableDefaultRoutesCount() throws {
        let plain = try #require(try route(MessageSamples.route(metric: 600)))
        #expect(plain.linkIndex == 2 && plain.metric == 600 && plain.family == .v4)
        #expect(try route(MessageSamples.route())?.metric == 0)
        #expect(try route(MessageSamples.route(destinationLength: 8)) == nil)
        #expect(try route(MessageSamples.route(type: RTN_UNREACHABLE)) == nil)
        #expect(try route(MessageSamples.route(table: 100)) == nil)
        #expect(try route(MessageSamples.route(table: 1000)) == nil)
        #expect(try route(MessageSamples.route(link: 0)) == nil)
    }

    @Test func socketFields() throws {
        let socket = try first(MessageSamples.socket) { (message) throws(NetlinkError) in
            try ListeningSocket(message, transport: .tcp)
        }
        let expected = ListeningSocket(
            transport: .tcp,
            address: InternetAddress(v6High: 0x2001_0db8_0000_0000, low: 1),
            port: 6379,
            linkIndex: 4,
            inode: 4711,
            userID: 1000,
            isV6Only: true
        )
        #expect(socket == expected)
    }

    @Test(arguments: [0, 1, 15, 17 << 20, UInt32.max])
    func impossibleMessageLengths(length: UInt32) {
        var bytes = MessageSamples.link()
        unsafe withUnsafeBytes(of: length) { unsafe bytes.replaceSubrange(0..<4, with: $0) }
        #expect(throws: NetlinkError.malformed(.messageLength, offset: 0)) { try link(bytes) }
    }

    @Test(arguments: [0, 3, UInt16.max])
    func impossibleAttributeLengths(length: UInt16) {
        var bytes = MessageSamples.link()
        unsafe withUnsafeBytes(of: length) { unsafe bytes.replaceSubrange(32..<34, with: $0) }
        #expect(throws: NetlinkError.malformed(.attributeLength, offset: 0)) { try link(bytes) }
    }

    /// Lengths, types and values that lie, and datagrams cut anywhere, are errors or other values: never a trap.
    @Test func mutatedMessagesNeverTrap() {
        let seed: UInt64 = 0x5eed_0001
        var random = SeededGenerator(seed: seed)
        let samples = [
            MessageSamples.link(master: 3), MessageSamples.address, MessageSamples.route(metric: 5),
            MessageSamples.socket,
            MessageSamples.link(type: Int(RTM_DELLINK)) + MessageSamples.route() + MessageSamples.socket,
        ]
        var (read, refused) = (0, 0)
        for _ in 0..<100_000 {
            var bytes = samples[Int.random(in: 0..<samples.count, using: &random)]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let offset = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[offset] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2: bytes[offset] = [0, 1, 3, 4, 0x7f, 0x80, 0xff][Int.random(in: 0..<7, using: &random)]
                default: bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
                }
                if bytes.isEmpty { break }
            }
            if Self.readAll(bytes) { read += 1 } else { refused += 1 }
        }
        #expect(read > 1000 && refused > 1000, "seed \(seed): \(read) read, \(refused) refused")
    }

    /// Reads every message as every kind; false when something was malformed.
    private static func readAll(_ bytes: [UInt8]) -> Bool {
        let span = bytes.span
        var messages = NetlinkMessages(unsafe span.bytes)
        var sound = true
        do throws(NetlinkError) {
            while let message = try messages.next() {
                do throws(NetlinkError) {
                    _ = try Link(message)
                    _ = try LinkAddress(message)
                    _ = try DefaultRoute(message)
                    _ = try ListeningSocket(message, transport: .udp)
                } catch {
                    sound = false
                }
            }
        } catch {
            sound = false
        }
        return sound
    }
}
