import Glibc
import Support
import Testing

@testable import Host

@Suite struct HostParserTests {
    private func processor(_ text: String) -> ProcessorTimes? { ProcessorTimes(text.bytes.span) }
    private func memory(_ text: String) -> MemoryUsage? { MemoryUsage(text.bytes.span) }

    private func load(_ text: String) -> LoadAverage? { LoadAverage(text.bytes.span) }

    private func socketInode(_ text: String) -> UInt32? { Directory.socketInode(text.bytes.span) }

    private func disks(_ text: String, _ isCounted: (String) -> Bool = { _ in true }) -> [DiskStatistics] {
        var rows: [DiskStatistics] = []
        DiskStatistics.read(text.bytes.span, into: &rows) { isCounted(String(decoding: $1.array, as: UTF8.self)) }
        return rows
    }

    @Test func processorUsageIsTheBusyShare() throws {
        let first = try #require(processor(Fixtures.stat))
        #expect(first.cores == 2)
        // 30 user, 10 system, 5 steal, 45 idle and 10 waiting: 45 of 100 are busy. Guest time is in user already.
        let later = Fixtures.stat.replacing(
            "4705 150 1120 16250 520 30 45 200 175",
            with: "4735 150 1130 16295 530 30 45 205 185"
        )
        let second = try #require(processor(later))
        #expect(second.usage(since: first) == 45)
        #expect(first.usage(since: first) == nil)
        // Only iowait went back: nothing passed.
        let odd = try #require(processor(Fixtures.stat.replacing("16250 520", with: "16250 510")))
        #expect(odd.usage(since: first) == nil)
    }

    @Test func oldStatHasFourNumbers() throws {
        let first = try #require(processor(Fixtures.oldStat))
        let second = try #require(processor(Fixtures.oldStat.replacing("cpu 100 0 50 850", with: "cpu 175 0 50 875")))
        #expect(second.usage(since: first) == 75)
        #expect(second.cores == 1)
    }

    @Test(arguments: [
        "", "\n", "cpu\n", "cpu 1 2 3\n", "cpu a b c d\n", "cpu 1 2 3 99999999999999999999\n", "intr 1\n",
        "cpu 1 2 3 4",
    ])
    func garbageIsNoStat(text: String) {
        #expect(processor(text) == nil)
    }

    @Test func memoryFigures() throws {
        let new = try #require(memory(Fixtures.memory))
        #expect(new.total == 16_384_000 * 1024)
        #expect(new.available == 8_192_000 * 1024)
        #expect(new.used == 8_192_000 * 1024)
        let old = try #require(memory(Fixtures.oldMemory))
        #expect(old.available == 400_000 * 1024)
        // Inside some containers more is available than there is.
        let odd = try #require(memory("MemTotal: 10 kB\nMemAvailable: 20 kB\n"))
        #expect(odd.used == 0)
        #expect(memory("") == nil)
        #expect(memory("MemTotal: x kB\n") == nil)
        #expect(memory("MemTotal: 0 kB\n") == nil)
        #expect(memory("MemTotal: 18446744073709551615 kB\n") == nil)
    }

