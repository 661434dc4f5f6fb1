import CLinux

extension RawSpan {
    /// The value at an offset, in this machine's byte order, or nil where the bytes end before it.
    @inline(__always)
    func load<Value: BitwiseCopyable>(at offset: Int, as type: Value.Type) -> Value? {
        guard offset >= 0, byteCount >= MemoryLayout<Value>.size, offset <= byteCount - MemoryLayout<Value>.size else {
            return nil
        }
        return unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: type)
    }

    /// The bytes from an offset on; empty where the offset lies behind the end.
    @_lifetime(copy self)
    func dropping(_ count: Int) -> RawSpan {
        extracting(last: Swift.max(0, byteCount - Swift.max(0, count)))
    }
}

/// Rounds up to netlink's alignment of 4 bytes. The argument is below 2^32, so this cannot overflow.
private func aligned(_ length: Int) -> Int { (length + 3) & ~3 }

/// One netlink message, borrowed from the datagram that holds it.
public struct NetlinkMessage: ~Escapable {
    /// `NLMSG_ERROR`, `RTM_NEWLINK`, ...
    public let type: UInt16
    /// `NLM_F_MULTI`, `NLM_F_DUMP_INTR`, ...
    public let flags: UInt16
    public let sequence: UInt32
    public let payload: RawSpan

    @_lifetime(copy payload)
    init(type: UInt16, flags: UInt16, sequence: UInt32, payload: RawSpan) {
        self.type = type
        self.flags = flags
        self.sequence = sequence
        self.payload = payload
    }

    /// The attributes behind the message's fixed header.
    @_lifetime(copy self)
    func attributes(after header: Int) -> NetlinkAttributes {
        NetlinkAttributes(payload.dropping(aligned(header)))
    }

    /// The message's fixed header.
    func header<Header: BitwiseCopyable>(_ type: Header.Type) throws(NetlinkError) -> Header {
        guard let header = payload.load(at: 0, as: type) else { throw .malformed(.payload, offset: 0) }
        return header
    }
}

/// The messages of one datagram, in order. Lengths are checked against the datagram before they are used.
public struct NetlinkMessages: ~Escapable {
    private let bytes: RawSpan
    private var offset = 0

    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) {
        self.bytes = bytes
    }

    /// The next message, or nil behind the last.
    @_lifetime(copy self)
    public mutating func next() throws(NetlinkError) -> NetlinkMessage? {
        let headerSize = MemoryLayout<nlmsghdr>.size
        guard let header = bytes.load(at: offset, as: nlmsghdr.self) else {
            if offset >= bytes.byteCount { return nil }
            throw .malformed(.messageLength, offset: offset)
        }
        let length = Int(header.nlmsg_len)
        guard length >= headerSize, length <= bytes.byteCount - offset else {
            throw .malformed(.messageLength, offset: offset)
        }
        let payload = bytes.extracting(offset + headerSize..<offset + length)
        offset += aligned(length)
        return NetlinkMessage(
            type: header.nlmsg_type,
            flags: header.nlmsg_flags,
            sequence: header.nlmsg_seq,
            payload: payload
        )
    }
}

/// One attribute: a type and its bytes.
struct NetlinkAttribute: ~Escapable {
    /// The type without the flags for nesting and byte order.
    let type: UInt16
    let value: RawSpan

    @_lifetime(copy value)
    init(type: UInt16, value: RawSpan) {
        self.type = type
        self.value = value
    }

    /// The value as a number or struct; longer values are cut, as newer kernels append fields.
    func load<Value: BitwiseCopyable>(_ type: Value.Type) throws(NetlinkError) -> Value {
        guard let value = value.load(at: 0, as: type) else { throw .malformed(.payload, offset: 0) }
        return value
    }

    /// The value as text up to its NUL, without bytes that could harm a terminal or a log.
    var text: String { String(harmless: value) }
}

/// A list of attributes, walked once.
struct NetlinkAttributes: ~Escapable {
    private let bytes: RawSpan
    private var offset = 0

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) {
        self.bytes = bytes
    }

    @_lifetime(copy self)
    mutating func next() throws(NetlinkError) -> NetlinkAttribute? {
        let headerSize = MemoryLayout<nlattr>.size
        // Fewer bytes than a header are padding, as the kernel's own nla_ok() has it.
        guard let header = bytes.load(at: offset, as: nlattr.self) else { return nil }
        let length = Int(header.nla_len)
        guard length >= headerSize, length <= bytes.byteCount - offset else {
            throw .malformed(.attributeLength, offset: offset)
        }
        let value = bytes.extracting(offset + headerSize..<offset + length)
        offset += aligned(length)
        return NetlinkAttribute(type: header.nla_type & 0x3fff, value: value)
    }
}
