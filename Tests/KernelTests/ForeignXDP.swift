import BPF
import CLibBPF
import Glibc
import Linux

/// An XDP program of another tool: counts its runs and drops every second frame.
struct ForeignXDP: ~Copyable {
    let program: Program
    private let counter: Descriptor
    private let interface: Int32
    private let mode: UInt32

    enum Mode: UInt32, CaseIterable {
        /// XDP_FLAGS_SKB_MODE: behind the driver, in the stack.
        case generic = 2
        /// XDP_FLAGS_DRV_MODE: in the driver.
        case native = 4
    }

    init(on interface: Int32, _ mode: Mode) throws {
        // Values that cannot be copied are stored once nothing can fail any more.
        let counter = Descriptor(
            owning: try check("bpf(BPF_MAP_CREATE)") {
                unsafe bpf_map_create(BPF_MAP_TYPE_ARRAY, "runs", 4, 8, 1, nil)
            }
        )
        let code = Self.code(counter.rawValue)
        let number = try check("bpf(BPF_PROG_LOAD)") {
            unsafe bpf_prog_load(BPF_PROG_TYPE_XDP, "foreign", "Dual BSD/GPL", code, code.count, nil)
        }
        let program = try Program(owning: Descriptor(owning: number))
        try check("bpf_xdp_attach") { bpf_xdp_attach(interface, number, mode.rawValue, nil) }
        self.program = program
        self.counter = counter
        self.interface = interface
        self.mode = mode.rawValue
    }

    var runs: UInt64 {
        var (key, value) = (UInt32(0), UInt64(0))
        return unsafe bpf_map_lookup_elem(counter.rawValue, &key, &value) == 0 ? value : 0
    }

    /// The number of the program that hangs there now.
    var attached: UInt32 {
        var id: UInt32 = 0
        return unsafe bpf_xdp_query_id(interface, Int32(mode), &id) == 0 ? id : 0
    }

    private static func code(_ counter: Int32) -> [bpf_insn] {
        func instruction(
            _ code: Int32,
            to: UInt8 = 0,
            from: UInt8 = 0,
            offset: Int16 = 0,
            _ value: Int32 = 0
        ) -> bpf_insn {
            bpf_insn(code: UInt8(code), dst_reg: to, src_reg: from, off: offset, imm: value)
        }
        return [
            instruction(BPF_ST | BPF_MEM | BPF_W, to: 10, offset: -4, 0),
            instruction(BPF_ALU64 | BPF_MOV | BPF_X, to: 2, from: 10),
            instruction(BPF_ALU64 | BPF_ADD | BPF_K, to: 2, -4),
            instruction(BPF_LD | BPF_IMM | BPF_DW, to: 1, from: UInt8(BPF_PSEUDO_MAP_FD), counter),
            instruction(0),
            instruction(BPF_JMP | BPF_CALL, Int32(BPF_FUNC_map_lookup_elem.rawValue)),
            instruction(BPF_JMP | BPF_JEQ | BPF_K, to: 0, offset: 4, 0),
            instruction(BPF_ALU64 | BPF_MOV | BPF_K, to: 1, 1),
            instruction(BPF_STX | BPF_ATOMIC | BPF_DW, to: 0, from: 1, BPF_ADD | BPF_FETCH),
            // What was there before, even or odd: XDP_DROP is 1, XDP_PASS 2.
            instruction(BPF_ALU64 | BPF_AND | BPF_K, to: 1, 1),
            instruction(BPF_ALU64 | BPF_ADD | BPF_K, to: 1, 1),
            instruction(BPF_ALU64 | BPF_MOV | BPF_X, to: 0, from: 1),
            instruction(BPF_JMP | BPF_EXIT),
        ]
    }
}
