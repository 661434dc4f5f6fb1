import Glibc

/// The memory of a worker's tables, in one piece, taken once. It takes room where it is written to.
///
/// Entries of one number of all tables stand side by side: few flows fill the memory's beginning, however they are spread over
/// the tables. Huge pages spare a processor most of its walks through page tables: flows are far apart.
@safe
struct FlowMemory: ~Copyable {
    /// Flows of a table.
    let capacity: Int
    /// Entries of a table: of its flows, of those that ended and wait, and one of none.
    let entriesOfTable: Int
    /// Of a table's index; a power of two.
    let places: Int
    /// Bytes from an entry of a table to its next.
    let pitch: Int
    let index: UnsafeMutablePointer<UInt64>
    let nodes: UnsafeMutablePointer<FlowTable.Node>
    /// ``FlowTable/stride`` bytes each, on lines of their own.
    let entries: UnsafeMutableRawPointer
    private let base: UnsafeMutableRawPointer
    private let size: Int

    private static let hugePage = 2 << 20

    init(tables: Int, capacity: Int) {
        self.capacity = capacity
        // An odd number of entries, or those of one table would fall into few sets of a cache.
        pitch = (tables | 1) * FlowTable.stride
        var places = 16
        while places < 2 * capacity { places *= 2 }
        self.places = places
        entriesOfTable = capacity + FlowTable.spare + 1
        let indexSize = tables * places * MemoryLayout<UInt64>.stride
        let nodesSize = (tables * entriesOfTable * MemoryLayout<FlowTable.Node>.stride + 63) & ~63
        size = indexSize + nodesSize + entriesOfTable * pitch + Self.hugePage
        let memory = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard unsafe memory != MAP_FAILED, let base = unsafe memory else {
            fatalError("no memory for \(size) bytes of flows")
        }
        // Kernels without huge pages do without.
        _ = unsafe madvise(base, size, MADV_HUGEPAGE)
        unsafe self.base = base
        let start = unsafe base.alignedUp(toMultipleOf: Self.hugePage)
        unsafe index = start.bindMemory(to: UInt64.self, capacity: tables * places)
        unsafe nodes = (start + indexSize).bindMemory(to: FlowTable.Node.self, capacity: tables * entriesOfTable)
        unsafe entries = unsafe start + indexSize + nodesSize
    }

    deinit { _ = unsafe munmap(base, size) }
}
