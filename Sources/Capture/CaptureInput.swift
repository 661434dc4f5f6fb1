import CIntrinsics
import Glibc
import Linux

/// The bytes of a capture, from front to back: a stretch of them lies in memory, behind it a window moves on.
///
/// A regular file is mapped, one window after another. Everything else (a pipe, gzip data) goes through one buffer, which
/// grows no further than the largest piece asked for. A mapped file must not be cut by others while it is read: the
/// kernel answers a touch behind its new end with a signal.
@safe
struct CaptureInput: ~Copyable {
    /// The next byte to take, and the end of what lies in memory. Whoever takes bytes moves the cursor.
    var cursor: UnsafeRawPointer
    private(set) var end: UnsafeRawPointer
    /// Up to where memory was asked for.
    private var asked: UnsafeRawPointer
    /// The mapping or the buffer.
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    /// Where `base` lies in the file; in the unpacked data, if it is packed.
    private var place: UInt64
    private let isMapped: Bool
    private let window: Int
    private let file: Descriptor
    private var inflater: Inflater?
    /// Why no more can be read; said when what was read before does not suffice.
    private var failure: CaptureFileError.Reason?

    static let bufferSize = 256 << 10

    /// - Parameter window: bytes to map at a time; at least one page.
    init(_ file: consuming Descriptor, window: Int) {
        let mapping = Self.firstWindow(of: file, window: window)
        if let mapping {
            isMapped = true
            unsafe base = mapping.base
            capacity = mapping.count
            place = mapping.place
            unsafe cursor = UnsafeRawPointer(mapping.base + mapping.lead)
            unsafe end = UnsafeRawPointer(mapping.base + mapping.count)
            unsafe asked = unsafe cursor
        } else {
            isMapped = false
            unsafe base = .allocate(byteCount: Self.bufferSize, alignment: 16)
            capacity = Self.bufferSize
            place = 0
            unsafe cursor = UnsafeRawPointer(base)
            unsafe end = UnsafeRawPointer(base)
            // What was just read is near.
            unsafe asked = Self.everything
        }
        self.window = window
        self.file = file
        inflater = nil
        failure = nil
    }

    deinit {
        if isMapped {
            _ = unsafe munmap(base, capacity)
        } else {
            unsafe base.deallocate()
        }
    }

    /// Bytes that lie in memory.
    var available: Int {
        @inline(__always) get { unsafe end - cursor }
    }

    /// Asks for the memory some lines ahead of the cursor.
    ///
    /// Where a record starts is known when the length of the one before it has come from memory: the processor cannot run
    /// ahead by itself. On frames of 360 bytes in the mean this took reading from 84 to 45 ns a frame. What is left is
    /// mostly the memory's pace and hides behind the work on each frame; a copy through a buffer, 57 ns, does not.
    @inline(__always)
    mutating func prefetch() {
        // Behind a long frame it starts anew: the bound on the work of one call.
        if unsafe asked < cursor { unsafe asked = unsafe cursor }
        while unsafe asked < cursor + Self.ahead {
            unsafe prefetch_line(asked)
            unsafe asked += 64
        }
    }

    private static var ahead: Int { 4096 }
    private static var everything: UnsafeRawPointer { unsafe UnsafeRawPointer(bitPattern: UInt.max).unsafelyUnwrapped }

    /// Bytes taken so far.
    var offset: UInt64 { unsafe place &+ UInt64(cursor - UnsafeRawPointer(base)) }

    /// Brings at least `count` bytes into memory, or all that are left.
    /// - Returns: whether there were as many.
    @inline(never)
    mutating func fill(_ count: Int) throws(CaptureFileError.Reason) -> Bool {
        if isMapped { try remap(count) } else { try readMore(count) }
        if available >= count { return true }
        if let failure { throw failure }
        return false
    }
}

// MARK: - Windows of a file

extension CaptureInput {
    @safe
    private struct Window {
        let base: UnsafeMutableRawPointer
        let count: Int
        /// Where the window starts in the file, and how far behind its start the bytes asked for lie.
        let place: UInt64
        let lead: Int
    }

    private static var page: Int { sysconf(Int32(_SC_PAGESIZE)) }

    /// - Returns: nil for what is no regular file, cannot be mapped, or is packed.
    private static func firstWindow(of file: borrowing Descriptor, window: Int) -> Window? {
        let here = lseek(file.rawValue, 0, SEEK_CUR)
        do throws(CaptureFileError.Reason) {
            guard here >= 0, let size = try size(of: file), size > here else { return nil }
            let mapping = try map(file, from: UInt64(here), count: 2, size: UInt64(size), window: window)
            guard unsafe isPacked(UnsafeRawPointer(mapping.base + mapping.lead), mapping.count - mapping.lead) else {
                return mapping
            }
            _ = unsafe munmap(mapping.base, mapping.count)
            return nil
        } catch {
            // Reading tells whether it is the file or its filesystem.
            return nil
        }
    }

