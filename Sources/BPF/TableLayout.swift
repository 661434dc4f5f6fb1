import KernelABI

/// Which tables each CPU has for itself: such a one costs nothing to write, but 64 of all ports would take 270 MB; one for
/// all CPUs takes atomic additions.
public enum TableLayout: String, Sendable, CaseIterable {
    case perProcessor
    case sharedClients
    case shared

    /// Kernel memory that the counting maps may take together.
    public static let budget = 64 << 20

    /// The first layout of which all maps fit into the budget.
    public static func fitting(processors: Int, clients: Int) -> TableLayout {
        allCases.first { kernelMemory($0, processors: processors, clients: clients) <= budget } ?? .shared
    }

    var sharesClients: Bool { self != .perProcessor }
    var sharesPorts: Bool { self == .shared }

    /// Bytes that the counting maps take, computed: arrays for each CPU have a pointer and a value for each CPU of an entry.
    public static func kernelMemory(_ layout: TableLayout, processors: Int, clients: Int) -> Int {
        let entries = Int(WEIR_PORT_PROTOCOLS) * Int(WEIR_PORTS)
        let port = MemoryLayout<weir_port>.stride
        let ports = layout.sharesPorts ? entries * port : perProcessor(entries, port, processors)
        let services = perProcessor(Int(WEIR_SERVICES), MemoryLayout<weir_service>.stride, processors)
        let interfaces = perProcessor(64, MemoryLayout<weir_interface>.stride, processors)
        let slots = buckets(clients: clients) * Int(WEIR_CLIENT_WAYS)
        let copies = layout.sharesClients ? 1 : processors
        let table = slots * (1 + MemoryLayout<weir_client>.stride + copies * port)
        // service_of, handshakes, place_of.
        let variables = 2 * entries + (8 << 17) + 8 * Int(WEIR_PLACES)
        return ports + services + interfaces + table + variables
    }

    /// Buckets of a table for so many clients: half as many slots again. Filled to that number it turns none away in 99 of
    /// 100 cases; kept there while clients come and go, about one newcomer in 2,500.
    static func buckets(clients: Int) -> Int {
        max(1, (clients * 3).dividedUp(by: 2 * Int(WEIR_CLIENT_WAYS)))
    }

    private static func perProcessor(_ entries: Int, _ size: Int, _ processors: Int) -> Int {
        entries * (8 + size * processors)
    }
}

extension Int {
    fileprivate func dividedUp(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
}
