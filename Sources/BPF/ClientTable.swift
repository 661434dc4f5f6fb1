public import KernelABI

/// The clients of services, each with what it moved; see `bpf/abi/counters.h`. One reader only.
public struct ClientTable: ~Copyable, Sendable {
    /// A byte for each slot, eight to a word.
    public let tags: Variable<UInt64>
    public let clients: Variable<weir_client>
    /// For each slot; all that once for each CPU, unless they share one.
    public let volumes: Variable<weir_port>
    /// The number of the sweep: one element.
    public let sweep: Variable<UInt32>

    public init(
        tags: consuming Variable<UInt64>,
        clients: consuming Variable<weir_client>,
        volumes: consuming Variable<weir_port>,
        sweep: consuming Variable<UInt32>
    ) {
        self.tags = tags
        self.clients = clients
        self.volumes = volumes
        self.sweep = sweep
    }

    /// Kernel memory of its arrays, in bytes, as the kernel accounts it.
    func kernelMemory() throws(BPFError) -> Int {
        try BPF.kernelMemory(of: tags.descriptor) + BPF.kernelMemory(of: clients.descriptor)
            + BPF.kernelMemory(of: volumes.descriptor)
    }

    /// Hands every client in the table to `body`, with its totals.
    public func forEach(_ body: (weir_client, weir_port) -> Void) {
        forEachTaken { slot, tag in
            if tag != WEIR_CLIENT_LEAVING { body(clients[slot], total(of: slot)) }
        }
    }

    /// Lets clients leave that were not seen in the last `patience` sweeps, hands all others to `body`, and begins the next
    /// sweep.
    ///
    /// The slots of those that leave are free after the following call, which must come when no program that runs now does
    /// so any more: a second later is plenty. What a program still adds meanwhile goes with the client.
    public func sweep(patience: UInt32, _ body: (weir_client, weir_port) -> Void) {
        let now = sweep[0]
        forEachTaken { slot, tag in
            let client = clients[slot]
            if tag == WEIR_CLIENT_LEAVING {
                clear(slot)
                change(slot, from: tag, to: 0)
            } else if now &- client.last_seen > patience {
                change(slot, from: tag, to: WEIR_CLIENT_LEAVING)
            } else {
                body(client, total(of: slot))
            }
        }
        sweep[0] = now &+ 1
    }

    private static var ways: Int { Int(WEIR_CLIENT_WAYS) }

    private func forEachTaken(_ body: (_ slot: Int, _ tag: UInt32) -> Void) {
        for bucket in 0..<tags.count {
            let word = tags.acquire(bucket)
            guard word != 0 else { continue }
            for way in 0..<Self.ways {
                let tag = UInt32(truncatingIfNeeded: word >> UInt64(8 * way) & 0xFF)
                if tag != 0 { body(bucket * Self.ways + way, tag) }
            }
        }
    }

    /// Programs change bytes too, but only those that are 0.
    private func change(_ slot: Int, from old: UInt32, to new: UInt32) {
        tags.flip(UInt64(old ^ new) << UInt64(slot % Self.ways * 8), at: slot / Self.ways)
    }

    private func clear(_ slot: Int) {
        clients[slot] = weir_client()
        for place in places(of: slot) { volumes[place] = weir_port() }
    }

    private func total(of slot: Int) -> weir_port {
        places(of: slot).reduce(into: weir_port()) { total, place in
            let volume = volumes[place]
            total.in.packets &+= volume.in.packets
            total.in.bytes &+= volume.in.bytes
            total.out.packets &+= volume.out.packets
            total.out.bytes &+= volume.out.bytes
        }
    }

    private func places(of slot: Int) -> StrideTo<Int> { stride(from: slot, to: volumes.count, by: clients.count) }
}