    @Test func loadFigures() throws {
        let average = try #require(load("0.07 1.20 12.99 1/123 4567\n"))
        #expect(average.one == 0.07 && average.five == 1.2 && average.fifteen == 12.99)
        for text in ["", "1 2 3", "a.bc 0.00 0.00", ".07 0.00 0.00"] { #expect(load(text) == nil) }
    }

    @Test func diskRowsOfManyKernels() {
        let rows = disks(Fixtures.disks)
        #expect(rows.count == 6)
        #expect(rows[0] == DiskStatistics(device: 8 << 32, readBytes: 2000 * 512, writtenBytes: 4000 * 512))
        #expect(rows[2].device == 259 << 32 && rows[2].readBytes == 200 * 512)
        #expect(rows[3].readBytes == 20 * 512 && rows[3].writtenBytes == 40 * 512)
        #expect(disks(Fixtures.disks) { $0 == "cciss/c0d0" }.count == 1)
        #expect(disks("8 0 sda 1 0 1 1 1 0 1 1 0 1 1").isEmpty)
        #expect(disks("x\n-1 0 sda 1 0 1 1 1 0 1 1\n").isEmpty)
    }

    @Test func diskRatesNeverRunBackwards() {
        let before = [
            DiskStatistics(device: 1, readBytes: 1000, writtenBytes: 500),
            DiskStatistics(device: 2, readBytes: 9000, writtenBytes: 9000),
            DiskStatistics(device: 3, readBytes: 70, writtenBytes: 70),
        ]
        // Disk 1 left, disk 2 began anew, disk 3 moved up, disk 4 is new: only disk 3 has a rate.
        let after = [
            DiskStatistics(device: 2, readBytes: 10, writtenBytes: 10),
            DiskStatistics(device: 3, readBytes: 270, writtenBytes: 170),
            DiskStatistics(device: 4, readBytes: 5000, writtenBytes: 5000),
        ]
        let rates = DiskRates(from: before, to: after, seconds: 2)
        #expect(rates.read == 100 && rates.written == 50)
        #expect(DiskRates(from: before, to: after, seconds: 0).read == 0)
    }

    @Test func wholeDisksByTheirFolders() {
        let outcome = ChildProcess.run(["/bin/mktemp", "-d"])
        let root = String(outcome.text.filter { !$0.isWhitespace })
        defer { _ = ChildProcess.run(["/bin/rm", "-r", root]) }
        let script = """
            cd "$0"
            for disk in sda vda nvme0n1 nvme0c0n1 dm-0 md127 loop0 zram0 cciss!c0d0 mmcblk0 bcache0 mdx; do
                mkdir -p $disk/slaves; echo 0 > $disk/hidden
            done
            echo 1 > nvme0c0n1/hidden
            mkdir mdx/slaves/sda
            """
        #expect(ChildProcess.run(["/bin/sh", "-c", script, root]).status == 0)
        let names = [
            "sda", "sda1", "vda", "nvme0n1", "nvme0n1p1", "nvme0c0n1", "dm-0", "md127", "loop0", "zram0", "cciss!c0d0",
            "mmcblk0", "mmcblk0p1", "bcache0", "mdx",
        ]
        let disks = names.filter { DiskSelection.isDisk(named: $0, blockFolder: root) }
        #expect(disks == ["sda", "vda", "nvme0n1", "cciss!c0d0", "mmcblk0"])
    }

    @Test func limitsOfBothVersions() {
        var limits = ControlGroupLimits()
        limits.tighten { ["memory.max": "max\n", "cpu.max": "max 100000\n"][$0] }
        #expect(limits == ControlGroupLimits())
        limits.tighten { ["memory.max": "2147483648\n", "cpu.max": "150000 100000\n"][$0] }
        limits.tighten { ["memory.max": "4294967296\n", "cpu.max": "400000 100000\n"][$0] }
        #expect(limits == ControlGroupLimits(memory: 2_147_483_648, processors: 1.5))
        var old = ControlGroupLimits()
        old.tighten { ["memory.limit_in_bytes": "9223372036854771712\n"][$0] }
        old.tighten { ["cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"][$0] }
        #expect(old == ControlGroupLimits())
        old.tighten { ["cpu.cfs_quota_us": "50000\n", "cpu.cfs_period_us": "100000\n"][$0] }
        #expect(old.processors == 0.5)
        old.tighten { ["cpu.max": "", "memory.max": "garbage"][$0] }
        #expect(old.processors == 0.5 && old.memory == nil)
    }

    @Test func foldersThatLimitThisProcess() {
        let unified = ControlGroupLimits.folders(
            mounts: "35 25 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
            groups: "0::/system.slice/weir.service\n"
        )
        #expect(
            unified == ["/sys/fs/cgroup/system.slice/weir.service", "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup"]
        )
        let split = ControlGroupLimits.folders(
            mounts: """
                30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
                31 25 0:27 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
                """,
            groups: "4:memory:/docker/abc\n3:cpu,cpuacct:/\n1:name=systemd:/x\n"
        )
        #expect(split == ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu,cpuacct"])
        #expect(ControlGroupLimits.folders(mounts: "nonsense\n", groups: "nonsense\n0::\n").isEmpty)
    }

