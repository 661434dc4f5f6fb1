import Glibc
import Testing

@testable import Linux

@Suite struct HostFactsTests {
    @Test func clocksMoveForward() {
        let monotonic = Clock.monotonic.now()
        let boottime = Clock.boottime.now()
        #expect(Clock.monotonic.now() >= monotonic)
        #expect(boottime >= monotonic)
        // Seconds since 1970, against the C library's own.
        #expect(abs(Clock.realtime.now() / 1_000_000_000 - Int64(time(nil))) <= 1)
    }

    @Test func processorListsAreRead() {
        #expect(Processors.highest(in: "0-3\n".utf8) == 3)
        #expect(Processors.highest(in: "0".utf8) == 0)
        #expect(Processors.highest(in: "0-1,8-127".utf8) == 127)
        #expect(Processors.highest(in: "\n".utf8) == nil)
    }

    @Test func thereAreAsManyProcessorsAsTheKernelSays() throws {
        #expect(try Processors.possible() >= Processors.online)
        #expect(Processors.online >= 1)
    }

    @Test(.enabled(if: geteuid() == 0, "needs root")) func capabilitiesAreThoseOfTheStatusFile() throws {
        let expected = try #require(UInt64(threadStatus("CapEff"), radix: 16))
        let effective = try Capabilities.effective()
        #expect(effective.rawValue == expected)
        #expect(effective.contains(.networkRaw))
    }

    @Test func capabilitiesAreNamed() {
        let some: Capabilities = [.networkAdmin, .bpf, Capabilities(rawValue: 1)]
        #expect(some.description == "CAP_NET_ADMIN, CAP_BPF")
    }
}
