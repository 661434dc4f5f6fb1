import CLibBPF
import Glibc
public import Linux

/// A program of another tool on an interface, as a tcx link: counts its runs, and lets packets pass or gives them a tag.
/// Acts in the calling thread's network namespace when made. Needs root.
public struct ForeignProgram: ~Copyable, Sendable {
    public enum Work: Sendable {
        /// Ends with a verdict: programs after it see nothing.
        case accept
        /// Puts an 802.1Q tag on each frame, beside the bytes where the device takes it there.
        case pushTag(UInt16)
    }

    private let program: Descriptor
    private let counter: Descriptor
    private let link: Descriptor

    /// - Parameter isFirst: whether it stands before the programs that are there, or after them.
    public init(on interface: String, ingress: Bool, isFirst: Bool, _ work: Work) throws(SystemError) {
        let index = unsafe if_nametoindex(interface)
        let counter = Descriptor(
            owning: try Self.check(
                "bpf(BPF_MAP_CREATE)",
                unsafe bpf_map_create(BPF_MAP_TYPE_ARRAY, "runs", 4, 8, 1, nil)
            )
        )
        let code = Self.code(counter: counter.rawValue, work)
        let program = Descriptor(
            owning: try Self.check(
                "bpf(BPF_PROG_LOAD)",
                unsafe bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "foreign", "GPL", code, code.count, nil)
            )
        )
        // BPF_TCX_INGRESS and BPF_TCX_EGRESS, BPF_F_BEFORE and BPF_F_AFTER: younger than Debian 12's headers.
        let point = bpf_attach_type(rawValue: ingress ? 46 : 47)
        var options = unsafe bpf_link_create_opts()
        unsafe options.sz = 12  // through flags
        unsafe options.flags = isFirst ? 1 << 3 : 1 << 4
        link = Descriptor(
            owning: try Self.check(
                "bpf(BPF_LINK_CREATE)",
                unsafe bpf_link_create(program.rawValue, Int32(bitPattern: index), point, &options)
            )
        )
        self.counter = counter
        self.program = program
    }

    /// How often it ran.
    public var runs: UInt64 {
        var key: UInt32 = 0
        var value: UInt64 = 0
        return unsafe bpf_map_lookup_elem(counter.rawValue, &key, &value) == 0 ? value : 0
    }

    /// The kernel's number of it; 0 when it is not known.
    public var id: UInt32 {
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        return unsafe bpf_obj_get_info_by_fd(program.rawValue, &info, &size) == 0 ? info.id : 0
    }

    private static func check(_ call: String, _ result: Int32) throws(SystemError) -> Int32 {
        guard result >= 0 else { throw SystemError(call, Errno(rawValue: -result)) }
        return result
    }

    private static func code(counter: Int32, _ work: Work) -> [bpf_insn] {
        func instruction(
            _ code: Int32,
            _ target: UInt8 = 0,
            _ source: UInt8 = 0,
            _ offset: Int16 = 0,
            _ value: Int32 = 0
        )
            -> bpf_insn
        {
            bpf_insn(code: UInt8(code), dst_reg: target, src_reg: source, off: offset, imm: value)
        }
        let move = BPF_ALU64 | BPF_MOV | BPF_K
        let copy = BPF_ALU64 | BPF_MOV | BPF_X
        let call = BPF_JMP | BPF_CALL
        var code = [
            instruction(copy, 6, 1),  // keep the context
            instruction(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0),  // the key: 0
            instruction(copy, 2, 10),
            instruction(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4),
            instruction(BPF_LD | BPF_IMM | BPF_DW, 1, 1, 0, counter),  // source 1: a map's descriptor
            instruction(0),
            instruction(call, 0, 0, 0, 1),  // bpf_map_lookup_elem
            instruction(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2, 0),
            instruction(move, 1, 0, 0, 1),
            instruction(BPF_STX | 0xc0 | BPF_DW, 0, 1, 0, 0),  // atomic add
        ]
        switch work {
        case .accept: code.append(instruction(move, 0, 0, 0, 0))  // TC_ACT_OK
        case .pushTag(let tag):
            code += [
                instruction(copy, 1, 6),
                instruction(move, 2, 0, 0, Int32(UInt16(0x8100).bigEndian)),
                instruction(move, 3, 0, 0, Int32(tag)),
                instruction(call, 0, 0, 0, 18),  // bpf_skb_vlan_push
                instruction(move, 0, 0, 0, -1),  // TCX_NEXT
            ]
        }
        return code + [instruction(BPF_JMP | BPF_EXIT)]
    }
}
