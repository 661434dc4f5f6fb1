import Glibc
import Host
import Linux
import Support
import Testing

@Suite(.serialized) struct HostSamplerTests {
    private func words(_ path: String) -> [String] {
        ChildProcess.run(["/bin/cat", path]).text.split(whereSeparator: \.isWhitespace).map(String.init)
    }

    /// user nice system idle iowait irq softirq steal, by another way than the sampler's.
    private func ticks() -> [Double] { words("/proc/stat")[1...8].compactMap { Double($0) } }

    @Test func figuresAreThoseOfTheSystem() throws {
        var sampler = try HostSampler()
        let sample = try sampler.sample()
        #expect(sample.cores == sysconf(Int32(_SC_NPROCESSORS_ONLN)))

        let page = UInt64(sysconf(Int32(_SC_PAGESIZE)))
        #expect(sample.memory.total == UInt64(sysconf(Int32(_SC_PHYS_PAGES))) * page)
        #expect(sample.memory.available <= sample.memory.total)
        #expect(sample.memory.available >= UInt64(sysconf(Int32(_SC_AVPHYS_PAGES))) * page / 2)

        let df = ChildProcess.run(["/bin/df", "-B1", "--output=size,used", "/"]).text.split(
            whereSeparator: \.isWhitespace
        )
        #expect(sample.diskSpace?.total == UInt64(df[df.count - 2]))
        let used = try #require(sample.diskSpace?.used)
        let other = try #require(UInt64(df[df.count - 1]))
        #expect(max(used, other) - min(used, other) < 1 << 28)

        let processes = ChildProcess.run(["/bin/sh", "-c", "ls -d /proc/[0-9]* | wc -l"]).text.filter(\.isNumber)
        #expect(abs(sample.processes - (Int(processes) ?? 0)) <= 20)
        #expect(sample.load != nil)
    }

    @Test func processorUsageOfABusyCore() throws {
        var sampler = try HostSampler()
        _ = try sampler.sample()
        let before = ticks()
        let start = Clock.monotonic.now()
        _ = try sampler.sample()
        while Clock.monotonic.now() - start < 700_000_000 {}
        let usage = try sampler.sample().processorUsage
        let passed = zip(ticks(), before).map { $0 - $1 }
        let total = passed.reduce(0, +)
        let expected = 100 * (total - passed[3] - passed[4]) / total
        #expect(abs(usage - expected) < 15, "sampler \(usage), by hand \(expected)")
        // One core was busy all the time.
        #expect(usage > 100 / Double(sysconf(Int32(_SC_NPROCESSORS_ONLN))) * 0.7)
    }

    @Test func diskRatesOfAWrite() throws {
        var sampler = try HostSampler()
        let start = try sampler.sample()
        let script =
            #"f=$(mktemp ./weir-disk-XXXXXX); dd if=/dev/zero of="$f" bs=1M count=16 conv=fsync 2>/dev/null; rm "$f""#
        #expect(ChildProcess.run(["/bin/sh", "-c", script]).status == 0)
        let end = try sampler.sample()
        let rates = try #require(end.diskRates)
        let written = rates.written * Double(end.time - start.time) / 1e9
        let hasDisk = ChildProcess.run(["/bin/sh", "-c", "df . | tail -1 | cut -d' ' -f1"]).text.hasPrefix("/dev/")
        if hasDisk { #expect(written >= 16_777_216 && written < 1e10, "\(written) bytes") }
        #expect(rates.read >= 0)
    }

    @Test func samplesInARowAreSound() throws {
        var sampler = try HostSampler()
        for _ in 0..<200 {
            let sample = try sampler.sample()
            #expect((0...100).contains(sample.processorUsage))
            #expect(sample.diskRates.map { $0.read >= 0 && $0.read.isFinite } ?? true)
        }
    }

    @Test func aPathThatIsNotThereHasNoSpace() throws {
        var sampler = try HostSampler(diskPath: "/no/such/place")
        #expect(try sampler.sample().diskSpace == nil)
    }
}