    /// Bytes in a regular file; nil for anything else.
    private static func size(of file: borrowing Descriptor) throws(CaptureFileError.Reason) -> Int? {
        let number = file.rawValue
        var status = stat()
        do throws(SystemError) {
            try check("fstat") { unsafe fstat(number, &status) }
        } catch {
            throw .system(error)
        }
        return status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
    }

    private static func map(
        _ file: borrowing Descriptor,
        from offset: UInt64,
        count: Int,
        size: UInt64,
        window: Int
    ) throws(CaptureFileError.Reason) -> Window {
        let lead = Int(offset % UInt64(page))
        let start = offset - UInt64(lead)
        let length = Int(min(UInt64(max(window, lead + count)), size - start))
        let address = unsafe mmap(nil, length, PROT_READ, MAP_SHARED, file.rawValue, Int(start))
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw .system(SystemError("mmap(\(length) bytes)", .current))
        }
        return unsafe Window(base: address, count: length, place: start, lead: lead)
    }

    /// Brings a window's pages in and asks for the file's next ones.
    ///
    /// One call costs less than a fault for every few pages, and tells of a bad disk by an error, not by a signal.
    private func populate(size: UInt64) throws(CaptureFileError.Reason) {
        // Kernels before 5.14 do not know it.
        if unsafe madvise(base, capacity, MADV_POPULATE_READ) == -1, errno != EINVAL {
            throw .system(SystemError("reading the file", .current))
        }
        let next = place + UInt64(capacity)
        if size > next {
            _ = posix_fadvise(file.rawValue, Int(next), Int(min(size - next, UInt64(window))), POSIX_FADV_WILLNEED)
        }
    }

    private mutating func remap(_ count: Int) throws(CaptureFileError.Reason) {
        let here = offset
        // The file may have grown.
        guard let size = try Self.size(of: file), UInt64(size) > place + UInt64(capacity) else { return }
        let next = try Self.map(file, from: here, count: count, size: UInt64(size), window: window)
        _ = unsafe munmap(base, capacity)
        unsafe base = next.base
        capacity = next.count
        place = next.place
        unsafe cursor = UnsafeRawPointer(next.base + next.lead)
        unsafe end = UnsafeRawPointer(next.base + next.count)
        unsafe asked = unsafe cursor
        try populate(size: UInt64(size))
    }
}

// MARK: - The buffer

extension CaptureInput {
    /// The first two bytes of gzip data. Source: RFC 1952 section 2.3.1.
    private static func isPacked(_ bytes: UnsafeRawPointer, _ count: Int) -> Bool {
        unsafe count >= 2 && bytes.load(as: UInt8.self) == 0x1f && bytes.load(fromByteOffset: 1, as: UInt8.self) == 0x8b
    }

    /// Finds out whether the data is packed. To be called once, before anything is taken.
    mutating func start() throws(CaptureFileError.Reason) {
        if isMapped { return try populate(size: UInt64(Self.size(of: file) ?? 0)) }
        _ = try fill(2)
        guard unsafe Self.isPacked(cursor, available) else { return }
        // No more than the inflater takes: the rest would have to wait elsewhere.
        inflater = unsafe try Inflater(UnsafeRawBufferPointer(start: cursor, count: available))
        unsafe end = UnsafeRawPointer(base)
        unsafe cursor = unsafe end
    }

    private mutating func readMore(_ count: Int) throws(CaptureFileError.Reason) {
        let ahead = available
        place = offset
        if count > capacity {
            let larger = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 16)
            unsafe larger.copyMemory(from: cursor, byteCount: ahead)
            unsafe base.deallocate()
            unsafe base = larger
            capacity = count
        } else {
            unsafe memmove(base, cursor, ahead)
        }
        unsafe cursor = UnsafeRawPointer(base)
        unsafe end = unsafe cursor + ahead
        while available < count, failure == nil {
            let free = unsafe UnsafeMutableRawBufferPointer(start: base + available, count: capacity - available)
            do throws(CaptureFileError.Reason) {
                let got = unsafe try readPiece(into: free)
                if got == 0 { return }
                unsafe end += got
            } catch {
                failure = error
            }
        }
    }

    private mutating func readPiece(
        into free: UnsafeMutableRawBufferPointer
    ) throws(CaptureFileError.Reason) -> Int {
        if inflater != nil { return unsafe try inflater?.read(file, into: free) ?? 0 }
        return unsafe try readSome(file, into: free)
    }
}
