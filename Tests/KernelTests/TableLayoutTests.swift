import BPF
import Glibc
import Linux
import Testing

@Suite("Kernel memory") struct TableLayoutTests {
    @Test("tables for each CPU as long as all fit into 64 MiB", arguments: 1...64)
    func budget(_ processors: Int) {
        let layout = TableLayout.fitting(processors: processors, clients: 65_536)
        #expect(layout == (processors <= 8 ? .perProcessor : processors <= 13 ? .sharedClients : .shared))
        #expect(TableLayout.kernelMemory(layout, processors: processors, clients: 65_536) <= TableLayout.budget)
    }

    @Test("a larger table of clients leaves less for ports")
    func clients() {
        #expect(TableLayout.fitting(processors: 8, clients: 70_000) == .sharedClients)
        #expect(TableLayout.fitting(processors: 8, clients: 400_000) == .shared)
    }

    @Test(
        "what is computed is what the kernel accounts, to 5 %",
        needsRoot,
        arguments: TableLayout.allCases
    )
    func measured(_ layout: TableLayout) throws {
        let counting = try Counting(layout: layout)
        let found = Double(try counting.kernelMemory())
        let processors = try Processors.possible()
        let computed = Double(TableLayout.kernelMemory(layout, processors: processors, clients: 65_536))
        #expect(abs(found - computed) / found < 0.05, "computed \(computed), the kernel says \(found)")
    }
}
