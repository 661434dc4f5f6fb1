import Glibc
import Linux
import Support
import Testing

@Suite struct LinkTablesTests {
    /// The first words of a small file, for example of /sys.
    private static func words(_ path: String) -> [String] {
        guard let file = unsafe fopen(path, "r") else { return [] }
        defer { unsafe fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
    }

    @Test func linksAreThoseOfSys() throws {
        var tables = try LinkTables()
        let links = try tables.links()
        #expect(links.first { $0.isLoopback }?.name == "lo")
        for link in links {
            let folder = "/sys/class/net/\(link.name)"
            #expect(Self.words("\(folder)/ifindex") == ["\(link.index)"])
            #expect(Self.words("\(folder)/mtu") == ["\(link.mtu)"])
        }
    }

    /// /proc/net/route tells the same in hexadecimal: Iface Destination Gateway Flags RefCnt Use Metric Mask ...
    @Test func defaultRouteIsThatOfProc() throws {
        var tables = try LinkTables()
        let words = Self.words("/proc/net/route")
        let rows = stride(from: 11, to: words.count - 7, by: 11).filter {
            words[$0 + 1] == "00000000" && words[$0 + 7] == "00000000"
        }
        guard let best = rows.min(by: { (UInt32(words[$0 + 6]) ?? 0) < (UInt32(words[$1 + 6]) ?? 0) }) else { return }
        let route = try #require(try tables.defaultRoute())
        #expect(try tables.links().first { $0.index == route.linkIndex }?.name == words[best])
        #expect(route.family == .v4)
    }

    @Test(.enabled(if: geteuid() == 0, "needs root")) func aNamespaceOfItsOwn() throws {
        let namespace = try NamedNamespace("tables")
        try namespace.ip(["link", "add", "a0", "mtu", "1400", "type", "veth", "peer", "name", "b0"])
        try namespace.ip(["link", "add", "link", "a0", "name", "a0.5", "type", "macvlan"])
        try namespace.ip(["link", "add", "br0", "type", "bridge"])
        try namespace.ip(["link", "set", "b0", "master", "br0"])
        for name in ["a0", "b0", "a0.5"] { try namespace.ip(["link", "set", name, "up"]) }
        try namespace.ip(["addr", "add", "198.51.100.1/24", "dev", "a0"])
        try namespace.ip(["addr", "add", "2001:db8::5/64", "dev", "a0.5", "nodad"])
        var tables = try namespace.enter { try LinkTables() }

        let links = Dictionary(uniqueKeysWithValues: try tables.links().map { ($0.name, $0) })
        let a0 = try #require(links["a0"])
        #expect(links.keys.sorted() == ["a0", "a0.5", "b0", "br0", "lo"])
        #expect(a0.mtu == 1400 && a0.kind == "veth" && a0.isUp && a0.lowerIndex == nil)
        #expect(links["a0.5"]?.kind == "macvlan")
        #expect(links["a0.5"]?.lowerIndex == a0.index)
        #expect(links["b0"]?.masterIndex == links["br0"]?.index)
        #expect(links["br0"]?.isUp == false)

        let addresses = try tables.addresses()
        let v4 = try #require(InternetAddress("198.51.100.1"))
        #expect(addresses.contains(LinkAddress(linkIndex: a0.index, address: v4, prefixLength: 24)))
        #expect(addresses.contains { $0.address.description == "2001:db8::5" && $0.linkIndex == links["a0.5"]?.index })

        // IPv6 serves where IPv4 has no default route; then the lowest metric of IPv4 does.
        #expect(try tables.defaultRoute() == nil)
        try namespace.ip(["-6", "route", "add", "default", "via", "2001:db8::1", "dev", "a0.5"])
        #expect(try tables.defaultRoute()?.linkIndex == links["a0.5"]?.index)
        try namespace.ip(["route", "add", "default", "dev", "a0.5", "metric", "900"])
        try namespace.ip(["route", "add", "default", "via", "198.51.100.9", "dev", "a0", "metric", "100"])
        let route = try #require(try tables.defaultRoute())
        #expect(route.family == .v4 && route.linkIndex == a0.index && route.metric == 100)
    }

    /// Tables that change while they are read are read again, or said to change too fast.
    @Test(.enabled(if: geteuid() == 0, "needs root")) func dumpsDuringChangesAreWhole() throws {
        let namespace = try NamedNamespace("churn")
        for index in 0..<40 { try namespace.ip(["link", "add", "d\(index)", "type", "bridge"]) }
        var tables = try namespace.enter { try LinkTables() }
        let script = "for i in 1 2 3 4 5 6 7 8 9 10; do ip link add e$i type bridge; ip link del e$i; done"
        let churn = try #require(BackgroundProcess(namespace.command(["/bin/sh", "-c", script])))
        for _ in 0..<200 {
            let names = Set(try tables.links().map(\.name))
            #expect((0..<40).allSatisfy { names.contains("d\($0)") })
        }
        _ = churn
    }
}
