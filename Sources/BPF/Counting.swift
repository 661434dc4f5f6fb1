public import KernelABI
import Linux

/// The counting programs and their maps, in the kernel.
public struct Counting: ~Copyable, Sendable {
    public let ingress: Program
    public let egress: Program
    /// What is watched: an entry is made before its interface's programs are attached.
    public let interfaces: InterfaceTable
    public let ports: PortTable
    /// The service that listens on a port: index (`WEIR_TCP` or `WEIR_UDP`) << 16 | port, 0 for none.
    public let serviceOf: Variable<UInt16>
    /// Key: the service's number.
    public let services: Map<UInt32, weir_service>
    public let clients: Map<weir_client_key, weir_client>
    public let losses: Map<UInt32, weir_losses>

    /// Loads them. Needs CAP_BPF and CAP_NET_ADMIN, CAP_PERFMON too, or CAP_SYS_ADMIN before Linux 5.8.
    ///
    /// - Parameter layout: nil chooses what keeps kernel memory within `PortLayout.budget`.
    public init(
        clients capacity: Int = 65_536,
        interfaces: Int = 64,
        layout: PortLayout? = nil
    ) throws(BPFError) {
        var object = try OpenObject(.count)
        var generator = SystemRandomNumberGenerator()
        try object.set("seed", to: (generator.next(), generator.next()))
        try object.setCapacity(of: "clients", to: capacity)
        try object.setCapacity(of: "interfaces", to: interfaces)
        let chosen: PortLayout
        if let layout {
            chosen = layout
        } else {
            chosen = .fitting(processors: try Self.processors(), clients: capacity)
        }
        if chosen == .shared {
            try object.set("shared_ports", to: true)
            try object.share("ports")
        }
        let loaded = try object.load()
        // What can throw stands before the first stored property.
        let ingress = try loaded.program("weir_ingress")
        let egress = try loaded.program("weir_egress")
        let interfaceMap: Map<UInt32, weir_interface> = try loaded.map("interfaces")
        let placeOf: Variable<UInt64> = try loaded.variable("place_of")
        let ports: Map<UInt32, weir_port> = try loaded.map("ports")
        let touched: Variable<UInt64> = try loaded.variable("touched")
        let serviceOf: Variable<UInt16> = try loaded.variable("service_of")
        let services: Map<UInt32, weir_service> = try loaded.map("services")
        let clients: Map<weir_client_key, weir_client> = try loaded.map("clients")
        let losses: Map<UInt32, weir_losses> = try loaded.map("losses")
        self.ingress = ingress
        self.egress = egress
        self.interfaces = InterfaceTable(counters: interfaceMap, placeOf: placeOf)
        self.ports = PortTable(counters: ports, touched: touched)
        self.serviceOf = serviceOf
        self.services = services
        self.clients = clients
        self.losses = losses
    }

    private static func processors() throws(BPFError) -> Int {
        do throws(SystemError) {
            return try Processors.possible()
        } catch {
            throw .system(error)
        }
    }

    /// Kernel memory of all its maps, in bytes, as the kernel accounts it.
    public func kernelMemory() throws(BPFError) -> Int {
        try interfaces.counters.kernelMemory() + ports.counters.kernelMemory() + services.kernelMemory()
            + clients.kernelMemory() + losses.kernelMemory() + BPF.kernelMemory(of: serviceOf.descriptor)
    }
}

/// The counters of all local ports, read without walking those that did not move.
public struct PortTable: ~Copyable, Sendable {
    /// Key: (`WEIR_TCP` or `WEIR_UDP`) << 16 | port.
    public let counters: Map<UInt32, weir_port>
    /// A bit for each entry, set by the programs after they counted there.
    public let touched: Variable<UInt64>

    public init(counters: consuming Map<UInt32, weir_port>, touched: consuming Variable<UInt64>) {
        self.counters = counters
        self.touched = touched
    }

    /// Hands the totals of every port that moved since the last call to `body`. One reader only.
    ///
    /// - Parameter pending: the ports of the last call, empty at first. A port is read once more in the call after the
    ///   one that found it, since on another CPU an addition may become visible after its bit was taken.
    public func forEachChanged(
        pending: inout [UInt64],
        _ body: (_ index: UInt32, _ totals: weir_port) -> Void
    ) throws(BPFError) {
        if pending.isEmpty { pending = [UInt64](repeating: 0, count: touched.count) }
        for word in 0..<touched.count {
            let fresh = touched.take(word)
            let wanted = fresh | pending[word]
            pending[word] = fresh
            guard wanted != 0 else { continue }
            let first = UInt32(word * 64 + wanted.trailingZeroBitCount)
            let last = UInt32(word * 64 + 63 - wanted.leadingZeroBitCount)
            try counters.forEach(in: first..<last + 1) { index, totals in
                if wanted >> UInt64(index % 64) & 1 == 1 { body(index, totals) }
            }
        }
    }
}
