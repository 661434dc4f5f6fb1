import Glibc
import Linux

/// Bytes of a file, read ahead into a buffer that grows no further than the largest piece asked for.
@safe
struct InputBuffer: ~Copyable {
    private let file: Descriptor
    private var storage: UnsafeMutableRawBufferPointer
    /// Where in `storage` the bytes lie that were read but not taken.
    private var ahead = 0..<0
    /// Bytes taken so far.
    private(set) var offset: UInt64 = 0

    init(_ file: consuming Descriptor) {
        self.file = file
        unsafe storage = .allocate(byteCount: 256 << 10, alignment: 16)
    }

    deinit {
        unsafe storage.deallocate()
    }

    /// Takes the next `count` bytes, or what is left of the file.
    /// - Returns: where they lie, until the next call.
    mutating func take(_ count: Int) throws(CaptureFileError.Reason) -> Range<Int> {
        if ahead.count < count { try fill(count) }
        let start = ahead.lowerBound
        let taken = start..<start + min(count, ahead.count)
        ahead = taken.upperBound..<ahead.upperBound
        offset += UInt64(taken.count)
        return taken
    }

    /// The bytes of a range that `take` answered.
    @_lifetime(borrow self)
    func bytes(_ range: Range<Int>) -> RawSpan {
        let span = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(storage))
        return unsafe _overrideLifetime(span.extracting(range), borrowing: self)
    }

    /// The little-endian word at a place inside such a range.
    func word(_ place: Int) -> UInt32 {
        UInt32(littleEndian: unsafe storage.loadUnaligned(fromByteOffset: place, as: UInt32.self))
    }

    @inline(never)
    private mutating func fill(_ count: Int) throws(CaptureFileError.Reason) {
        let target: UnsafeMutableRawBufferPointer
        if unsafe count > storage.count {
            unsafe target = .allocate(byteCount: count, alignment: 16)
        } else {
            unsafe target = storage
        }
        unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage[ahead]))
        if unsafe target.baseAddress != storage.baseAddress {
            unsafe storage.deallocate()
            unsafe storage = target
        }
        ahead = 0..<ahead.count
        while ahead.count < count {
            let free = unsafe UnsafeMutableRawBufferPointer(rebasing: storage[ahead.upperBound...])
            let number = file.rawValue
            let got: Int
            do throws(SystemError) {
                got = try check("read") { unsafe read(number, free.baseAddress, free.count) }
            } catch {
                throw .system(error)
            }
            if got == 0 { return }
            ahead = 0..<ahead.upperBound + got
        }
    }
}
