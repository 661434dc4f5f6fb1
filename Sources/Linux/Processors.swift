import Glibc

/// The machine's logical processors.
public enum Processors {
    /// Processors that run now.
    public static var online: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// Processors that can ever run, numbered from 0: the number of slots in a per-CPU map of the kernel.
    public static func possible() throws(SystemError) -> Int {
        let path = "/sys/devices/system/cpu/possible"
        let file = Descriptor(owning: try check("open(\(path))") { unsafe open(path, O_RDONLY | O_CLOEXEC) })
        var bytes = [UInt8](repeating: 0, count: 256)
        let number = file.rawValue
        let count = try check("read(\(path))") { unsafe read(number, &bytes, 256) }
        guard let highest = highest(in: bytes.prefix(count)) else {
            throw SystemError("read(\(path))", Errno(rawValue: EINVAL))
        }
        return highest + 1
    }

    /// The highest number in a list like `0-3,8-11`.
    static func highest(in list: some Sequence<UInt8>) -> Int? {
        list.split { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            .map { $0.reduce(0) { $0 &* 10 &+ Int($1 - UInt8(ascii: "0")) } }
            .max()
    }
}