    @Test func processesByTheirFiles() {
        #expect(SocketOwner.program(comm: "sshd\n".bytes, command: []) == "sshd")
        #expect(
            SocketOwner.program(comm: "systemd-resolve\n".bytes, command: "/lib/systemd/systemd-resolved\0".bytes)
                == "systemd-resolved"
        )
        #expect(
            SocketOwner.program(comm: "fifteen-bytes-x\n".bytes, command: "/usr/bin/python3\0-m\0".bytes)
                == "fifteen-bytes-x"
        )
        #expect(SocketOwner.program(comm: [0x1b, 0x5b, 0x0a, 0xff, 0x0a], command: []) == #"\x1b[\x0a\xff"#)
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 2\n"
        #expect(SocketOwner.startTime(stat.bytes) == 987_654)
        #expect(SocketOwner.startTime("42 (a".bytes) == nil)
        #expect(SocketOwner.unit("0::/system.slice/ssh.service\n".bytes) == "ssh.service")
        #expect(
            SocketOwner.unit("5:cpu:/x.service\n1:name=systemd:/user.slice/user-0.slice/session-1.scope\n".bytes)
                == "session-1.scope"
        )
        #expect(SocketOwner.unit("0::/user.slice/user@1.service/app.slice/web.service/sub\n".bytes) == "web.service")
        #expect(SocketOwner.unit("0::/\n".bytes) == nil)
        #expect(socketInode("socket:[4711]") == 4711)
        for text in ["socket:[]", "socket:[x]", "pipe:[1]", "socket:[99999999999]", "socket:[1"] {
            #expect(socketInode(text) == nil)
        }
    }

    /// What the kernel never writes is read as something or nothing: never a trap.
    @Test func mutatedTextsNeverTrap() {
        let seed: UInt64 = 0x5eed_0002
        var random = SeededGenerator(seed: seed)
        let samples = [
            Fixtures.stat, Fixtures.oldStat, Fixtures.memory, Fixtures.disks, "0.07 1.20 12.99 1/123 4567\n",
        ].map(\.bytes)
        let base = processor(Fixtures.stat)
        var readable = 0
        for _ in 0..<20_000 {
            var bytes = samples[Int.random(in: 0..<samples.count, using: &random)]
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let offset = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[offset] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.removeLast(bytes.count - offset - 1)
                case 2: bytes.insert(contentsOf: "99999999999".utf8, at: offset)
                default: bytes[offset] = [0x0a, 0x20, 0x30, 0x3a][Int.random(in: 0..<4, using: &random)]
                }
            }
            var rows: [DiskStatistics] = []
            DiskStatistics.read(bytes.span, into: &rows) { _, _ in true }
            let processor = ProcessorTimes(bytes.span)
            if let processor, let base, let usage = processor.usage(since: base) {
                #expect((0...100).contains(usage), "seed \(seed)")
            }
            if processor != nil || MemoryUsage(bytes.span) != nil || LoadAverage(bytes.span) != nil || !rows.isEmpty {
                readable += 1
            }
            _ = SocketOwner.program(comm: bytes, command: bytes)
            _ = SocketOwner.startTime(bytes)
            _ = SocketOwner.unit(bytes)
            let text = String(decoding: bytes, as: UTF8.self)
            _ = ControlGroupLimits.folders(mounts: text, groups: text)
        }
        #expect(readable > 1000, "seed \(seed)")
    }
}
