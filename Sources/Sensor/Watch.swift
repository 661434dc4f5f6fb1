import CLinux
import Flows
import Linux
import Reports

/// One interface that the sensor watches, from the time it appeared until it is gone.
struct Watch {
    var link: Link
    /// Counts the lives of interfaces of this name.
    let epoch: UInt32
    var source: CounterSource
    /// Whether its bytes are the host's download and upload.
    var countsAsTraffic: Bool
    /// What was counted in this life of it.
    var totals = InterfaceCounters()
    /// The interface's own counters when this life began, for what only they tell.
    let atStart: LinkStatistics
    /// Monotonic times of the last attempts to attach again after someone detached the programs.
    var reattached: [Int64] = []
    /// Rings open on it, and their memory.
    var rings = 0
    var ringBytes = 0

    var index: UInt32 { UInt32(bitPattern: link.index) }

    /// As shown outside.
    var report: InterfaceTotals {
        func direction(_ counters: DirectionCounters) -> DirectionTotals {
            let total = Reports.Volume(counters.total)
            guard source != .proc else { return DirectionTotals(total: total) }
            return DirectionTotals(total: total, frames: counters.frames, detail: .init(counters))
        }
        return InterfaceTotals(
            name: link.name,
            index: index,
            epoch: epoch,
            source: source,
            isUp: link.isUp,
            rx: direction(totals.rx),
            tx: direction(totals.tx)
        )
    }
}

extension Link {
    /// Frames begin with the IP header: tun, WireGuard, tunnels, PPP.
    var isRawIP: Bool {
        switch Int32(hardwareType) {
        case ARPHRD_NONE, ARPHRD_RAWIP, ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_SIT, ARPHRD_PPP: true
        default: false
        }
    }
}

extension Reports.Volume {
    init(_ volume: Flows.Volume) {
        self.init(packets: volume.packets, bytes: volume.bytes)
    }
}

extension DirectionTotals.Detail {
    init(_ counters: DirectionCounters) {
        let sizes = counters.sizes
        self.init(
            ipv4: .init(counters.ipv4),
            ipv6: .init(counters.ipv6),
            otherFamily: .init(counters.otherFamily),
            tcp: .init(counters.tcp),
            udp: .init(counters.udp),
            icmp: .init(counters.icmp),
            otherProtocol: .init(counters.otherProtocol),
            syn: counters.syn,
            synAck: counters.synAck,
            fin: counters.fin,
            rst: counters.rst,
            sizes: sizes.indices.map { sizes[$0] },
            fragments: counters.fragments,
            malformed: counters.malformed
        )
    }
}

extension LedgerCounts {
    init(_ ledger: Ledger) {
        self.init(
            offered: ledger.offered,
            skipped: ledger.skipped,
            kept: ledger.kept,
            dropped: ledger.dropped,
            read: ledger.read,
            decoded: ledger.decoded,
            malformed: ledger.malformed,
            shed: ledger.shed
        )
    }
}
