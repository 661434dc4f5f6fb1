import BPF
import Glibc
import KernelABI
import Linux
import Support
import Testing

@Suite("Opening, loading and reading objects") struct ObjectTests {
    @Test("names and sizes are checked before anything is loaded")
    func names() throws {
        var object = try OpenObject(.count)
        #expect(throws: BPFError.missing(what: "variable", name: "nonsense", object: "count")) {
            try object.set("nonsense", to: UInt32(1))
        }
        #expect(throws: BPFError.mismatch(name: "shared_ports", expected: 4, found: 1)) {
            try object.set("shared_ports", to: UInt32(1))
        }
        #expect(throws: BPFError.missing(what: "map", name: "nonsense", object: "count")) {
            try object.setCapacity(of: "nonsense", to: 1)
        }
        try object.set("shared_ports", to: true)
    }

    @Test("a loaded object knows its maps by their sizes", needsRoot)
    func maps() throws {
        let object = try OpenObject(.sample).load()
        #expect(throws: BPFError.mismatch(name: "value of sampled", expected: 8, found: 16)) {
            let _: Map<UInt32, UInt64> = try object.map("sampled")
        }
        let sampled: Map<UInt32, weir_sampled> = try object.map("sampled")
        #expect(sampled.description.isPerCPU)
        #expect(sampled.description.capacity == Int(WEIR_CLASSES))
        let sampling: Variable<weir_sampling> = try object.variable("sampling")
        #expect(sampling.count == 1 && sampling[0].one_in == 1 && sampling[0].budget == 50_000)
        let program = try object.program("weir_sample")
        #expect(program.name == "weir_sample" && program.id > 0)
        #expect(try Program(id: program.id).tag == program.tag)
        let frame = Program.TestFrame([UInt8](repeating: 0, count: 60))
        #expect(try program.run(frame, times: 1000).nanosecondsPerRun > 0)
    }

    @Test("without the right to load programs the error names the capabilities", needsRoot)
    func notPermitted() async {
        await #expect(processExitsWith: .exitCode(42)) {
            guard setgid(65534) == 0, setuid(65534) == 0 else { exit(1) }
            do throws(BPFError) {
                _ = try Counting(clients: 16)
            } catch .notPermitted(_, let needs) {
                exit(needs.contains(.bpf) && needs.description.contains("CAP_BPF") ? 42 : 2)
            } catch {
                print(error)
                exit(3)
            }
        }
    }

    @Test("no increment is lost between CPUs", needsRoot, arguments: TableLayout.allCases)
    func concurrent(_ layout: TableLayout) throws {
        let counted = try Counted(layout: layout)
        counted.serve(WEIR_TCP, 443, as: 1)
        let answer = PacketBuilder().ethernet().ipv4(from: "10.0.0.2", to: "10.0.0.1").tcp(from: 443, to: 4000)
            .payload(count: 10).bytes
        let (threads, times) = (3, Int32(50_000))
        let egress = counted.counting.egress.descriptor.rawValue
        let run: @Sendable () -> Void = {
            do {
                let own = Descriptor(owning: fcntl(egress, F_DUPFD_CLOEXEC, 0))
                try Program(owning: own).run(Program.TestFrame(answer), times: times)
            } catch {
                Issue.record(error)
            }
        }
        let first = try Worker(name: "first", run)
        let second = try Worker(name: "second", run)
        run()
        first.join()
        second.join()
        let expected = UInt64(threads) * UInt64(times)
        let bytes = expected * UInt64(answer.count)
        #expect(try counted.tx().total == Totals.Pair(packets: expected, bytes: bytes))
        let port = try counted.port(WEIR_TCP, 443).out
        #expect(port.packets == expected && port.bytes == bytes)
        let client = try counted.entered([10, 0, 0, 1], WEIR_TCP, 443).volume.out
        #expect(client.packets == expected && client.bytes == bytes)
    }
}
