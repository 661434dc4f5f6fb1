import Glibc
import Linux

/// A file of /proc or /sys that is kept open and read anew each time, without opening it again.
struct ProcFile: ~Copyable, Sendable {
    private let descriptor: Descriptor
    private let path: String

    init(_ path: String) throws(SystemError) {
        self.path = path
        descriptor = Descriptor(owning: try check("open(\(path))") { unsafe open(path, O_RDONLY | O_CLOEXEC) })
    }

    /// Reads the file from its start into `buffer`, which grows to hold it, up to `limit` bytes; answers the length.
    func read(into buffer: inout [UInt8], limit: Int = 1 << 20) throws(SystemError) -> Int {
        let number = descriptor.rawValue
        var filled = 0
        while true {
            if filled == buffer.count {
                guard buffer.count < limit else { return filled }
                buffer.append(contentsOf: repeatElement(0, count: min(max(4096, filled), limit - filled)))
            }
            let count = try check("pread(\(path))") {
                unsafe buffer.withUnsafeMutableBytes { bytes in
                    unsafe pread(number, bytes.baseAddress.map { unsafe $0 + filled }, bytes.count - filled, filled)
                }
            }
            if count == 0 { return filled }
            filled += count
        }
    }

    /// The file's bytes, for files that are read seldom.
    consuming func contents(limit: Int = 65_536) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: min(4096, limit))
        let count = try read(into: &bytes, limit: limit)
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}
