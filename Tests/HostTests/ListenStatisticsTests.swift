import Testing

@testable import Host

struct ListenStatisticsTests {
    @Test func `Names and numbers stand in pairs of lines`() {
        let text = """
            TcpExt: SyncookiesSent SyncookiesRecv ListenOverflows ListenDrops TCPTimeouts
            TcpExt: 12 3 45 678 9
            IpExt: InNoRoutes ListenDrops
            IpExt: 1

            """
        let bytes = Array(text.utf8)
        let statistics = ListenStatistics(bytes.span)
        #expect(statistics.cookiesSent == 12)
        #expect(statistics.overflows == 45)
        #expect(statistics.drops == 678)
    }

    @Test func `Text that is something else counts nothing`() {
        for text in ["", "\n", "TcpExt:\n", "TcpExt: ListenDrops\nTcpExt: many\n", "ListenDrops"] {
            let bytes = Array(text.utf8)
            #expect(ListenStatistics(bytes.span) == ListenStatistics(), "\(text)")
        }
    }

    @Test func `This kernel tells them`() throws {
        var monitor = try ListenMonitor()
        let first = try monitor.statistics()
        let second = try monitor.statistics()
        #expect(second.drops >= first.drops)
        #expect(second.cookiesSent >= first.cookiesSent)
    }
}
