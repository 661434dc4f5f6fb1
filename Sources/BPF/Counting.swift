public import KernelABI
import Linux

/// The counting programs and their maps, in the kernel.
public struct Counting: ~Copyable, Sendable {
    public let ingress: Program
    public let egress: Program
    /// What is watched: an entry is made before its interface's programs are attached.
    public let interfaces: InterfaceTable
    /// Key: (`WEIR_TCP` or `WEIR_UDP`) << 16 | port.
    public let ports: Map<UInt32, weir_port>
    /// The number of the service on a port, by the same key; 0: none.
    public let serviceOf: Variable<UInt16>
    /// Key: the service's number.
    public let services: Map<UInt32, weir_service>
    public let clients: ClientTable
    public let losses: Map<UInt32, weir_losses>

    /// Loads them. Needs CAP_BPF and CAP_NET_ADMIN, CAP_PERFMON too, or CAP_SYS_ADMIN before Linux 5.8.
    ///
    /// - Parameter layout: nil chooses what keeps kernel memory within `TableLayout.budget`.
    public init(
        clients capacity: Int = 65_536,
        interfaces: Int = 64,
        layout: TableLayout? = nil
    ) throws(BPFError) {
        var object = try OpenObject(.count)
        var generator = SystemRandomNumberGenerator()
        try object.set("seed", to: (generator.next(), generator.next()))
        try object.setCapacity(of: "interfaces", to: interfaces)
        let processors = try Self.processors()
        let layout = layout ?? .fitting(processors: processors, clients: capacity)
        let buckets = TableLayout.buckets(clients: capacity)
        try object.set("client_buckets", to: UInt32(buckets))
        try object.setCapacity(of: "client_tags", to: buckets)
        try object.setCapacity(of: "clients", to: buckets)
        try object.setCapacity(of: "client_volumes", to: layout.sharesClients ? buckets : buckets * processors)
        try object.set("shared_clients", to: layout.sharesClients)
        try object.set("shared_ports", to: layout.sharesPorts)
        if layout.sharesPorts { try object.share("ports") }
        let loaded = try object.load()
        // What can throw stands before the first stored property.
        let ingress = try loaded.program("weir_ingress")
        let egress = try loaded.program("weir_egress")
        let interfaceMap: Map<UInt32, weir_interface> = try loaded.map("interfaces")
        let placeOf: Variable<UInt64> = try loaded.variable("place_of")
        let ports: Map<UInt32, weir_port> = try loaded.map("ports")
        let serviceOf: Variable<UInt16> = try loaded.variable("service_of")
        let services: Map<UInt32, weir_service> = try loaded.map("services")
        let clientTags: Variable<UInt64> = try loaded.array("client_tags")
        let clients: Variable<weir_client> = try loaded.array("clients")
        let volumes: Variable<weir_port> = try loaded.array("client_volumes")
        let sweep: Variable<UInt32> = try loaded.variable("sweep")
        let losses: Map<UInt32, weir_losses> = try loaded.map("losses")
        self.ingress = ingress
        self.egress = egress
        self.interfaces = InterfaceTable(counters: interfaceMap, placeOf: placeOf)
        self.ports = ports
        self.serviceOf = serviceOf
        self.services = services
        self.clients = ClientTable(tags: clientTags, clients: clients, volumes: volumes, sweep: sweep)
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
        try interfaces.counters.kernelMemory() + ports.kernelMemory() + services.kernelMemory()
            + clients.kernelMemory() + losses.kernelMemory() + BPF.kernelMemory(of: serviceOf.descriptor)
    }
}
