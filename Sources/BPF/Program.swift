import CLibBPF
public import Linux

/// A program in the kernel.
public struct Program: ~Copyable, Sendable {
    /// Given to `SO_ATTACH_BPF`, or to another process.
    public let descriptor: Descriptor
    /// The kernel's number for it, unique while the program lives.
    public let id: UInt32
    /// At most 15 bytes.
    public let name: String
    /// Hash of its instructions.
    public let tag: UInt64

    /// Takes a program's descriptor.
    public init(owning descriptor: consuming Descriptor) throws(BPFError) {
        LibraryLog.silence()
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        let number = descriptor.rawValue
        try attempt("bpf(BPF_OBJ_GET_INFO_BY_FD)") { unsafe bpf_obj_get_info_by_fd(number, &info, &size) }
        self.descriptor = descriptor
        id = info.id
        name = unsafe withUnsafeBytes(of: &info.name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        tag = unsafe withUnsafeBytes(of: &info.tag) { unsafe $0.loadUnaligned(as: UInt64.self) }
    }

    /// The program with a number. Needs CAP_SYS_ADMIN.
    public init(id: UInt32) throws(BPFError) {
        let number = try attempt("bpf(BPF_PROG_GET_FD_BY_ID)") { bpf_prog_get_fd_by_id(id) }
        try self.init(owning: Descriptor(owning: number))
    }

    /// What kind of hook a program is for.
    public enum Kind: Sendable {
        case trafficControl
        case socketFilter

        var type: bpf_prog_type {
            switch self {
            case .trafficControl: BPF_PROG_TYPE_SCHED_CLS
            case .socketFilter: BPF_PROG_TYPE_SOCKET_FILTER
            }
        }
    }

    /// Loads a program of two instructions that answers `result`: tells whether programs can be loaded here at all.
    public static func answering(
        _ result: Int32,
        _ kind: Kind = .trafficControl,
        name: String = "answer"
    ) throws(BPFError) -> Program {
        LibraryLog.silence()
        var instructions = (bpf_insn(), bpf_insn())
        instructions.0.code = UInt8(BPF_ALU64 | BPF_MOV | BPF_K)
        instructions.0.imm = result
        instructions.1.code = UInt8(BPF_JMP | BPF_EXIT)
        let number = try attempt("bpf(BPF_PROG_LOAD)") {
            unsafe withUnsafeBytes(of: &instructions) { bytes in
                let first = unsafe bytes.assumingMemoryBound(to: bpf_insn.self).baseAddress
                return unsafe bpf_prog_load(kind.type, name, "Dual BSD/GPL", first, 2, nil)
            }
        }
        return try Program(owning: Descriptor(owning: number))
    }
}
