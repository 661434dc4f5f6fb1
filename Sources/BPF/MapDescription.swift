import CLibBPF
import Glibc
import Linux

/// What the kernel says of a map.
public struct MapDescription: Equatable, Sendable {
    public let name: String
    public let keySize: Int
    /// Bytes of one value; a per-CPU map has one for each possible CPU.
    public let valueSize: Int
    /// Entries it can hold.
    public let capacity: Int
    public let isPerCPU: Bool

    init(_ descriptor: borrowing Descriptor) throws(BPFError) {
        LibraryLog.silence()
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        let number = descriptor.rawValue
        try attempt("bpf(BPF_OBJ_GET_INFO_BY_FD)") { unsafe bpf_obj_get_info_by_fd(number, &info, &size) }
        name = unsafe withUnsafeBytes(of: &info.name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        keySize = Int(info.key_size)
        valueSize = Int(info.value_size)
        capacity = Int(info.max_entries)
        let type = bpf_map_type(rawValue: info.type)
        isPerCPU = type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH
    }
}

/// The kernel memory that a map takes, in bytes, as the kernel accounts it.
func kernelMemory(of descriptor: borrowing Descriptor) throws(BPFError) -> Int {
    let path = "/proc/self/fdinfo/\(descriptor.rawValue)"
    do throws(SystemError) {
        let file = Descriptor(owning: try check("open(\(path))") { unsafe open(path, O_RDONLY | O_CLOEXEC) })
        var bytes = [UInt8](repeating: 0, count: 4096)
        let number = file.rawValue
        let count = try check("read(\(path))") { unsafe read(number, &bytes, 4096) }
        for line in bytes.prefix(count).split(separator: UInt8(ascii: "\n")) where line.starts(with: "memlock:".utf8) {
            let digits = line.filter { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            return digits.reduce(0) { $0 &* 10 &+ Int($1 - UInt8(ascii: "0")) }
        }
        throw SystemError("read(\(path))", Errno(rawValue: ENOENT))
    } catch {
        throw .system(error)
    }
}
