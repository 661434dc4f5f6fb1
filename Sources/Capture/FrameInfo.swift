/// What is known of a frame beside its bytes, wherever it came from: a ring or a file.
public struct FrameInfo: BitwiseCopyable, Equatable, Sendable {
    /// Wall time in nanoseconds since 1970-01-01 UTC. May step back from one frame to the next.
    public var time: Int64
    /// Bytes the frame had, captured or not; without FCS and without a stripped tag.
    public var wireLength: UInt32
    /// Tells the interfaces of one capture apart, from 0; always 0 from a ring, which has one interface.
    public var interface: UInt32
    /// The VLAN tag that the card or the kernel took out of the frame: outside every tag still in its bytes.
    public var tag: VLANTag?
    /// What the first captured byte belongs to.
    public var link: LinkType
    public var direction: Direction
    /// Set when the frame stands for several packets.
    public var segmentation: Segmentation
    /// Payload bytes of each packet but the last; 0 unless `segmentation` is set.
    public var segmentSize: UInt16

    public init(
        time: Int64,
        wireLength: UInt32,
        interface: UInt32 = 0,
        link: LinkType = .ethernet,
        direction: Direction = .unknown,
        tag: VLANTag? = nil,
        segmentation: Segmentation = .none,
        segmentSize: UInt16 = 0
    ) {
        self.time = time
        self.wireLength = wireLength
        self.interface = interface
        self.link = link
        self.direction = direction
        self.tag = tag
        self.segmentation = segmentation
        self.segmentSize = segmentSize
    }

    public enum Direction: UInt8, BitwiseCopyable, Sendable {
        /// A file does not say.
        case unknown
        /// Received, for this host or not.
        case incoming
        case outgoing
    }

    /// How the packets inside a frame were joined (or were not yet cut) by segmentation offload.
    public enum Segmentation: UInt8, BitwiseCopyable, Sendable {
        case none
        case tcpv4
        case tcpv6
        case udp
        /// A way unknown here; the frame counts as one packet.
        case other
    }
}

/// A VLAN tag. Source: IEEE 802.1Q.
public struct VLANTag: BitwiseCopyable, Equatable, Sendable {
    /// EtherType of the tag, for example 0x8100 or 0x88A8.
    public var protocolID: UInt16
    /// Priority (3 bits), drop eligibility (1), VLAN number (12).
    public var control: UInt16

    public init(protocolID: UInt16, control: UInt16) {
        self.protocolID = protocolID
        self.control = control
    }

    /// 0 to 4095; 0 means priority only.
    public var number: UInt16 { control & 0x0fff }
}

/// What a frame starts with: a LINKTYPE number of the pcap format. Source: https://www.tcpdump.org/linktypes.html.
public struct LinkType: RawRepresentable, BitwiseCopyable, Equatable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    public static let ethernet = LinkType(rawValue: 1)
    /// IPv4 or IPv6 header at once, as on tunnels.
    public static let raw = LinkType(rawValue: 101)
    /// A kind of interface that has no number here: nothing is known of the first byte.
    public static let unknown = LinkType(rawValue: 0xffff)
}
