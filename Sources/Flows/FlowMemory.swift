import Glibc

/// The memory of a worker's tables, in one piece, taken once. It takes room where it is written to.
///
/// All tables take their entries from one row: few flows fill the memory's beginning, however they are spread over the tables.
/// Huge pages spare a processor most of its walks through page tables: flows are far apart.
@safe
struct FlowMemory: ~Copyable {
    /// Entries that are not in use.
    struct Pool {
        /// The first of a list; 0: none.
        var free: UInt32 = 0
        /// Entries from here on were never used: their memory was never touched.
        var fresh: UInt32 = 1
        let end: UInt32
    }

    /// Flows of a table.
    let capacity: Int
    /// Of a table's index; a power of two.
    let places: Int
    let index: UnsafeMutablePointer<UInt64>
    let pool: UnsafeMutablePointer<Pool>
    let nodes: UnsafeMutablePointer<FlowTable.Node>
    /// ``FlowTable/stride`` bytes each, on lines of their own.
    let entries: UnsafeMutableRawPointer
    private let base: UnsafeMutableRawPointer
    private let size: Int

    private static let hugePage = 2 << 20

    init(tables: Int, capacity: Int) {
        self.capacity = capacity
        var places = 16
        while places < 2 * capacity { places *= 2 }
        self.places = places
        // Of flows, of those that ended and wait, and one of none.
        let count = tables * (capacity + FlowTable.spare) + 1
        let indexSize = tables * places * MemoryLayout<UInt64>.stride
        let nodesSize = (count * MemoryLayout<FlowTable.Node>.stride + 63) & ~63
        size = indexSize + nodesSize + count * FlowTable.stride + Self.hugePage
        let memory = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard unsafe memory != MAP_FAILED, let base = unsafe memory else {
            fatalError("no memory for \(size) bytes of flows")
        }
        // Kernels without huge pages do without.
        _ = unsafe madvise(base, size, MADV_HUGEPAGE)
        unsafe self.base = base
        let start = unsafe base.alignedUp(toMultipleOf: Self.hugePage)
        unsafe index = start.bindMemory(to: UInt64.self, capacity: tables * places)
        unsafe nodes = (start + indexSize).bindMemory(to: FlowTable.Node.self, capacity: count)
        unsafe entries = unsafe start + indexSize + nodesSize
        unsafe pool = .allocate(capacity: 1)
        unsafe pool.initialize(to: Pool(end: UInt32(count)))
    }

    deinit {
        _ = unsafe munmap(base, size)
        unsafe pool.deallocate()
    }
}
