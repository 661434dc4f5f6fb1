import Glibc
import Linux

/// A folder of /proc or /sys, listed without making strings of the names.
@safe
// Sendable: it cannot be copied, so only the thread that owns it uses the C library's handle.
struct Directory: ~Copyable, @unchecked Sendable {
    // A DIR may move between threads; that it has one user at a time is what ~Copyable says.
    private let stream: OpaquePointer

    init(_ path: String) throws(SystemError) {
        let number = try check("open(\(path))") { unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard let stream = unsafe fdopendir(number) else {
            let error = Errno.current
            close(number)
            throw SystemError("fdopendir(\(path))", error)
        }
        unsafe self.stream = stream
    }

    deinit {
        unsafe closedir(stream)
    }

    /// Whether nothing is in it.
    var isEmpty: Bool {
        unsafe rewinddir(stream)
        while let entry = unsafe readdir(stream) {
            if unsafe entry.pointee.d_name.0 != CChar(bitPattern: UInt8(ascii: ".")) { return false }
        }
        return true
    }

    /// Calls `body` with each name that is a number, such as the process ids in /proc, until it answers false.
    func forEachNumber(_ body: (Int32) -> Bool) {
        unsafe rewinddir(stream)
        while let entry = unsafe readdir(stream) {
            guard let number = unsafe Self.number(entry) else { continue }
            if !body(number) { return }
        }
    }

    /// Calls `body` with the inode of each socket among the links of a /proc/PID/fd, until it answers false.
    /// It is called with nil for a link to something else.
    func forEachSocket(_ body: (UInt32?) -> Bool) {
        let number = unsafe dirfd(stream)
        unsafe rewinddir(stream)
        while let entry = unsafe readdir(stream) {
            var target: InlineArray<32, UInt8> = .init(repeating: 0)
            var span = target.mutableSpan
            let length = unsafe span.withUnsafeMutableBytes { bytes in
                unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                    unsafe name.withMemoryRebound(to: CChar.self, capacity: 1) { name in
                        unsafe bytes.withMemoryRebound(to: CChar.self) { bytes -> Int in
                            guard let start = bytes.baseAddress else { return 0 }
                            return unsafe readlinkat(number, name, start, bytes.count)
                        }
                    }
                }
            }
            guard length > 0 else { continue }
            if !body(Self.socketInode(target.span.extracting(first: length))) { return }
        }
    }

    /// `socket:[4711]` as 4711.
    static func socketInode(_ link: Span<UInt8>) -> UInt32? {
        guard link.starts(with: "socket:["), link.count > 9, link[link.count - 1] == UInt8(ascii: "]") else {
            return nil
        }
        return link.extracting(8..<link.count - 1).number.flatMap(UInt32.init(exactly:))
    }

    private static func number(_ entry: UnsafeMutablePointer<dirent>) -> Int32? {
        unsafe withUnsafeBytes(of: &entry.pointee.d_name) { name in
            var value: Int32 = 0
            var index = 0
            while index < 10, unsafe name[index] != 0 {
                let digit = unsafe name[index] &- UInt8(ascii: "0")
                guard digit < 10 else { return nil }
                let (shifted, tooFar) = value.multipliedReportingOverflow(by: 10)
                let (sum, over) = shifted.addingReportingOverflow(Int32(digit))
                guard !tooFar, !over else { return nil }
                value = sum
                index += 1
            }
            return index == 0 ? nil : value
        }
    }
}
