import CLibBPF
import Glibc

/// The programs that hang on an interface of the calling thread's namespace as tcx links, in the order in which they run.
public enum TCXPrograms {
    public struct Row: Equatable, Sendable {
        public let id: UInt32
        public let name: String
    }

    public static func rows(on interface: String, ingress: Bool) -> [Row] {
        var ids = [UInt32](repeating: 0, count: 64)
        var options = unsafe bpf_prog_query_opts()
        unsafe options.sz = MemoryLayout<bpf_prog_query_opts>.size
        let index = Int32(bitPattern: unsafe if_nametoindex(interface))
        let result = unsafe ids.withUnsafeMutableBufferPointer { ids in
            unsafe options.prog_ids = ids.baseAddress
            unsafe options.prog_cnt = UInt32(ids.count)
            return unsafe bpf_prog_query_opts(index, bpf_attach_type(rawValue: ingress ? 46 : 47), &options)
        }
        guard result == 0 else { return [] }
        return ids.prefix(Int(unsafe options.prog_cnt)).map { Row(id: $0, name: name(of: $0)) }
    }

    /// Takes a program off as another tool would: by its link.
    /// - Returns: whether there was one.
    public static func detach(program: UInt32) -> Bool {
        var id: UInt32 = 0
        while unsafe bpf_link_get_next_id(id, &id) == 0 {
            let link = bpf_link_get_fd_by_id(id)
            guard link >= 0 else { continue }
            defer { close(link) }
            var info = bpf_link_info()
            var size = UInt32(MemoryLayout<bpf_link_info>.size)
            if unsafe bpf_obj_get_info_by_fd(link, &info, &size) == 0, info.prog_id == program {
                return bpf_link_detach(link) == 0
            }
        }
        return false
    }

    private static func name(of program: UInt32) -> String {
        let descriptor = bpf_prog_get_fd_by_id(program)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        guard unsafe bpf_obj_get_info_by_fd(descriptor, &info, &size) == 0 else { return "" }
        return unsafe withUnsafeBytes(of: info.name) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
