import CLinux
import Glibc

extension Descriptor {
    /// A file in memory, which is gone with its last descriptor.
    /// - Parameter name: for those who look into `/proc`.
    public static func inMemory(_ name: String) throws(SystemError) -> Descriptor {
        let number = unsafe clinux_memory_file(name)
        guard number >= 0 else { throw SystemError("memfd_create", Errno(rawValue: -number)) }
        return Descriptor(owning: number)
    }

    /// The next bytes of a file, pipe or socket, at most 4,096, without taking them. A pipe is waited for until it has some.
    /// - Returns: nothing of what cannot be looked at: a folder, a device.
    public borrowing func peek() throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let (number, size) = (rawValue, bytes.count)
        var status = stat()
        try check("fstat") { unsafe fstat(number, &status) }
        let count: Int
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            let place = try check("lseek") { lseek(number, 0, SEEK_CUR) }
            count = try check("pread") { unsafe pread(number, &bytes, size, place) }
        case S_IFIFO:
            var ends: [Int32] = [0, 0]
            try check("pipe") { unsafe pipe(&ends) }
            let source = Descriptor(owning: ends[0])
            let target = Descriptor(owning: ends[1])
            let copied = clinux_copy_pipe(number, target.rawValue, size)
            guard copied > 0 else { return [] }
            let copy = source.rawValue
            count = try check("read") { unsafe read(copy, &bytes, size) }
        case S_IFSOCK: count = try check("recv") { unsafe recv(number, &bytes, size, Int32(MSG_PEEK)) }
        default: return []
        }
        return Array(bytes.prefix(count))
    }
}

/// Writes all of the bytes to a file that someone else owns.
public func write(all bytes: RawSpan, to number: Int32) throws(SystemError) {
    var done = 0
    while done < bytes.byteCount {
        let rest = bytes.extracting(done..<bytes.byteCount)
        done += try check("write") {
            unsafe rest.withUnsafeBytes { unsafe write(number, $0.baseAddress, $0.count) }
        }
    }
}
