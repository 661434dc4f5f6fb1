import CZlib
import Glibc
import Linux

/// Unpacks gzip data while it is read: one member after another, as `zcat` does. Source: RFC 1952.
@safe
struct Inflater: ~Copyable {
    /// On the heap because zlib keeps its address.
    private let stream: UnsafeMutablePointer<z_stream>
    private let packed: UnsafeMutableRawBufferPointer
    private var isInsideMember = true
    private var isAtEnd = false

    private static let packedCapacity = CaptureInput.bufferSize

    /// - Parameter start: what was already read of the packed data; at most one buffer.
    init(_ start: UnsafeRawBufferPointer) throws(CaptureFileError.Reason) {
        precondition(start.count <= Self.packedCapacity)
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // 15: the largest window; 16: a gzip header, nothing else.
        let code = unsafe inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else {
            unsafe stream.deallocate()
            throw .packed("zlib does not start (\(code))")
        }
        unsafe packed = .allocate(byteCount: Self.packedCapacity, alignment: 16)
        unsafe packed.copyMemory(from: start)
        unsafe stream.pointee.next_in = packed.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_in = UInt32(start.count)
        unsafe self.stream = unsafe stream
    }

    deinit {
        _ = unsafe inflateEnd(stream)
        unsafe stream.deallocate()
        unsafe packed.deallocate()
    }

    /// Unpacks the next bytes, at least one.
    /// - Parameter free: not empty.
    /// - Returns: how many; 0 at the end of the data.
    mutating func read(
        _ file: borrowing Descriptor,
        into free: UnsafeMutableRawBufferPointer
    ) throws(CaptureFileError.Reason) -> Int {
        let room = min(free.count, Int(UInt32.max))
        unsafe stream.pointee.next_out = free.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_out = UInt32(room)
        while unsafe !isAtEnd && stream.pointee.avail_out == UInt32(room) {
            if unsafe stream.pointee.avail_in == 0, try refill(file) == 0 {
                isAtEnd = true
                if isInsideMember { throw .packed("the gzip data is cut") }
                break
            }
            if isInsideMember {
                try inflateMore()
            } else {
                try startMember()
            }
        }
        return unsafe room - Int(stream.pointee.avail_out)
    }

    private mutating func inflateMore() throws(CaptureFileError.Reason) {
        let code = unsafe inflate(stream, Z_NO_FLUSH)
        switch code {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END: isInsideMember = false
        default:
            let message = unsafe stream.pointee.msg.map { unsafe String(cString: $0) } ?? "zlib error \(code)"
            throw .packed("the gzip data is corrupt: \(message)")
        }
    }

    /// What follows a member is another one, or zeros that some tools pad with.
    private mutating func startMember() throws(CaptureFileError.Reason) {
        guard let next = unsafe stream.pointee.next_in else { return }
        switch unsafe next.pointee {
        case 0x1f:
            _ = unsafe inflateReset(stream)
            isInsideMember = true
        case 0:
            unsafe stream.pointee.next_in = next + 1
            unsafe stream.pointee.avail_in -= 1
        default:
            throw .packed("something else follows the gzip data")
        }
    }

    private mutating func refill(_ file: borrowing Descriptor) throws(CaptureFileError.Reason) -> Int {
        let got = unsafe try readSome(file, into: packed)
        unsafe stream.pointee.next_in = packed.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_in = UInt32(got)
        return got
    }
}

/// `read(2)`: 0 at the end.
func readSome(
    _ file: borrowing Descriptor,
    into free: UnsafeMutableRawBufferPointer
) throws(CaptureFileError.Reason) -> Int {
    let number = file.rawValue
    do throws(SystemError) {
        return try check("read") { unsafe read(number, free.baseAddress, free.count) }
    } catch {
        throw .system(error)
    }
}
