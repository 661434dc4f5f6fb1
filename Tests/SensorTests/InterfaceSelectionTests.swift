import Glibc
import Linux
import Reports
import Testing

@testable import Sensor

@Suite("Which interfaces are watched")
struct InterfaceSelectionTests {
    private static func link(_ index: Int32, _ name: String, up: Bool = true, loopback: Bool = false) -> Link {
        var link = Link(index: index, name: name)
        if up { link.flags |= UInt32(IFF_UP) }
        if loopback { link.flags |= UInt32(IFF_LOOPBACK) }
        return link
    }

    private static func links(_ links: Link...) -> [Int32: Link] {
        Dictionary(uniqueKeysWithValues: links.map { ($0.index, $0) })
    }

    private static let host = links(
        link(1, "lo", loopback: true),
        link(2, "eth0"),
        link(3, "eth1"),
        link(4, "eth2", up: false)
    )

    @Test func theDefaultRoutesByDefault() {
        let selection = InterfaceSelection(names: [], links: Self.host, preferred: 3)
        #expect(selection.chosen.map(\.link.name) == ["eth1"])
        #expect(selection.unwatched.map(\.name) == ["lo", "eth0", "eth2"])
    }

    @Test func allAreThoseThatAreUpAndNotLoopback() {
        let selection = InterfaceSelection(names: ["all"], links: Self.host, preferred: 3)
        #expect(selection.chosen.map(\.link.name) == ["eth0", "eth1"])
        #expect(
            InterfaceSelection(names: ["all", "lo"], links: Self.host, preferred: 3).chosen.first?.link.name == "lo"
        )
    }

    @Test func allKeepsOneThatGoesDown() {
        let selection = InterfaceSelection(names: ["all"], links: Self.host, preferred: nil, watched: [4])
        #expect(selection.chosen.map(\.link.name) == ["eth0", "eth1", "eth2"])
    }

    @Test func oneThatGetsAnotherNameStays() {
        let selection = InterfaceSelection(names: ["wan0"], links: Self.host, preferred: nil, watched: [3])
        #expect(selection.chosen.map(\.link.name) == ["eth1"])
        #expect(selection.missing == ["wan0"])
    }

    @Test func whatIsNotThereIsMissing() {
        let selection = InterfaceSelection(names: ["eth0", "wan0"], links: Self.host, preferred: nil)
        #expect(selection.missing == ["wan0"])
        #expect(selection.chosen.map(\.link.name) == ["eth0"])
    }

    @Test func aPacketOfAStackCountsOnce() {
        var bond = Self.link(2, "bond0")
        bond.kind = "bond"
        var port = Self.link(3, "eth0")
        port.masterIndex = 2
        var vlan = Self.link(4, "bond0.7")
        vlan.kind = "vlan"
        vlan.linkedIndex = 2
        let all = InterfaceSelection(names: ["all"], links: Self.links(bond, port, vlan), preferred: nil)
        #expect(all.chosen.filter(\.isOutermost).map(\.link.name) == ["bond0"])
        let alone = InterfaceSelection(names: ["bond0.7"], links: Self.links(bond, port, vlan), preferred: nil)
        #expect(alone.chosen.map(\.isOutermost) == [true], "its lower device is not watched")
    }

    @Test func loopbackIsNoTraffic() {
        let selection = InterfaceSelection(names: ["lo"], links: Self.host, preferred: nil)
        #expect(selection.chosen.map(\.countsAsTraffic) == [false])
        #expect(selection.chosen.map(\.isOutermost) == [true])
    }
}
