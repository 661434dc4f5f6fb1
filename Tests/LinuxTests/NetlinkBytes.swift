/// Builds netlink datagrams field by field, in this machine's byte order.
struct NetlinkBytes {
    var bytes: [UInt8] = []

    mutating func add<Value: FixedWidthInteger>(_ value: Value) {
        unsafe withUnsafeBytes(of: value) { unsafe bytes.append(contentsOf: $0) }
    }

    mutating func pad() {
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    /// An attribute: length with its header, type, value, padding.
    mutating func attribute(_ type: Int, _ value: [UInt8]) {
        add(UInt16(value.count + 4))
        add(UInt16(type))
        bytes += value
        pad()
    }

    mutating func attribute<Value: FixedWidthInteger>(_ type: Int, _ value: Value) {
        var inner = NetlinkBytes()
        inner.add(value)
        attribute(type, inner.bytes)
    }

    mutating func attribute(_ type: Int, nested build: (inout NetlinkBytes) -> Void) {
        var inner = NetlinkBytes()
        build(&inner)
        attribute(type, inner.bytes)
    }

    /// A message with its header: length, type, flags, sequence, port.
    static func message(_ type: Int, flags: UInt16 = 2, sequence: UInt32 = 1, _ build: (inout NetlinkBytes) -> Void)
        -> [UInt8]
    {
        var payload = NetlinkBytes()
        build(&payload)
        var message = NetlinkBytes()
        message.add(UInt32(payload.bytes.count + 16))
        message.add(UInt16(type))
        message.add(flags)
        message.add(sequence)
        message.add(UInt32(0))
        message.bytes += payload.bytes
        message.pad()
        return message.bytes
    }
}
