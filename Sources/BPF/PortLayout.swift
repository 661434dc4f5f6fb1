import KernelABI

/// How the counters of all local ports lie in the kernel: a table for each CPU costs nothing to write, but 64 of them
/// would take 270 MB; one table for all takes atomic additions.
public enum PortLayout: String, Sendable {
    case perProcessor
    case shared

    /// Kernel memory that the counting maps may take together.
    public static let budget = 64 << 20

    /// A table for each CPU wherever all maps then fit into the budget.
    public static func fitting(processors: Int, clients: Int) -> PortLayout {
        kernelMemory(.perProcessor, processors: processors, clients: clients) <= budget ? .perProcessor : .shared
    }

    /// Bytes that the counting maps take, computed: arrays have a pointer and a value for each CPU of an entry; a hash has
    /// its entries, one spare for each CPU, and a bucket for each entry, rounded up to a power of two.
    public static func kernelMemory(_ layout: PortLayout, processors: Int, clients: Int) -> Int {
        let entries = Int(WEIR_PORT_PROTOCOLS) * Int(WEIR_PORTS)
        let port = MemoryLayout<weir_port>.stride
        let ports = layout == .shared ? entries * port : perProcessor(entries, port, processors)
        let services = perProcessor(Int(WEIR_SERVICES), MemoryLayout<weir_service>.stride, processors)
        let interfaces = perProcessor(64, MemoryLayout<weir_interface>.stride, processors)
        // The kernel's head, the key rounded up to 8, the value.
        let element = 48 + 24 + MemoryLayout<weir_client>.stride
        let table = (clients + processors) * element + clients.nextPowerOfTwo * 16
        // service_of, touched, handshakes, place_of.
        let variables = 2 * entries + entries / 8 + (8 << 17) + 8 * Int(WEIR_PLACES)
        return ports + services + interfaces + table + variables
    }

    private static func perProcessor(_ entries: Int, _ size: Int, _ processors: Int) -> Int {
        entries * (8 + size * processors)
    }
}

extension Int {
    fileprivate var nextPowerOfTwo: Int {
        self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount)
    }
}
