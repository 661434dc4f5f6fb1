import BPF
import CLibBPF
import KernelABI
import Linux

/// The least that counting a client can cost: a program that looks the client of a frame sent up and adds to its two
/// counters, and does nothing else. It knows where everything lies: Ethernet, IPv4 without options, TCP.
enum TableFloor {
    static func program(_ clients: borrowing Map<weir_client_key, weir_client>) throws -> Program {
        // Offsets: of __sk_buff, the frame, the key on the stack, weir_client.
        let (length, data, dataEnd): (Int16, Int16, Int16) = (0, 76, 80)
        let (destination, sourcePort): (Int16, Int16) = (30, 34)
        let key: Int16 = -24
        let (outPackets, outBytes): (Int16, Int16) = (16, 24)
        let code: [bpf_insn] = [
            instruction(BPF_LDX | BPF_MEM | BPF_W, to: 2, from: 1, offset: data),
            instruction(BPF_LDX | BPF_MEM | BPF_W, to: 3, from: 1, offset: dataEnd),
            instruction(BPF_ALU64 | BPF_MOV | BPF_X, to: 4, from: 2),
            instruction(BPF_ALU64 | BPF_ADD | BPF_K, to: 4, 54),
            instruction(BPF_JMP | BPF_JGT | BPF_X, to: 4, from: 3, offset: 19),
            instruction(BPF_LDX | BPF_MEM | BPF_W, to: 6, from: 1, offset: length),
            // ::ffff:a.b.c.d, port, WEIR_TCP; in wide words, as the look-up reads them.
            instruction(BPF_ST | BPF_MEM | BPF_DW, to: 10, offset: key, 0),
            instruction(BPF_LDX | BPF_MEM | BPF_W, to: 4, from: 2, offset: destination),
            instruction(BPF_ALU64 | BPF_LSH | BPF_K, to: 4, 32),
            instruction(BPF_ALU | BPF_MOV | BPF_K, to: 5, Int32(bitPattern: 0xFFFF_0000)),
            instruction(BPF_ALU64 | BPF_OR | BPF_X, to: 4, from: 5),
            instruction(BPF_STX | BPF_MEM | BPF_DW, to: 10, from: 4, offset: key + 8),
            instruction(BPF_LDX | BPF_MEM | BPF_H, to: 4, from: 2, offset: sourcePort),
            instruction(BPF_ALU | BPF_END | BPF_TO_BE, to: 4, 16),
            instruction(BPF_STX | BPF_MEM | BPF_W, to: 10, from: 4, offset: key + 16),
            instruction(BPF_LD | BPF_IMM | BPF_DW, to: 1, from: UInt8(BPF_PSEUDO_MAP_FD), clients.descriptor.rawValue),
            instruction(0),
            instruction(BPF_ALU64 | BPF_MOV | BPF_X, to: 2, from: 10),
            instruction(BPF_ALU64 | BPF_ADD | BPF_K, to: 2, Int32(key)),
            instruction(BPF_JMP | BPF_CALL, Int32(BPF_FUNC_map_lookup_elem.rawValue)),
            instruction(BPF_JMP | BPF_JEQ | BPF_K, to: 0, offset: 3, 0),
            instruction(BPF_ALU64 | BPF_MOV | BPF_K, to: 1, 1),
            instruction(BPF_STX | BPF_ATOMIC | BPF_DW, to: 0, from: 1, offset: outPackets, BPF_ADD),
            instruction(BPF_STX | BPF_ATOMIC | BPF_DW, to: 0, from: 6, offset: outBytes, BPF_ADD),
            instruction(BPF_ALU64 | BPF_MOV | BPF_K, to: 0, -1),
            instruction(BPF_JMP | BPF_EXIT),
        ]
        let number = unsafe bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "floor", "Dual BSD/GPL", code, code.count, nil)
        guard number >= 0 else { throw SystemError("bpf(BPF_PROG_LOAD, floor)", Errno(rawValue: -number)) }
        return try Program(owning: Descriptor(owning: number))
    }

    private static func instruction(
        _ code: Int32,
        to: UInt8 = 0,
        from: UInt8 = 0,
        offset: Int16 = 0,
        _ value: Int32 = 0
    ) -> bpf_insn {
        bpf_insn(code: UInt8(code), dst_reg: to, src_reg: from, off: offset, imm: value)
    }
}
