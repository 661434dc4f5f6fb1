/// Packets on the wire and their L2 bytes without FCS.
public struct Volume: Equatable, Sendable {
    public var packets: UInt64
    public var bytes: UInt64

    public init(packets: UInt64, bytes: UInt64) {
        self.packets = packets
        self.bytes = bytes
    }

    func write(_ name: String, to json: inout JSONWriter) {
        json.object(name) { json in
            json.field("packets", packets)
            json.field("bytes", bytes)
        }
    }
}

/// What counts an interface's traffic, best first.
public enum CounterSource: String, Sendable {
    case tcx, tc
    case afPacket = "af_packet"
    case proc
}

/// One direction of one interface since the sensor began to watch it.
public struct DirectionTotals: Equatable, Sendable {
    /// What only counting by header can tell.
    public struct Detail: Equatable, Sendable {
        public var ipv4, ipv6, otherFamily: Volume
        public var tcp, udp, icmp, otherProtocol: Volume
        /// Frames with SYN but not ACK, with both, with FIN, with RST.
        public var syn, synAck, fin, rst: UInt64
        /// Packets by L2 size: up to 64, 127, 255, 511, 1023, 1518, 9018 bytes, and above.
        public var sizes: [UInt64]
        /// Packets that are a later fragment; packets whose headers end early or contradict themselves.
        public var fragments, malformed: UInt64

        public init(
            ipv4: Volume,
            ipv6: Volume,
            otherFamily: Volume,
            tcp: Volume,
            udp: Volume,
            icmp: Volume,
            otherProtocol: Volume,
            syn: UInt64,
            synAck: UInt64,
            fin: UInt64,
            rst: UInt64,
            sizes: [UInt64],
            fragments: UInt64,
            malformed: UInt64
        ) {
            self.ipv4 = ipv4
            self.ipv6 = ipv6
            self.otherFamily = otherFamily
            self.tcp = tcp
            self.udp = udp
            self.icmp = icmp
            self.otherProtocol = otherProtocol
            self.syn = syn
            self.synAck = synAck
            self.fin = fin
            self.rst = rst
            self.sizes = sizes
            self.fragments = fragments
            self.malformed = malformed
        }
    }

    public var total: Volume
    /// Units the hook saw: one frame can hold many packets. Nil when the source does not tell.
    public var frames: UInt64?
    public var detail: Detail?

    public init(total: Volume, frames: UInt64? = nil, detail: Detail? = nil) {
        self.total = total
        self.frames = frames
        self.detail = detail
    }

    func write(_ name: String, to json: inout JSONWriter) {
        json.object(name) { json in
            json.field("packets", total.packets)
            json.field("bytes", total.bytes)
            if let frames { json.field("frames", frames) }
            guard let detail else { return }
            detail.ipv4.write("ipv4", to: &json)
            detail.ipv6.write("ipv6", to: &json)
            detail.otherFamily.write("otherFamily", to: &json)
            detail.tcp.write("tcp", to: &json)
            detail.udp.write("udp", to: &json)
            detail.icmp.write("icmp", to: &json)
            detail.otherProtocol.write("otherProtocol", to: &json)
            json.object("flags") { json in
                json.field("syn", detail.syn)
                json.field("synAck", detail.synAck)
                json.field("fin", detail.fin)
                json.field("rst", detail.rst)
            }
            json.array("sizes") { json in
                for count in detail.sizes.prefix(16) { json.integer(count) }
            }
            json.field("fragments", detail.fragments)
            json.field("malformed", detail.malformed)
        }
    }
}

/// One watched interface and what passed it.
public struct InterfaceTotals: Equatable, Sendable {
    public var name: String
    /// The kernel's number.
    public var index: UInt32
    /// Grows each time an interface of this name was created again; the totals then began anew.
    public var epoch: UInt32
    public var source: CounterSource
    public var isUp: Bool
    public var rx: DirectionTotals
    public var tx: DirectionTotals

    public init(
        name: String,
        index: UInt32,
        epoch: UInt32,
        source: CounterSource,
        isUp: Bool,
        rx: DirectionTotals,
        tx: DirectionTotals
    ) {
        self.name = name
        self.index = index
        self.epoch = epoch
        self.source = source
        self.isUp = isUp
        self.rx = rx
        self.tx = tx
    }

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("name", name, limit: 32)
            json.field("index", index)
            json.field("epoch", epoch)
            json.field("source", source.rawValue)
            json.field("up", isUp)
            rx.write("rx", to: &json)
            tx.write("tx", to: &json)
        }
    }
}
