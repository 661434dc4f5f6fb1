import CLinux
import Glibc

/// An address of one of the host's links.
public struct LinkAddress: Equatable, Hashable, Sendable {
    public var linkIndex: Int32
    public var address: InternetAddress
    /// In bits, 0 to 32 or 128.
    public var prefixLength: UInt8

    public init(linkIndex: Int32, address: InternetAddress, prefixLength: UInt8) {
        self.linkIndex = linkIndex
        self.address = address
        self.prefixLength = prefixLength
    }

    /// Reads an `RTM_NEWADDR` message; nil for another message, or an address that is neither IPv4 nor IPv6.
    public init?(_ message: borrowing NetlinkMessage) throws(NetlinkError) {
        guard message.type == UInt16(RTM_NEWADDR) else { return nil }
        let header = try message.header(ifaddrmsg.self)
        guard let family = InternetAddress.Family(kernel: header.ifa_family) else { return nil }
        guard let index = Int32(exactly: header.ifa_index) else { throw .malformed(.value, offset: 4) }
        guard header.ifa_prefixlen <= (family == .v4 ? 32 : 128) else { throw .malformed(.value, offset: 1) }
        // On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL, where present, is ours.
        var address: InternetAddress?
        var local: InternetAddress?
        var attributes = message.attributes(after: MemoryLayout<ifaddrmsg>.size)
        while let attribute = try attributes.next() {
            switch Int(attribute.type) {
            case IFA_ADDRESS: address = InternetAddress(family, attribute.value)
            case IFA_LOCAL: local = InternetAddress(family, attribute.value)
            default: break
            }
        }
        guard let own = local ?? address else { throw .malformed(.payload, offset: 0) }
        self.init(linkIndex: index, address: own, prefixLength: header.ifa_prefixlen)
    }
}

extension InternetAddress.Family {
    /// From the kernel's `AF_INET` or `AF_INET6`; nil for any other.
    init?(kernel family: UInt8) {
        switch Int32(family) {
        case AF_INET: self = .v4
        case AF_INET6: self = .v6
        default: return nil
        }
    }

    /// `AF_INET` or `AF_INET6`.
    var kernel: UInt8 { UInt8(self == .v4 ? AF_INET : AF_INET6) }
}
