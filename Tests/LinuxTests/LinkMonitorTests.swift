import Glibc
import Linux
import Support
import Testing

@Suite struct LinkMonitorTests {
    private func link(_ index: Int32, _ name: String, flags: UInt32) throws -> Link {
        let bytes = MessageSamples.link(index: index, flags: flags, name: Array(name.utf8))
        let span = bytes.span
        var messages = NetlinkMessages(unsafe span.bytes)
        let message = try messages.next()
        guard let message else { throw NetlinkError.truncated(bytes: 0) }
        return try #require(try Link(message))
    }

    @Test func inventoryTellsWhatChanged() throws {
        var inventory = LinkInventory()
        let down = try link(4, "a", flags: 0)
        let up = try link(4, "a", flags: 0x41)
        let renamed = try link(4, "b", flags: 0x41)
        #expect(inventory.update(down) == [.added(down)])
        #expect(inventory.update(down) == [])
        #expect(inventory.update(up) == [.state(up)])
        #expect(inventory.update(renamed) == [.renamed(renamed, from: "a")])
        #expect(inventory.remove(index: 9) == [])
        #expect(inventory.remove(index: 4) == [.deleted(renamed)])
        #expect(inventory.links.isEmpty)
    }

    @Test func aWholeTableReplacesWhatWasMissed() throws {
        var inventory = LinkInventory()
        let (one, two, three) = (try link(1, "a", flags: 1), try link(2, "b", flags: 1), try link(3, "c", flags: 1))
        _ = inventory.replace(with: [one, two])
        #expect(inventory.replace(with: [two, three]) == [.deleted(one), .added(three)])
    }

    /// Calls `changes` until `expected` holds of all that came, for two seconds at most.
    private func collect(
        _ monitor: inout LinkMonitor,
        until expected: ([LinkChange]) -> Bool
    ) throws -> [LinkChange] {
        var changes: [LinkChange] = []
        for _ in 0..<20 where !expected(changes) {
            var descriptor = pollfd(fd: monitor.pollDescriptor, events: Int16(POLLIN), revents: 0)
            _ = unsafe poll(&descriptor, 1, 100)
            changes += try monitor.changes()
        }
        return changes
    }

    @Test(.enabled(if: geteuid() == 0, "needs root")) func liveChangesArrive() throws {
        let namespace = try NamedNamespace("monitor")
        var monitor = try namespace.enter { try LinkMonitor() }
        #expect(monitor.inventory.links.values.map(\.name) == ["lo"])
        #expect(try monitor.changes().isEmpty)

        try namespace.ip(["link", "add", "a0", "type", "veth", "peer", "name", "b0"])
        let added = try collect(&monitor) { $0.filter { if case .added = $0 { true } else { false } }.count == 2 }
        let names = added.compactMap { if case .added(let link) = $0 { link.name } else { nil } }
        #expect(names.sorted() == ["a0", "b0"])

        try namespace.ip(["link", "set", "b0", "up"])
        try namespace.ip(["link", "set", "a0", "up"])
        let up = try collect(&monitor) {
            $0.contains { if case .state(let link) = $0 { link.name == "a0" && link.isRunning } else { false } }
        }
        #expect(!up.isEmpty)
        try namespace.ip(["link", "set", "a0", "down"])
        let down = try collect(&monitor) {
            $0.contains { if case .state(let link) = $0 { link.name == "a0" && !link.isUp } else { false } }
        }
        #expect(!down.isEmpty)

        try namespace.ip(["link", "set", "a0", "name", "c0"])
        let renamed = try collect(&monitor) { !$0.isEmpty }
        #expect(renamed.contains { if case .renamed(let link, from: "a0") = $0 { link.name == "c0" } else { false } })

        // A port that leaves its bridge is no deleted link.
        try namespace.ip(["link", "add", "br0", "type", "bridge"])
        try namespace.ip(["link", "set", "c0", "master", "br0"])
        try namespace.ip(["link", "set", "c0", "nomaster"])
        usleep(100_000)
        #expect(!(try monitor.changes()).contains { if case .deleted = $0 { true } else { false } })

        try namespace.ip(["link", "del", "c0"])
        let gone = try collect(&monitor) { $0.filter { if case .deleted = $0 { true } else { false } }.count == 2 }
        let deleted = gone.compactMap { if case .deleted(let link) = $0 { link.name } else { nil } }
        #expect(deleted.sorted() == ["b0", "c0"])
    }

    /// More notifications than the socket holds: the table is read again, and nothing is missing afterwards.
    @Test(.enabled(if: geteuid() == 0, "needs root")) func lostNotificationsAreMadeUpFor() throws {
        let namespace = try NamedNamespace("overrun")
        var monitor = try namespace.enter { try LinkMonitor() }
        var small: Int32 = 4096
        _ = unsafe setsockopt(
            monitor.pollDescriptor,
            SOL_SOCKET,
            SO_RCVBUF,
            &small,
            socklen_t(MemoryLayout<Int32>.size)
        )
        for index in 0..<20 { try namespace.ip(["link", "add", "d\(index)", "type", "bridge"]) }
        let changes = try monitor.changes()
        #expect(monitor.overruns == 1)
        #expect(changes.filter { if case .added = $0 { true } else { false } }.count == 20)
    }
}
