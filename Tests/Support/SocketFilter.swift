import CLibBPF
public import Linux

extension Descriptor {
    /// A loaded socket filter that keeps the first `count` bytes of every frame; 0 refuses every frame. Needs root.
    public static func filter(keeping count: Int32) throws(SystemError) -> Descriptor {
        let setResult = bpf_insn(code: UInt8(BPF_ALU64 | BPF_MOV | BPF_K), dst_reg: 0, src_reg: 0, off: 0, imm: count)
        let exit = bpf_insn(code: UInt8(BPF_JMP | BPF_EXIT), dst_reg: 0, src_reg: 0, off: 0, imm: 0)
        let program = [setResult, exit]
        let number = unsafe bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "keep", "GPL", program, program.count, nil)
        guard number >= 0 else { throw SystemError("bpf(BPF_PROG_LOAD)", Errno(rawValue: -number)) }
        return Descriptor(owning: number)
    }
}
