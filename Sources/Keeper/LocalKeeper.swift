public import BPF
import Glibc
public import Host
import KernelABI
import Linux

/// The keeper in the sensor's own process.
public final class LocalKeeper: Keeper {
    private var counting: Counting?
    private var samplers: [Bool: Sampler] = [:]
    private var sharers: [Bool: Sharer] = [:]
    private var attachments: [UInt32: Attached] = [:]
    private var scanner: PortScanner?
    private let hook: Attachment.Hook?

    /// Values that cannot be copied need a home to stand in a dictionary.
    private final class Attached {
        let attachment: Attachment
        init(_ attachment: consuming Attachment) { self.attachment = attachment }
    }

    private final class Sampler {
        let sampling: Sampling
        init(_ sampling: consuming Sampling) { self.sampling = sampling }
    }

    private final class Sharer {
        let sharing: Sharing
        init(_ sharing: consuming Sharing) { self.sharing = sharing }
    }

    /// - Parameter hook: forces one way of attaching; nil takes the best there is.
    public init(hook: Attachment.Hook? = nil) {
        self.hook = hook
    }

    public func loadCounting(clients: Int) throws(KeeperError) -> CountingMaps {
        do throws(BPFError) {
            counting = try Counting(clients: clients)
        } catch {
            throw .bpf(error)
        }
        return try withCounting { (counting) throws(KeeperError) in try CountingMaps(counting) }
    }

    public func attachCounting(
        _ interface: UInt32,
        isRawIP: Bool,
        countsPorts: Bool
    ) throws(KeeperError) -> CountingHook {
        attachments[interface] = nil
        let attachment = try withCounting { (counting) throws(KeeperError) in
            do throws(BPFError) {
                // An entry that is there goes on counting: the programs were only taken off for a while.
                if try counting.interfaces.value(for: interface) == nil {
                    var entry = weir_interface()
                    if isRawIP { entry.options |= UInt64(WEIR_INTERFACE_RAW_IP) }
                    if countsPorts { entry.options |= UInt64(WEIR_INTERFACE_LOCAL_PORTS) }
                    try counting.interfaces.set(entry, for: interface)
                }
                return Attached(
                    try Attachment(
                        ingress: counting.ingress,
                        egress: counting.egress,
                        interface: Int32(bitPattern: interface),
                        hook: hook
                    )
                )
            } catch {
                throw .bpf(error)
            }
        }
        attachments[interface] = attachment
        return attachment.attachment.hook == .tcx ? .tcx : .tc
    }

    public func isCounting(_ interface: UInt32) -> Bool {
        (try? attachments[interface]?.attachment.isAttached()) ?? false
    }

    public func detachCounting(_ interface: UInt32) {
        attachments[interface] = nil
    }

    public func loadSampling(isRawIP: Bool) throws(KeeperError) -> SamplingMaps {
        do throws(BPFError) {
            samplers[isRawIP] = Sampler(try Sampling(rawIP: isRawIP))
        } catch {
            throw .bpf(error)
        }
        guard let sampler = samplers[isRawIP] else { throw .notLoaded }
        return try SamplingMaps(sampler.sampling)
    }

    public func loadSharing(isRawIP: Bool, keys: [5 of UInt64], rings: Int) throws(KeeperError) {
        do throws(BPFError) {
            sharers[isRawIP] = Sharer(try Sharing(keys: keys, rings: rings, rawIP: isRawIP))
        } catch {
            throw .bpf(error)
        }
    }

    public func openRing(_ request: RingRequest) throws(KeeperError) -> OpenedRing {
        var geometry = request.geometry
        do throws(SystemError) {
            let group: FanoutGroup? =
                switch request.sharing {
                case .alone: nil
                case .first:
                    sharers[request.isRawIP].map { .new(program: $0.sharing.program.descriptor.rawValue) } ?? .new
                case .joins(let group): group
                }
            let filter = request.isFiltered ? samplers[request.isRawIP]?.sampling.filter.descriptor.rawValue : nil
            let socket = try PacketSocket(
                interface: request.interface,
                geometry: &geometry,
                filter: filter,
                group: group
            )
            return OpenedRing(socket: socket, geometry: geometry)
        } catch {
            throw error.errno.rawValue == EPERM ? .packetsNotPermitted : .system(error)
        }
    }

    public func listeners() throws(KeeperError) -> PortSnapshot {
        do throws(NetlinkError) {
            if scanner == nil { scanner = try PortScanner() }
            guard let snapshot = try scanner?.scan() else {
                throw .system(SystemError("socket", Errno(rawValue: EBADF)))
            }
            return snapshot
        } catch {
            scanner = nil
            throw .netlink(error)
        }
    }

    private func withCounting<Result: ~Copyable>(
        _ body: (borrowing Counting) throws(KeeperError) -> Result
    ) throws(KeeperError) -> Result {
        switch counting {
        case .some(let counting): return try body(counting)
        case nil: throw .notLoaded
        }
    }
}
