public import BPF
public import KernelABI
import Linux

/// The maps of the counting programs, by descriptors of their own: all that a reader without privilege needs.
public struct CountingMaps: ~Copyable, Sendable {
    public let interfaces: InterfaceTable
    /// Key: (`WEIR_TCP` or `WEIR_UDP`) << 16 | local port.
    public let ports: Map<UInt32, weir_port>
    /// The number of the service on a port, by the same key; 0: none.
    public let serviceOf: Variable<UInt16>
    public let services: Map<UInt32, weir_service>
    public let clients: ClientTable
    public let losses: Map<UInt32, weir_losses>
    /// Kernel memory of all of them, in bytes.
    public let memory: UInt64

    init(_ counting: borrowing Counting) throws(KeeperError) {
        // Values that cannot be copied are stored only once nothing can fail any more.
        let interfaces = InterfaceTable(
            counters: try copy(counting.interfaces.counters),
            placeOf: try copy(counting.interfaces.placeOf)
        )
        let ports = try copy(counting.ports)
        let serviceOf = try copy(counting.serviceOf)
        let services = try copy(counting.services)
        let clients = ClientTable(
            tags: try copy(counting.clients.tags),
            clients: try copy(counting.clients.clients),
            volumes: try copy(counting.clients.volumes),
            sweep: try copy(counting.clients.sweep)
        )
        let losses = try copy(counting.losses)
        let memory = try size { () throws(BPFError) in try counting.kernelMemory() }
        self.interfaces = interfaces
        self.ports = ports
        self.serviceOf = serviceOf
        self.services = services
        self.clients = clients
        self.losses = losses
        self.memory = memory
    }
}

/// The maps of the sampling filter, by descriptors of their own.
public struct SamplingMaps: ~Copyable, Sendable {
    /// Element 0 is what the filter decides by; write it at any time.
    public let parameters: Variable<weir_sampling>
    /// Key: the class.
    public let sampled: Map<UInt32, weir_sampled>
    /// Kernel memory, in bytes.
    public let memory: UInt64

    init(_ sampling: borrowing Sampling) throws(KeeperError) {
        let parameters = try copy(sampling.parameters)
        let sampled = try copy(sampling.sampled)
        let memory = try size { () throws(BPFError) in try sampling.kernelMemory() }
        self.parameters = parameters
        self.sampled = sampled
        self.memory = memory
    }
}

private func copy<Key, Value>(_ map: borrowing Map<Key, Value>) throws(KeeperError) -> Map<Key, Value> {
    do throws(BPFError) {
        return try Map(owning: try copy(map.descriptor))
    } catch {
        throw .bpf(error)
    }
}

private func copy<Element>(_ variable: borrowing Variable<Element>) throws(KeeperError) -> Variable<Element> {
    do throws(BPFError) {
        return try Variable(owning: try copy(variable.descriptor), offset: variable.offset, count: variable.count)
    } catch {
        throw .bpf(error)
    }
}

private func copy(_ descriptor: borrowing Descriptor) throws(BPFError) -> Descriptor {
    do throws(SystemError) {
        return try descriptor.duplicate()
    } catch {
        throw .system(error)
    }
}

private func size(_ body: () throws(BPFError) -> Int) throws(KeeperError) -> UInt64 {
    do throws(BPFError) {
        return UInt64(try body())
    } catch {
        throw .bpf(error)
    }
}
