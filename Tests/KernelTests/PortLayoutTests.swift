import BPF
import Glibc
import Linux
import Testing

@Suite("Kernel memory") struct PortLayoutTests {
    @Test("a table for each CPU up to 12 of them, within 64 MiB for all", arguments: 1...64)
    func budget(_ processors: Int) {
        let layout = PortLayout.fitting(processors: processors, clients: 65_536)
        #expect(layout == (processors <= 12 ? .perProcessor : .shared))
        #expect(PortLayout.kernelMemory(layout, processors: processors, clients: 65_536) <= PortLayout.budget)
    }

    @Test("a larger table of clients leaves less for ports")
    func clients() {
        #expect(PortLayout.fitting(processors: 8, clients: 65_536) == .perProcessor)
        #expect(PortLayout.fitting(processors: 8, clients: 300_000) == .shared)
    }

    @Test(
        "what is computed is what the kernel accounts, to 5 %",
        needsRoot,
        arguments: [PortLayout.perProcessor, .shared]
    )
    func measured(_ layout: PortLayout) throws {
        let counting = try Counting(layout: layout)
        let found = Double(try counting.kernelMemory())
        let processors = try Processors.possible()
        let computed = Double(PortLayout.kernelMemory(layout, processors: processors, clients: 65_536))
        #expect(abs(found - computed) / found < 0.05, "computed \(computed), the kernel says \(found)")
    }
}
